"""Every way in which one attempt can fail: what is known, what arrived, which error."""

from __future__ import annotations

import asyncio
import gzip
import ssl

import attrs
import pytest
from raw_server import (
    RUN_TEST,
    RawServer,
    Reply,
    Script,
    full_backlog,
    http,
    listening,
    reset,
    success,
    success_body,
    unused_port,
)
from simulation import request

from futureagi_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    DeadlineExceededError,
    Delivery,
    EvalDispatchError,
    ExecutionsNotCompletedError,
    FutureAGIError,
    NotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    RateLimitError,
    ResponseTooLargeError,
    RetryPolicy,
    ServerError,
    Timeout,
    UnexpectedResponseError,
)
from futureagi_async.endpoints.get_run_test import GetRunTest


NOT_SENT, REJECTED, UNKNOWN = Delivery.NOT_SENT, Delivery.REJECTED, Delivery.UNKNOWN
ONCE = RetryPolicy(reconcile=False, max_attempts=1)
PATIENT = Timeout(connect=60, read=60, total=60)
SHORT = Timeout(connect=60, read=0.3, total=60)
"""For a server that falls silent."""
SHORT_CONNECT = Timeout(connect=0.3, read=60, total=60)
"""For a server to which there is no connection."""


@attrs.frozen
class Case:
    """A server's conduct and what has to be known after it."""

    name: str
    script: Script
    error: type[FutureAGIError]
    delivery: Delivery
    says: str = ""
    timeout: Timeout = PATIENT

    def __str__(self) -> str:
        return self.name


def cut(data: bytes, end: int) -> bytes:
    return data[:end]


def at_date(text: str) -> bytes:
    return http(503, Retry_After=text)


FULL = http(200, success_body())
HALF_BODY = FULL[:-20]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
NO_LENGTH = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
OTHER_RUN_TEST = success_body("99999999-2222-4333-8444-555555555555")

BROKEN = [
    Case("closes without a word", Reply(b"", "close"), APIConnectionError, UNKNOWN),
    Case("resets after reading", Reply(b"", "reset"), APIConnectionError, UNKNOWN),
    Case(
        "stalls after reading",
        Reply(b"", "stall"),
        APITimeoutError,
        UNKNOWN,
        timeout=SHORT,
    ),
    Case("half a status line", Reply(b"HTTP/1.", "close"), APIConnectionError, UNKNOWN),
    Case(
        "half a status line, then silence",
        Reply(b"HTTP/1.", "stall"),
        APITimeoutError,
        UNKNOWN,
        timeout=SHORT,
    ),
    Case("half the headers", Reply(FULL[:30], "close"), APIConnectionError, UNKNOWN),
    Case("half a body", Reply(HALF_BODY, "close"), APIConnectionError, UNKNOWN),
    Case("half a body, reset", Reply(HALF_BODY, "reset"), APIConnectionError, UNKNOWN),
    Case(
        "half a body, silence",
        Reply(HALF_BODY, "stall"),
        APITimeoutError,
        UNKNOWN,
        timeout=SHORT,
    ),
    Case(
        "a chunk that ends early",
        Reply(CHUNKED + b"ff\r\nabc", "close"),
        APIConnectionError,
        UNKNOWN,
    ),
    Case(
        "a chunk size that is none",
        Reply(CHUNKED + b"what?\r\n", "close"),
        APIConnectionError,
        UNKNOWN,
    ),
    Case(
        "garbage instead of HTTP",
        Reply(b"\x00\x01\x02 what is this\r\n\r\n", "close"),
        APIConnectionError,
        UNKNOWN,
        "is not HTTP",
    ),
    Case(
        "another protocol",
        Reply(b"220 mail.example.org ESMTP\r\n", "close"),
        APIConnectionError,
        UNKNOWN,
        "is not HTTP",
    ),
    Case(
        "a Content-Length that is no number",
        Reply(http(200, b"{}", Content_Length="many"), "close"),
        APIConnectionError,
        UNKNOWN,
    ),
    Case(
        "a header without end",
        Reply(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "stall"),
        APIConnectionError,
        UNKNOWN,
    ),
    Case(
        "gzip that is none",
        Reply(http(200, b"no gzip at all", Content_Encoding="gzip")),
        APIConnectionError,
        UNKNOWN,
    ),
    Case(
        "gzip that ends early",
        Reply(
            http(200, gzip.compress(success_body())[:-30], Content_Encoding="gzip"),
            "close",
        ),
        UnexpectedResponseError,
        UNKNOWN,
    ),
    Case("an empty success", Reply(http(200)), UnexpectedResponseError, UNKNOWN),
    Case(
        "a success without content",
        Reply(http(204, Content_Length="")),
        UnexpectedResponseError,
        UNKNOWN,
    ),
    Case(
        "an HTML success",
        Reply(http(200, "<html>Sign in</html>")),
        UnexpectedResponseError,
        UNKNOWN,
        "not JSON",
    ),
    Case(
        "a success of another shape",
        Reply(http(200, "[]")),
        UnexpectedResponseError,
        UNKNOWN,
    ),
    Case(
        "a success for another run test",
        Reply(http(200, OTHER_RUN_TEST)),
        UnexpectedResponseError,
        UNKNOWN,
        "99999999",
    ),
    Case(
        "half a body, as if it were whole",
        Reply(NO_LENGTH + success_body()[:-20], "close"),
        UnexpectedResponseError,
        UNKNOWN,
    ),
    Case(
        "a Content-Length less than the body",
        Reply(http(200, success_body(), Content_Length="30")),
        APIConnectionError,
        UNKNOWN,
    ),
    Case(
        "switches to another protocol",
        Reply(http(101, Upgrade="websocket", Connection="upgrade"), "close"),
        APIStatusError,
        UNKNOWN,
    ),
]

