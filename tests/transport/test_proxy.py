"""Through a proxy: what it gets to see, and what its refusals mean."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from raw_server import RUN_TEST, RawServer, Reply, http, unused_port
from simulation import request

from futureagi_async import (
    APIConnectionError,
    APITimeoutError,
    Delivery,
    RetryPolicy,
    Timeout,
)


ONCE = RetryPolicy(reconcile=False, max_attempts=1)


@pytest.fixture
async def tunnel():
    """A proxy that connects to wherever it is asked to, and notes the heads."""
    heads: list[bytes] = []
    tasks: set[asyncio.Task] = set()

    async def pump(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head)
        host, port = head.split()[1].decode().rsplit(":", 1)
        up_reader, up_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://user:proxy-password@127.0.0.1:{port}", heads
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_tunnel_sees_neither_keys_nor_requests(
    connect, server_tls, client_tls, tunnel, keys
):
    proxy, heads = tunnel
    async with RawServer(tls=server_tls) as server:
        client = connect(server, ssl=client_tls, proxy=proxy)
        result = await client.send(request())
        await client.aclose()

    [head] = heads
    assert result.call_execution_count == 3
    assert head.startswith(b"CONNECT localhost:")
    assert b"Proxy-Authorization: Basic" in head
    assert not any(key.encode() in head for key in keys)
    assert RUN_TEST.encode() not in head
    assert server.requests[0].header("Proxy-Authorization") is None


async def test_a_certificate_behind_a_tunnel_is_refused_without_the_password(
    connect, server_tls, tunnel
):
    proxy, _ = tunnel
    async with RawServer(tls=server_tls) as server:
        client = connect(server, proxy=proxy)
        with pytest.raises(APIConnectionError, match="certificate") as caught:
            await client.send(request())
        await client.aclose()

    assert isinstance(caught.value.__cause__, ssl.CertificateError)
    assert "proxy-password" not in repr(caught.value.__cause__)
    assert caught.value.__context__ is None
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (http("407 Proxy Authentication Required"), "407 Proxy Authentication"),
        (http("502"), "the proxy responded with 502"),
        (b"HTTP/1.1 403 Refus\xe9\r\n\r\n", "responded with 403 Refus\ufffd"),
    ],
)
async def test_a_proxy_that_refuses_means_not_sent(answer, says, connect):
    async with RawServer(Reply(answer, "close")) as proxy:
        client = connect("https://api.example.org", proxy=proxy.url, retry=ONCE)

        with pytest.raises(APIConnectionError, match=says) as caught:
            await client.send(request())

    assert caught.value.delivery is Delivery.NOT_SENT
    assert proxy.requests[0].request_line.startswith("CONNECT api.example.org:443")


async def test_a_proxy_that_is_not_there_means_not_sent(connect):
    proxy = f"http://127.0.0.1:{unused_port()}"

    with pytest.raises(APIConnectionError) as caught:
        await connect("https://api.example.org", proxy=proxy, retry=ONCE).send(
            request()
        )

    assert caught.value.delivery is Delivery.NOT_SENT


async def test_a_proxy_that_stalls_means_not_sent(connect):
    async with RawServer(Reply(b"", "stall")) as proxy:
        client = connect("https://api.example.org", proxy=proxy.url, timeout=0.3)

        with pytest.raises(APIConnectionError) as caught:
            await client.send(request())

    assert caught.value.delivery is Delivery.NOT_SENT


async def test_a_proxy_that_stalls_has_the_time_of_a_connection(connect):
    timeout = Timeout(connect=0.3, read=60, total=60)
    async with RawServer(Reply(b"", "stall")) as proxy:
        client = connect(
            "https://api.example.org", proxy=proxy.url, retry=ONCE, timeout=timeout
        )

        with pytest.raises(
            APITimeoutError, match=r"no connection within 0\.3"
        ) as caught:
            await client.send(request())

    assert type(caught.value) is APITimeoutError
    assert caught.value.delivery is Delivery.NOT_SENT


async def test_the_proxy_of_the_environment_is_used(connect, monkeypatch):
    async with RawServer(Reply(http(403), "close")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        client = connect("https://api.example.org", retry=ONCE)
        monkeypatch.delenv("HTTPS_PROXY")

        with pytest.raises(APIConnectionError, match="the proxy responded with 403"):
            await client.send(request())


async def test_an_unencrypted_proxy_gets_the_whole_request(connect):
    async with RawServer() as proxy:
        client = connect(
            "http://api.example.org",
            allow_http=True,
            proxy=proxy.url,
            timeout=Timeout(total=60),
        )
        await client.send(request())

    assert proxy.requests[0].request_line.startswith("POST http://api.example.org/")
