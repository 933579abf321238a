"""What the tests of transport and client share."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import aiohttp
import pytest
from aioresponses import aioresponses
from raw_server import RawServer

from futureagi_async import AsyncFutureAGI, RetryPolicy
from futureagi_async.transport.aiohttp_backend import AiohttpBackend
from futureagi_async.transport.timeouts import ReadTimeout


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


API_KEY = "fi-api-0d9c2b7a51"
SECRET_KEY = "fi-secret-77e1f3c4d8"
CERTIFICATE = Path(__file__).with_name("localhost.pem")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither keys nor proxies nor a netrc of the machine."""
    for name in ("FI_API_KEY", "FI_SECRET_KEY", "FI_BASE_URL", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def keys() -> tuple[str, str]:
    """The API key and the secret key of the clients that `connect` makes."""
    return API_KEY, SECRET_KEY


@pytest.fixture
def server_tls() -> ssl.SSLContext:
    """What a server needs to speak TLS as `localhost`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


@pytest.fixture
def client_tls() -> ssl.SSLContext:
    """What a client needs to trust it."""
    return ssl.create_default_context(cafile=CERTIFICATE)


@pytest.fixture
async def connect() -> AsyncIterator[Callable[..., AsyncFutureAGI]]:
    """Make clients, and close them at the end."""
    async with contextlib.AsyncExitStack() as stack:

        def make(to: RawServer | str | None, **options: Any) -> AsyncFutureAGI:
            url = to.url if isinstance(to, RawServer) else to
            # Reconciling has tests of its own: here no request is sent but those asked for.
            options.setdefault("retry", RetryPolicy(reconcile=False))
            client = AsyncFutureAGI(API_KEY, SECRET_KEY, base_url=url, **options)
            stack.push_async_callback(client.aclose)
            return client

        yield make


@pytest.fixture
def connection_acquired(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set as soon as a request may have reached the service."""
    event, start = asyncio.Event(), ReadTimeout.start

    def noted(read_timeout: ReadTimeout) -> None:
        start(read_timeout)
        event.set()

    monkeypatch.setattr(ReadTimeout, "start", noted)
    return event


@pytest.fixture
def in_the_body(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set as soon as the head of an answer is there and its body is waited for."""
    event, read = asyncio.Event(), AiohttpBackend._read

    async def noted(*arguments: Any) -> bytes:
        event.set()
        return await read(*arguments)

    monkeypatch.setattr(AiohttpBackend, "_read", noted)
    return event


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    """Answers from aioresponses instead of a server."""

    class Response(aiohttp.ClientResponse):
        # aioresponses does not know this argument, which aiohttp 3.14 wants.
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            with contextlib.suppress(TypeError):
                super().__init__(*args, **kwargs, stream_writer=Mock(output_size=0))
                return
            super().__init__(*args, **kwargs)

    monkeypatch.setattr("aioresponses.core.ClientResponse", Response)
    with aioresponses() as mock:
        yield mock