SAID_NO = [
    Case("400", Reply(http(400, {"error": "x"})), BadRequestError, REJECTED),
    Case("401", Reply(http(401, {"detail": "x"})), AuthenticationError, REJECTED),
    Case("402", Reply(http(402)), PaymentRequiredError, REJECTED),
    Case("403", Reply(http(403)), PermissionDeniedError, REJECTED),
    Case("404", Reply(http(404, "<title>X</title>")), NotFoundError, REJECTED, "X"),
    Case("409", Reply(http(409)), ConflictError, REJECTED),
    Case("418", Reply(http(418)), APIStatusError, REJECTED),
    Case("429", Reply(http(429)), RateLimitError, REJECTED),
    Case("300", Reply(http(300)), APIStatusError, REJECTED),
    Case("304", Reply(http(304)), APIStatusError, REJECTED),
    Case(
        "executions that still run",
        Reply(
            http(400, {"error": "Only test executions with COMPLETED status can ..."})
        ),
        ExecutionsNotCompletedError,
        REJECTED,
    ),
    Case(
        "a dispatch that failed",
        Reply(
            http(
                200,
                {
                    "message": "New evaluations marked pending; async dispatch failed "
                    "and can be retried.",
                    "run_test_id": RUN_TEST,
                    "call_execution_count": 3,
                },
            )
        ),
        EvalDispatchError,
        REJECTED,
    ),
    Case(
        "a no that breaks off",
        Reply(http(400, {"error": "x"})[:-3], "close"),
        BadRequestError,
        REJECTED,
    ),
    Case(
        "a no that stalls",
        Reply(http(404, {"error": "x"})[:-3], "stall"),
        NotFoundError,
        REJECTED,
        timeout=SHORT,
    ),
    Case("500", Reply(http(500)), ServerError, UNKNOWN),
    Case("501", Reply(http(501)), ServerError, UNKNOWN),
    Case("502", Reply(http(502, "<html>Bad</html>")), ServerError, UNKNOWN, "Bad"),
    Case("504", Reply(http(504)), ServerError, UNKNOWN),
    Case("599", Reply(http(599)), ServerError, UNKNOWN),
    Case("503 alone", Reply(http(503)), ServerError, UNKNOWN),
    Case("503, seconds", Reply(http(503, Retry_After="7")), ServerError, REJECTED),
    Case(
        "503, a date",
        Reply(at_date("Wed, 21 Oct 2150 07:28:00 GMT")),
        ServerError,
        REJECTED,
    ),
    Case(
        "503, a date that is over",
        Reply(at_date("Wed, 21 Oct 2015 07:28:00 GMT")),
        ServerError,
        REJECTED,
    ),
    Case("503, garbage", Reply(http(503, Retry_After="soon")), ServerError, UNKNOWN),
    Case("503, negative", Reply(http(503, Retry_After="-5")), ServerError, UNKNOWN),
    Case("503, huge", Reply(http(503, Retry_After="9" * 400)), ServerError, REJECTED),
]


