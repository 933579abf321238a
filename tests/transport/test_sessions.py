"""The session of aiohttp: whoever forgets it, its connections end in silence."""

from __future__ import annotations

import asyncio
import gc

from raw_server import RUN_TEST, RawServer
from simulation import request

from futureagi_async import AsyncFutureAGI, Timeout
from futureagi_async.transport.aiohttp_backend import AiohttpBackend
from futureagi_async.transport.http import HTTPRequest
from futureagi_async.transport.settings import Settings


async def test_a_client_in_a_cycle_closes_its_connections_when_it_is_collected():
    async with RawServer() as server:
        client = AsyncFutureAGI("key", "secret", base_url=server.url)
        client.itself = client
        await client.send(request())
        assert server.open_connections == 1

        del client
        gc.collect()

        async with asyncio.timeout(60):
            while server.open_connections:
                await asyncio.sleep(0)


def test_a_client_that_outlived_the_runs_of_its_loop_is_dropped_without_a_word(caplog):
    async def use():
        async with RawServer() as server:
            client = AsyncFutureAGI("key", "secret", base_url=server.url)
            await client.send(request())
        return client

    loop = asyncio.new_event_loop()
    client = loop.run_until_complete(use())
    session = client._transport._resources.backend._session

    del client
    gc.collect()

    assert session.closed
    assert caplog.records == []
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


async def test_a_request_without_body_says_nothing_of_one(keys):
    async with RawServer() as server:
        sender = AiohttpBackend(Settings.resolve(*keys, base_url=server.url))
        attempt = HTTPRequest(
            "GET", f"/run-tests/{RUN_TEST}/", None, Timeout(), "my-id"
        )
        answer = await sender.send(attempt)
        await sender.aclose()

    [got] = server.requests
    assert answer.status == 200
    assert got.request_line == f"GET /run-tests/{RUN_TEST}/ HTTP/1.1"
    assert got.header("Content-Type") is None
    assert got.header("Content-Length") is None
    assert got.header("X-Request-ID") == "my-id"
