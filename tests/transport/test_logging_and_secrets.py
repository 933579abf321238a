"""What is logged, and that no key is ever seen anywhere."""

from __future__ import annotations

import asyncio
import gc
import logging
import pickle
import traceback

import pytest
from raw_server import (
    RUN_TEST,
    RawServer,
    Reply,
    full_backlog,
    http,
    listening,
    success,
    success_body,
    unused_port,
)
from simulation import request

from futureagi_async import (
    APIConnectionError,
    AsyncFutureAGI,
    ClientClosedError,
    ConfigurationError,
    FutureAGIError,
    RetryPolicy,
    Timeout,
)


ONCE = RetryPolicy(reconcile=False, max_attempts=1)
BRIEF = Timeout(connect=0.2, read=0.2, total=5)
LARGE = [{"template_id": RUN_TEST, "config": {"x": "y" * 1_500_000}}]


@pytest.fixture
async def everything(caplog):
    """All log records of all loggers, from DEBUG on."""
    asyncio.get_running_loop().set_debug(True)
    for name in ("", "futureagi_async", "aiohttp", "aiohttp.client", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def seen_in(error: BaseException) -> str:
    """All that can be seen of an exception: its texts, frames, locals, and pickle."""
    if error.__traceback__ is not None:  # the test itself knows the keys
        error.__traceback__ = error.__traceback__.tb_next
    parts = []
    links, seen = [error], set()
    while links:
        link = links.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        links += [link.__cause__, link.__context__]
        links += getattr(link, "earlier", ())
        parts += [str(link), repr(link), repr(vars(link)), repr(link.args)]
        frames = traceback.walk_tb(link.__traceback__)
        parts += traceback.StackSummary.extract(frames, capture_locals=True).format()
    parts.append(repr(pickle.dumps(error)))
    return "\n".join(parts)


def written(caplog) -> str:
    formatter = logging.Formatter("%(name)s %(message)s %(pathname)s")
    lines = [formatter.format(record) for record in caplog.records]
    return "\n".join(lines + [repr(vars(record)) for record in caplog.records])


CONDUCT = {
    "no": Reply(http(401, {"detail": "wrong"})),
    "redirect": Reply(http(302, Location="http://example.org/")),
    "server error": Reply(http(500, "<html>")),
    "reset": Reply(b"", "reset"),
    "close": Reply(b"", "close"),
    "stall": Reply(b"", "stall"),
    "garbage": Reply(b"\x00garbage\r\n\r\n", "close"),
    "half a body": Reply(http(200, success_body())[:-9], "close"),
    "wrong shape": Reply(http(200, "[]")),
    "turned away": Reply(http(429, Retry_After="61")),
}


@pytest.mark.parametrize("name", CONDUCT)
async def test_no_key_is_seen_when_a_server_misbehaves(name, connect, keys, everything):
    async with RawServer(CONDUCT[name]) as server:
        client = connect(server, timeout=BRIEF)
        with pytest.raises(FutureAGIError) as caught:
            await client.send(request())
        with pytest.raises(FutureAGIError) as large:
            await client.add_eval_configs(RUN_TEST, LARGE)
        batch = await client.send_many([request(1), request(2)])

    shown = seen_in(caught.value) + seen_in(large.value) + written(everything)
    shown += "".join(seen_in(each.error) for each in batch.failures)
    assert RUN_TEST in shown
    assert not any(key in shown for key in keys)


async def test_no_key_is_seen_when_an_upload_breaks_off(connect, keys, everything):
    async def close_early(reader, writer):
        await reader.readuntil(b"\r\n")
        writer.transport.abort()

    server = await asyncio.start_server(close_early, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        client = connect(f"http://127.0.0.1:{port}", retry=ONCE)
        with pytest.raises(APIConnectionError) as caught:
            await client.add_eval_configs(RUN_TEST, LARGE)

    shown = seen_in(caught.value) + written(everything)
    assert not any(key in shown for key in keys)


async def test_no_key_is_seen_when_a_kept_connection_is_stale(
    connect, keys, everything
):
    async with RawServer() as server:
        client = connect(server, retry=ONCE)
        await client.send(request())
        pool = client._transport._resources.backend._session.connector._conns
        [[(protocol, _)]] = pool.values()
        call = asyncio.create_task(client.send(request()))
        asyncio.get_running_loop().call_soon(protocol.transport.abort)
        with pytest.raises(APIConnectionError) as caught:
            await call

    shown = seen_in(caught.value) + written(everything)
    assert not any(key in shown for key in keys)


async def test_no_key_is_seen_when_nothing_can_be_sent(connect, keys, everything):
    shown = ""
    with full_backlog() as full, listening() as deaf:
        for url in (
            f"http://127.0.0.1:{unused_port()}",
            f"http://127.0.0.1:{full}",
            f"http://127.0.0.1:{deaf}",
            f"https://127.0.0.1:{deaf}",
            "https://no-such-host.invalid",
        ):
            client = connect(url, timeout=BRIEF, retry=ONCE)
            with pytest.raises(FutureAGIError) as caught:
                await client.send(request())
            shown += seen_in(caught.value)

    assert not any(key in shown + written(everything) for key in keys)


async def test_no_key_is_seen_when_the_certificate_is_wrong(
    connect, server_tls, keys, everything
):
    async with RawServer(tls=server_tls) as server:
        with pytest.raises(FutureAGIError) as caught:
            await connect(server).send(request())

    assert not any(key in seen_in(caught.value) + written(everything) for key in keys)


async def test_no_key_is_seen_when_a_call_ends_early(connect, keys, everything, leap):
    async with RawServer(Reply(b"", "stall")) as server:
        client = connect(server)
        late = asyncio.create_task(client.with_options(timeout=600).send(request()))
        await server.until(requests=1)
        leap(600)
        with pytest.raises(FutureAGIError) as deadline:
            await late
        cancelled = asyncio.create_task(client.send(request()))
        await server.until(requests=2)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError) as cancellation:
            await cancelled
        closing = asyncio.create_task(client.send(request()))
        await server.until(requests=3)
        await client.aclose()
        with pytest.raises(ClientClosedError) as closed:
            await closing

    for caught in (deadline, cancellation, closed):
        assert not any(key in seen_in(caught.value) for key in keys)
    assert not any(key in written(everything) for key in keys)


async def test_no_key_is_seen_in_a_successful_call(connect, keys, everything):
    async with RawServer() as server:
        client = connect(server)
        result = await client.send(request())
        batch = await client.send_many([request(1)])
        shown = repr([client, result, batch, batch[0], client.__dict__])
        shown += repr(vars(client._transport))
        shown += written(everything)
        await client.aclose()

    assert not any(key in shown for key in keys)


async def test_no_key_is_seen_in_an_error_of_the_settings(keys):
    for broken in ("\n", "\x00", "é"):
        with pytest.raises(ConfigurationError) as caught:
            AsyncFutureAGI(keys[0] + broken, keys[1])
        assert keys[0] not in str(caught.value)


async def test_no_password_of_a_proxy_is_seen(connect, everything):
    proxy = f"http://me:proxy-password@127.0.0.1:{unused_port()}"
    client = connect("https://api.example.org", proxy=proxy, retry=ONCE)

    with pytest.raises(APIConnectionError) as caught:
        await client.send(request())

    shown = str(caught.value) + repr(caught.value) + written(everything)
    assert "proxy-password" not in shown + repr(client.__dict__)


PROXY_CONDUCT = {
    "no": Reply(http("407 Proxy Authentication Required"), "close"),
    "no tunnel": Reply(http(502), "close"),
    "close": Reply(b"", "close"),
    "garbage": Reply(b"\x00garbage\r\n\r\n", "close"),
    "another protocol behind it": Reply(http(200) + b"220 ESMTP\r\n", "close"),
}


@pytest.mark.parametrize("name", PROXY_CONDUCT)
async def test_no_password_of_a_proxy_is_seen_when_it_misbehaves(
    name, connect, everything
):
    async with RawServer(PROXY_CONDUCT[name]) as proxy:
        url = f"http://me:proxy-password@127.0.0.1:{proxy.port}"
        client = connect("https://api.example.org", proxy=url, retry=ONCE)
        with pytest.raises(APIConnectionError) as caught:
            await client.send(request())

    sent = proxy.requests[0].header("Proxy-Authorization").removeprefix("Basic ")
    shown = seen_in(caught.value) + written(everything)
    assert "api.example.org" in shown
    assert "proxy-password" not in shown
    assert sent not in shown


async def test_each_attempt_is_logged_with_its_facts(connect, everything):
    again = Reply(http(429, Retry_After="0"))
    async with RawServer(again, success) as server:
        await connect(server).send(request())

    records = [each for each in everything.records if each.name == "futureagi_async"]
    first, wait, second = records
    ids = [each.header("X-Request-ID") for each in server.requests]
    path = f"/simulate/run-tests/{RUN_TEST}/run-new-evals/"
    assert first.getMessage().startswith(f"POST {path}: 429 after ")
    assert wait.getMessage().startswith("trying again in ")
    assert second.getMessage().startswith(f"POST {path}: 200 after ")
    for place, record in enumerate((first, second)):
        assert record.http_method == "POST"
        assert record.http_path == path
        assert record.http_status == (429, 200)[place]
        assert record.attempt == place + 1
        assert record.request_id == ids[place]
        assert record.run_test_id == RUN_TEST
        assert record.elapsed > 0
    assert "eval_config_ids" not in written(everything)


async def test_an_attempt_without_answer_is_logged(connect, everything):
    client = connect(f"http://127.0.0.1:{unused_port()}", retry=ONCE)

    with pytest.raises(APIConnectionError):
        await client.send(request())

    [record] = [each for each in everything.records if each.name == "futureagi_async"]
    assert "no response" in record.getMessage()
    assert record.http_status is None


async def test_nothing_is_logged_above_debug(connect, caplog):
    caplog.set_level(logging.INFO)
    async with RawServer(Reply(http(500)), Reply(b"", "reset"), success) as server:
        client = connect(server, retry=RetryPolicy(reconcile=False, retry_unknown=True))
        await client.send(request())
    gc.collect()

    assert caplog.records == []