@pytest.mark.parametrize("case", [*BROKEN, *SAID_NO], ids=str)
async def test_each_misconduct_of_a_server_has_its_error_and_delivery(case, connect):
    async with RawServer(case.script) as server:
        client = connect(server, retry=ONCE, timeout=case.timeout)

        with pytest.raises(case.error) as caught:
            await client.send(request())

        assert type(caught.value) is case.error
        assert caught.value.delivery is case.delivery
        assert case.says in str(caught.value)
        assert caught.value.run_test_id == RUN_TEST
        assert caught.value.attempts == 1
        assert len(server.requests) == 1


WELL_MEANT = [
    Case("100 first", Reply(b"HTTP/1.1 100 Continue\r\n\r\n" + FULL), None, None),
    Case(
        "103 first",
        Reply(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + FULL),
        None,
        None,
    ),
    Case("201", Reply(http(201, success_body())), None, None),
    Case("no length", Reply(NO_LENGTH + success_body(), "close"), None, None),
    Case(
        "gzip",
        Reply(http(200, gzip.compress(success_body()), Content_Encoding="gzip")),
        None,
        None,
    ),
    Case(
        "chunks",
        Reply(
            CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(success_body()), success_body())
        ),
        None,
        None,
    ),
    Case("no reason", Reply(http("200", success_body())), None, None),
]


@pytest.mark.parametrize("case", WELL_MEANT, ids=str)
async def test_unusual_answers_that_are_right_are_successes(case, connect):
    async with RawServer(case.script) as server:
        result = await connect(server, timeout=PATIENT).send(request())

        assert result.call_execution_count == 3
        assert len(server.requests) == 1


async def test_bytes_after_an_answer_never_become_the_next_answer(connect):
    body = success_body()
    longer = Reply(http(200, body + b"junk", Content_Length=str(len(body))))
    async with RawServer(longer, success) as server:
        client = connect(server, timeout=PATIENT)
        with pytest.raises(APIConnectionError, match="is not HTTP") as caught:
            await client.send(request())

        second = await client.send(request(2))

        assert caught.value.delivery is UNKNOWN
        assert second.run_test_id == request(2).run_test_id
        assert [each.connection for each in server.requests] == [0, 1]


async def test_a_second_answer_nobody_asked_for_is_not_taken_for_the_next(connect):
    twice = Reply(FULL + FULL)
    async with RawServer(twice, success) as server:
        client = connect(server, timeout=PATIENT)
        await client.send(request())

        second = await client.send(request(2))

        assert second.run_test_id == request(2).run_test_id


async def test_a_refused_connection_was_not_sent(connect):
    client = connect(f"http://127.0.0.1:{unused_port()}", retry=ONCE)

    with pytest.raises(APIConnectionError, match="no connection") as caught:
        await client.send(request())

    assert type(caught.value) is APIConnectionError
    assert caught.value.delivery is NOT_SENT
    assert caught.value.retryable


@pytest.mark.parametrize(
    "host", ["no-such-host.invalid", "a..b", "x" * 64 + ".invalid", "xn--a.invalid"]
)
async def test_a_host_that_cannot_be_looked_up_was_not_sent(host, connect):
    client = connect(f"https://{host}", retry=ONCE, proxy="")

    with pytest.raises(APIConnectionError) as caught:
        await client.send(request())

    assert caught.value.delivery is NOT_SENT


async def test_an_untrusted_certificate_was_not_sent_and_is_not_tried_again(
    connect, server_tls
):
    async with RawServer(tls=server_tls) as server:
        client = connect(server, retry=RetryPolicy(reconcile=False, max_attempts=3))

        with pytest.raises(APIConnectionError, match="certificate") as caught:
            await client.send(request())

        assert caught.value.delivery is NOT_SENT
        assert not caught.value.retryable
        assert caught.value.attempts == 1
        assert server.requests == []


async def test_a_certificate_for_another_name_was_not_sent_and_not_tried_again(
    connect, server_tls, client_tls
):
    async with RawServer(tls=server_tls) as server:
        client = connect(f"https://127.0.0.1:{server.port}", ssl=client_tls)

        with pytest.raises(APIConnectionError, match="mismatch") as caught:
            await client.send(request())

        assert caught.value.delivery is NOT_SENT
        assert not caught.value.retryable
        assert server.requests == []


