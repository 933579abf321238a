"""Carries attempts over aiohttp: the only module of the client that knows it."""

from __future__ import annotations

import asyncio
import contextvars
import platform
import ssl
import weakref
from typing import TYPE_CHECKING, Any

import aiohttp
import yarl
from multidict import CIMultiDict, istr

from futureagi_async import __version__
from futureagi_async.errors import (
    APIConnectionError,
    APITimeoutError,
    Delivery,
    UnexpectedResponseError,
)
from futureagi_async.transport.http import HTTPResponse
from futureagi_async.transport.silence import ChunkedBody, ReadTimeout
from futureagi_async.transport.timeouts import TimeoutRegistry


if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler

    from futureagi_async.transport.http import HTTPRequest
    from futureagi_async.transport.settings import Settings, Timeout


ANSWER_LIMIT = 64 * 1024 * 1024
"""Bytes of an answer that are read at most, counted after decompression."""

_LARGE_BODY = 2**16  # what is larger is written piece by piece
_KEEP_ALIVE = 25.0  # the service closes a connection that was idle for 30 s
_CONTENT_TYPE = istr("Content-Type")
_REQUEST_ID = istr("X-Request-ID")
_RETRY_AFTER = istr("Retry-After")
_LOCATION = istr("Location")


_silence: contextvars.ContextVar[ReadTimeout] = contextvars.ContextVar("silence")


class _Connector(aiohttp.TCPConnector):
    """Limits the making of a connection, and notes when bytes can have left on one."""

    async def connect(self, *args: Any, **kwargs: Any) -> aiohttp.connector.Connection:
        connection = await super().connect(*args, **kwargs)
        _silence.get().begin()
        return connection

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,
    ) -> ResponseHandler:
        """Make one within the limit that aiohttp has for two of its steps only.

        It limits neither the looking up of the name nor a proxy's answer.
        """
        async with asyncio.timeout(timeout.sock_connect):
            return await super()._create_connection(req, traces, timeout)

    def __del__(self, _warnings: object = None) -> None:
        """Say nothing of connections that were left open: `AiohttpBackend` cares."""


class AiohttpBackend:
    """Keeps the connections of one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        headers = _headers(settings)
        # aiohttp shows the headers of a session to the proxy, too, when it asks it for
        # a tunnel; those of a request only to the service.
        self._headers = headers if settings.proxy else {}
        self._timeout = _client_timeout(settings.timeout)
        self._session = aiohttp.ClientSession(
            connector=_Connector(
                limit=settings.max_connections,
                keepalive_timeout=_KEEP_ALIVE,
                ssl=settings.ssl or True,
            ),
            headers=None if settings.proxy else headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            proxy=settings.proxy,
        )
        # Left to itself, aiohttp sends a read again when a kept connection has gone: an
        # attempt that nobody counts, under the same request id.
        self._session._retry_connection = False  # noqa: SLF001 - there is no other switch
        loop = asyncio.get_running_loop()
        self._deadlines = TimeoutRegistry(loop)
        weakref.finalize(self, _close_forgotten, self._session, loop)

    async def send(self, attempt: HTTPRequest) -> HTTPResponse:
        """Carry one attempt; see `HTTPBackend`."""
        silence = ReadTimeout(self._deadlines, attempt)
        token = _silence.set(silence)
        try:
            with silence:
                response = await self._session.request(
                    attempt.method,
                    yarl.URL(self._settings.base_url + attempt.path, encoded=True),
                    data=_data(attempt.body, silence),
                    headers=self._headers_of(attempt),
                    timeout=self._timeout_of(attempt),
                    allow_redirects=False,
                )
            try:
                return await self._answer(response, attempt)
            finally:
                if not response.closed:
                    response.release()
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            failed = _connection_error(error, attempt)
            cause = self._cause(error)
        finally:
            _silence.reset(token)
        raise failed from cause  # here, where nothing else is its context

    async def _answer(
        self, response: aiohttp.ClientResponse, attempt: HTTPRequest
    ) -> HTTPResponse:
        headers, reason = response.headers, response.reason or ""
        request_id = headers.get(_REQUEST_ID, attempt.request_id)
        # Nearly always it is ASCII: a call for each request can be spared.
        attempt.request_id = request_id if request_id.isascii() else _text(request_id)
        location = headers.get(_LOCATION)
        body = _whole_body(response.content)
        if body is None:
            attempt.status = response.status
            body = await self._read(response, attempt.timeout.read)
        return HTTPResponse(
            response.status,
            reason if reason.isascii() else _text(reason),
            attempt.request_id,
            headers.get(_RETRY_AFTER),
            None if location is None else _text(location),
            body,
        )

    async def _read(
        self, response: aiohttp.ClientResponse, limit: float | None
    ) -> bytes:
        """Read the body, up to the limit; of an error, what there is of it."""
        chunks: list[bytes] = []
        size = 0
        is_success = response.status < 300  # noqa: PLR2004 - the 2xx of RFC 9110
        try:
            while not response.content.at_eof():
                with self._deadlines.after(limit):
                    chunk = await response.content.readany()
                chunks.append(chunk)
                size += len(chunk)
                if size > ANSWER_LIMIT:
                    response.close()
                    break
        except (aiohttp.ClientError, OSError):
            # A status that says no has said it, with or without its explanation.
            if is_success:
                raise
        if size > ANSWER_LIMIT and is_success:
            raise UnexpectedResponseError(
                f"the response is larger than {ANSWER_LIMIT // 2**20} MiB",
                status_code=response.status,
                delivery=Delivery.UNKNOWN,
            )
        return b"".join(chunks)

    def _headers_of(self, attempt: HTTPRequest) -> CIMultiDict[str]:
        headers = CIMultiDict(self._headers)
        headers[_REQUEST_ID] = attempt.request_id
        if attempt.body is not None:
            headers[_CONTENT_TYPE] = "application/json"
        return headers

    def _timeout_of(self, attempt: HTTPRequest) -> aiohttp.ClientTimeout:
        if attempt.timeout is self._settings.timeout:
            return self._timeout
        return _client_timeout(attempt.timeout)

    def _cause(self, error: Exception) -> BaseException | None:
        """Give what may be shown of what broke, which its message says already.

        Where there is a proxy, errors of aiohttp hold its password.
        """
        _drop_frames(error)
        if self._settings.proxy and isinstance(error, aiohttp.ClientError):
            return error.__cause__
        return error

    async def aclose(self) -> None:
        """Close the connections; what is in flight fails."""
        await self._session.close()

    def abandon(self) -> None:
        """Let go of connections that are another process's."""
        self._inherited = self._session.connector
        self._session.detach()