async def test_a_trusted_certificate_is_spoken_to(connect, server_tls, client_tls):
    async with RawServer(tls=server_tls) as server:
        result = await connect(server, ssl=client_tls).send(request())

        assert result.call_execution_count == 3


async def test_a_server_that_speaks_no_tls_was_not_sent(connect):
    async with RawServer() as server:
        url = f"https://127.0.0.1:{server.port}"
        client = connect(url, retry=ONCE, timeout=SHORT_CONNECT)

        with pytest.raises(APIConnectionError) as caught:
            await client.send(request())

        assert caught.value.delivery is NOT_SENT
        assert server.requests == []


async def test_a_tls_handshake_that_stalls_was_not_sent(connect):
    with listening() as port:
        url = f"https://127.0.0.1:{port}"
        client = connect(url, retry=ONCE, timeout=SHORT_CONNECT)

        with pytest.raises(APITimeoutError, match=r"within 0\.3 s") as caught:
            await client.send(request())

        assert caught.value.delivery is NOT_SENT


async def test_a_connection_that_is_not_established_in_time_was_not_sent(connect):
    with full_backlog() as port:
        url = f"http://127.0.0.1:{port}"
        client = connect(url, retry=ONCE, timeout=SHORT_CONNECT)

        with pytest.raises(APITimeoutError, match="no connection") as caught:
            await client.send(request())

        assert type(caught.value) is APITimeoutError
        assert caught.value.delivery is NOT_SENT


async def test_a_name_that_is_not_looked_up_in_time_was_not_sent(connect, monkeypatch):
    async def never(*_, **__):
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
    client = connect("https://api.example.org", retry=ONCE, timeout=SHORT_CONNECT)

    with pytest.raises(APITimeoutError, match=r"no connection within 0\.3") as caught:
        await client.send(request())

    assert type(caught.value) is APITimeoutError
    assert caught.value.delivery is NOT_SENT


async def test_waiting_for_a_free_connection_is_no_time_of_making_one(connect, leap):
    release = asyncio.Event()

    async def hold(got):
        await release.wait()
        return success(got)

    timeout = Timeout(connect=600, read=None, total=None)
    async with RawServer(hold) as server:
        client = connect(server, max_connections=1, timeout=timeout)
        busy = asyncio.create_task(client.send(request(1)))
        await server.until(requests=1)
        waiting = asyncio.create_task(client.send(request(2)))
        for _ in range(20):
            await asyncio.sleep(0)
        leap(1000)
        for _ in range(20):
            await asyncio.sleep(0)
        release.set()

        await asyncio.gather(busy, waiting)

        assert len(server.requests) == 2


async def test_a_server_that_never_reads_leaves_it_unknown(connect):
    with listening() as port:
        client = connect(f"http://127.0.0.1:{port}", retry=ONCE, timeout=SHORT)

        with pytest.raises(APITimeoutError, match="no response") as caught:
            await client.send(request())

        assert caught.value.delivery is UNKNOWN


async def test_a_large_body_that_nobody_reads_ends_at_the_deadline_as_unknown(
    connect, connection_acquired, leap
):
    with listening() as port:
        timeout = Timeout(read=None, total=600)
        client = connect(f"http://127.0.0.1:{port}", timeout=timeout)
        configs = [{"template_id": RUN_TEST, "config": {"x": "y" * 20_000_000}}]
        call = asyncio.create_task(client.add_eval_configs(RUN_TEST, configs))
        await connection_acquired.wait()
        leap(600)

        with pytest.raises(DeadlineExceededError) as caught:
            await call

        assert caught.value.delivery is UNKNOWN


async def test_a_large_body_that_nobody_reads_any_more_ends_at_the_read_timeout(
    connect,
):
    with listening() as port:
        timeout = Timeout(read=0.3, total=None)
        client = connect(f"http://127.0.0.1:{port}", retry=ONCE, timeout=timeout)

        with pytest.raises(
            APITimeoutError, match=r"no response within 0\.3 s"
        ) as caught:
            await client.add_eval_configs(
                RUN_TEST, [{"template_id": RUN_TEST, "config": {"x": "y" * 20_000_000}}]
            )

        assert caught.value.delivery is UNKNOWN


async def test_waiting_for_a_free_connection_until_the_deadline_was_not_sent(connect):
    async with RawServer(Reply(b"", "stall")) as server:
        client = connect(server, max_connections=1, timeout=Timeout(read=10))
        busy = asyncio.create_task(client.send(request(1)))
        await server.until(requests=1)

        with pytest.raises(DeadlineExceededError) as caught:
            await client.with_options(timeout=0.1).send(request(2))

        assert caught.value.delivery is NOT_SENT
        assert len(server.requests) == 1
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)


async def test_a_kept_connection_that_is_closed_while_sending_leaves_it_unknown(
    connect,
):
    async with RawServer(success, Reply(b"", "close"), success) as server:
        client = connect(server)
        await client.send(request(1))

        with pytest.raises(APIConnectionError) as caught:
            await client.send(request(2))

        assert caught.value.delivery is UNKNOWN
        assert [each.connection for each in server.requests] == [0, 0]
        await client.send(request(2))
        assert server.requests[-1].connection == 1


# aiohttp would send it again by itself.
async def test_a_read_on_a_kept_connection_that_goes_is_an_attempt_of_its_own(connect):
    async with RawServer(success, Reply(b"", then="reset")) as server:
        client = connect(server, retry=ONCE)
        await client.send(request(1))

        with pytest.raises(APIConnectionError) as caught:
            await client.send(GetRunTest(RUN_TEST))

        assert caught.value.attempts == 1
        assert len(server.requests) == 2


async def test_a_connection_that_was_closed_while_idle_is_replaced(connect):
    async with RawServer(lambda got: attrs.evolve(success(got), then="close")) as serv:
        client = connect(serv)
        await client.send(request(1))
        kept = client._transport._resources.backend._session.connector._conns
        async with asyncio.timeout(60):
            while any(proto.is_connected() for [(proto, _)] in kept.values()):
                await asyncio.sleep(0)

        await client.send(request(2))

        assert [each.connection for each in serv.requests] == [0, 1]