def _close_forgotten(
    session: aiohttp.ClientSession, loop: asyncio.AbstractEventLoop
) -> None:
    """Close what nobody closed, or where no loop can do so any more, say nothing."""
    if session.closed:
        return
    if loop.is_running():
        loop.call_soon_threadsafe(lambda: loop.create_task(session.close()))
    else:
        session.detach()


def _headers(settings: Settings) -> dict[str, str]:
    headers = {
        "User-Agent": f"futureagi-async/{__version__} "
        f"Python/{platform.python_version()} aiohttp/{aiohttp.__version__}",
        **settings.headers,
        "Accept": "application/json",
        "X-Api-Key": settings.api_key.reveal(),
        "X-Secret-Key": settings.secret_key.reveal(),
    }
    if settings.workspace_id is not None:
        headers["X-Workspace-Id"] = settings.workspace_id
    return headers


def _client_timeout(timeout: Timeout) -> aiohttp.ClientTimeout:
    # All other limits are watched here: each that is left to aiohttp costs time.
    return aiohttp.ClientTimeout(
        total=None, sock_connect=timeout.connect, sock_read=None
    )


def _data(body: bytes | None, silence: ReadTimeout) -> bytes | ChunkedBody | None:
    return ChunkedBody(body, silence) if body and len(body) > _LARGE_BODY else body


def _whole_body(content: aiohttp.StreamReader) -> bytes | None:
    """Give the body if all of it is there already, as with nearly every answer."""
    if content.is_eof() and content.total_bytes <= ANSWER_LIMIT:
        return content.read_nowait()
    return None


def _text(received: str) -> str:
    """Put a sign for bytes that are no UTF-8: aiohttp makes half characters of them."""
    return received.encode(errors="surrogateescape").decode(errors="replace")


def _connection_error(error: Exception, attempt: HTTPRequest) -> APIConnectionError:
    """Say what broke, and if the request can have arrived."""
    if attempt.handed_over:
        if isinstance(error, TimeoutError):
            return APITimeoutError(
                f"no answer for {attempt.timeout.read:g} s", delivery=Delivery.UNKNOWN
            )
        return APIConnectionError(
            f"the connection broke before the answer was complete: {_reason(error)}",
            delivery=Delivery.UNKNOWN,
        )
    if isinstance(error, TimeoutError):
        return APITimeoutError(
            f"no connection within {attempt.timeout.connect:g} s",
            delivery=Delivery.NOT_SENT,
        )
    failed = APIConnectionError(
        f"no connection: {_reason(error)}", delivery=Delivery.NOT_SENT
    )
    failed.retryable = not isinstance(error, ssl.CertificateError)
    return failed


def _drop_frames(error: Exception) -> None:
    """Drop the frames of aiohttp: the bytes of the request stand there, keys and all."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy answered {error.status} {_text(error.message)}".rstrip()
    if isinstance(error, aiohttp.ClientResponseError):
        problem = _text(error.message).strip().partition("\n")[0].rstrip(":")
        return f"what came is no HTTP answer ({problem})"
    return str(error) or type(error).__name__