async def test_a_server_that_closes_after_the_head_leaves_it_unknown(connect):
    async def close_early(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        reset(writer)

    server = await asyncio.start_server(close_early, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        client = connect(f"http://127.0.0.1:{port}", retry=ONCE, timeout=PATIENT)

        with pytest.raises(APIConnectionError) as caught:
            await client.add_eval_configs(
                RUN_TEST, [{"template_id": RUN_TEST, "config": {"x": "y" * 9_000_000}}]
            )

    assert caught.value.delivery is UNKNOWN


async def test_an_early_no_to_a_large_body_is_understood(connect):
    async def refuse_early(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(http(413, {"error": "Too large"}))
        await writer.drain()
        try:
            await reader.read()
        finally:
            writer.close()

    server = await asyncio.start_server(refuse_early, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        client = connect(f"http://127.0.0.1:{port}", retry=ONCE, timeout=PATIENT)

        with pytest.raises(APIStatusError, match="Too large") as caught:
            await client.add_eval_configs(
                RUN_TEST, [{"template_id": RUN_TEST, "config": {"x": "y" * 900_000}}]
            )

    assert caught.value.delivery is REJECTED


BOMB = gzip.compress(b" " * 30_000_000)


@pytest.mark.parametrize(
    ("reply", "error", "delivery"),
    [
        (Reply(NO_LENGTH, endless=b"x" * 4096), ResponseTooLargeError, UNKNOWN),
        (
            Reply(CHUNKED, endless=b"1000\r\n" + b"x" * 4096 + b"\r\n"),
            ResponseTooLargeError,
            UNKNOWN,
        ),
        (
            Reply(http(200, BOMB, Content_Encoding="gzip")),
            ResponseTooLargeError,
            UNKNOWN,
        ),
        (Reply(http(400, BOMB, Content_Encoding="gzip")), BadRequestError, REJECTED),
    ],
    ids=["endless", "endless in chunks", "gzip bomb", "gzip bomb that says no"],
)
async def test_an_answer_without_end_is_read_up_to_the_limit(
    reply, error, delivery, connect, monkeypatch
):
    monkeypatch.setattr(
        "futureagi_async.transport.aiohttp_backend.MAX_RESPONSE_BYTES", 2**20
    )
    async with RawServer(reply) as server:
        client = connect(server, retry=ONCE, timeout=PATIENT)

        with pytest.raises(error) as caught:
            await client.send(request())

        assert type(caught.value) is error
        assert caught.value.delivery is delivery
        assert len(caught.value.body) <= 64 * 1024
        assert len(server.requests) == 1


async def test_the_size_limit_of_an_answer_is_named(connect, monkeypatch):
    monkeypatch.setattr(
        "futureagi_async.transport.aiohttp_backend.MAX_RESPONSE_BYTES", 2**20
    )
    async with RawServer(Reply(NO_LENGTH, endless=b"x" * 4096)) as server:
        with pytest.raises(ResponseTooLargeError, match="larger than 1 MiB"):
            await connect(server, retry=ONCE).send(request())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_no_key_leaves(status, connect):
    async with RawServer() as other:
        away = Reply(http(status, Location=f"{other.url}/elsewhere/"))
        async with RawServer(away) as server:
            with pytest.raises(APIStatusError, match="not followed") as caught:
                await connect(server).send(request())

            assert type(caught.value) is APIStatusError
            assert caught.value.status_code == status
            assert caught.value.delivery is REJECTED
            assert caught.value.attempts == 1
            assert other.url in str(caught.value)
            assert len(server.requests) == 1
        assert other.connections == 0


async def test_an_error_carries_the_request_id_that_was_sent(connect):
    async with RawServer(Reply(http(400))) as server:
        with pytest.raises(BadRequestError) as caught:
            await connect(server).send(request())

        sent = server.requests[0].header("X-Request-ID")
        assert caught.value.request_id == sent
        assert sent in str(caught.value)


async def test_an_error_adopts_the_request_id_of_the_server(connect):
    async with RawServer(Reply(http(400, X_Request_ID="of-the-server"))) as server:
        with pytest.raises(BadRequestError) as caught:
            await connect(server).send(request())

        assert caught.value.request_id == "of-the-server"


async def test_a_broken_answer_still_tells_the_request_id_of_the_server(connect):
    broken = http(200, success_body(), X_Request_ID="of-the-server")[:-10]
    async with RawServer(Reply(broken, "close")) as server:
        with pytest.raises(APIConnectionError) as caught:
            await connect(server).send(request())

        assert caught.value.request_id == "of-the-server"


async def test_an_error_without_answer_carries_the_request_id_that_was_sent(connect):
    async with RawServer(Reply(b"", "close")) as server:
        with pytest.raises(APIConnectionError) as caught:
            await connect(server).send(request())

        assert caught.value.request_id == server.requests[0].header("X-Request-ID")


async def test_a_certificate_error_has_the_cause_of_the_tls_library(
    connect, server_tls
):
    async with RawServer(tls=server_tls) as server:
        with pytest.raises(APIConnectionError) as caught:
            await connect(server).send(request())

    assert isinstance(caught.value.__cause__, ssl.CertificateError)


LATIN_1 = (
    "HTTP/1.1 302 Trouv\xe9\r\nLocation: /caf\xe9/\r\nX-Request-ID: caf\xe9\r\n"
    "Content-Length: 0\r\n\r\n"
).encode("latin-1")


async def test_an_error_shows_a_sign_for_bytes_of_the_head_that_are_no_text(connect):
    async with RawServer(Reply(LATIN_1)) as server:
        with pytest.raises(APIStatusError) as caught:
            await connect(server).send(request())

    assert caught.value.request_id == "caf\ufffd"
    assert "to /caf\ufffd/" in str(caught.value)
    assert "Trouv\ufffd" in str(caught.value)


async def test_text_beyond_ascii_in_the_head_is_kept(connect):
    async with RawServer(Reply(http("500 Erreur côté serveur"))) as server:
        with pytest.raises(ServerError, match="Erreur côté serveur"):
            await connect(server).send(request())


async def test_a_success_whose_request_id_is_no_text_is_kept_in_a_journal(
    connect, tmp_path
):
    head = b"HTTP/1.1 200 OK\r\nX-Request-ID: caf\xe9\r\nContent-Length: %d\r\n\r\n"
    reply = Reply(head % len(success_body()) + success_body())
    async with RawServer(reply) as server:
        client = connect(server)
        journal = tmp_path / "evals.db"
        first = await client.send_many([request()], journal=journal)
        again = await client.send_many([request()], journal=journal)

    assert [each.result.request_id for each in (*first, *again)] == ["caf\ufffd"] * 2
    assert len(server.requests) == 1
