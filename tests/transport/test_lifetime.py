"""From the first call to the end of the process: loops, forks, signals, closing."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path
from textwrap import dedent

import pytest
from jumping_clock import on_a_jumping_clock
from raw_server import RUN_TEST, RawServer, Reply, full_backlog, http, success
from simulation import FakeSender, accepted, answer, request, simulated

from futureagi_async import (
    APIConnectionError,
    AsyncFutureAGI,
    BadRequestError,
    ClientClosedError,
    ConfigurationError,
    Delivery,
    EvalConfig,
    Failure,
    NotAttempted,
    RetryPolicy,
    Success,
    Timeout,
)


NOT_SENT, REJECTED, UNKNOWN = Delivery.NOT_SENT, Delivery.REJECTED, Delivery.UNKNOWN
HERE = Path(__file__).parents[1] / "support"


async def run_script(
    script, *arguments, server=None, until=None, send_signal=None, dev=True
):
    """Run a script in a process of its own; give its exit code, output, and errors."""
    prelude = """\
        import asyncio, gc, logging, os, signal, ssl, sys
        # It is ignored in what a shell starts in the background.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from futureagi_async import AsyncFutureAGI, Delivery, FutureAGIError
        from simulation import request
        # On a busy machine any step may take the 0.1 s that the development mode reports.
        logging.getLogger("asyncio").setLevel(logging.ERROR)
        url = sys.argv[1]
        def client(**options):
            return AsyncFutureAGI("key", "secret", base_url=url, **options)
        """
    source = dedent(prelude) + dedent(script)
    environment = {**os.environ, "PYTHONPATH": str(HERE), "PYTHONWARNINGS": ""}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(["-X", "dev", "-W", "error"] if dev else []),
        "-c",
        source,
        server.url if server else "http://127.0.0.1:1",
        *arguments,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(120):
        if until is not None:
            await server.until(requests=until)
        if send_signal is not None:
            process.send_signal(send_signal)
        out, errors = await process.communicate(b"\n")
    return process.returncode, out.decode().split(), errors.decode()


SILENT = {
    "made outside a loop, used without with": """
        c = client()
        async def main():
            await c.send(request())
        asyncio.run(main())
        """,
    "used in two loops one after the other": """
        c = client()
        for number in (1, 2):
            asyncio.run(c.send(request(number)))
        """,
    "used in a loop and closed in the next": """
        c = client()
        asyncio.run(c.send(request()))
        asyncio.run(c.aclose())
        """,
    "never used": """
        c = client()
        """,
    "forgotten in a loop that goes on": """
        async def main():
            await client().send(request())
            gc.collect()
            await asyncio.sleep(0.05)
        asyncio.run(main())
        """,
    "forgotten in a cycle": """
        async def main():
            c = client()
            c.itself = c
            await c.send(request())
            del c
            gc.collect()
            await asyncio.sleep(0.05)
        asyncio.run(main())
        """,
    "a stream left in the middle and forgotten": """
        async def main():
            stream = client().stream(request(n) for n in range(99))
            async for _ in await stream.__aenter__():
                break
        asyncio.run(main())
        """,
    "the program ends with sys.exit in the loop": """
        async def main():
            c = client()
            await c.send(request())
            sys.exit(0)
        asyncio.run(main())
        """,
    "closed twice, and by with": """
        async def main():
            async with client() as c:
                await c.send(request())
                await c.aclose()
            await c.aclose()
        asyncio.run(main())
        """,
    "a loop of its own that is ended as it should be": """
        loop = asyncio.new_event_loop()
        c = client()
        loop.run_until_complete(c.send(request()))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        del c
        """,
    "used in an asynchronous generator that is ended with the loop": """
        async def results(c):
            try:
                while True:
                    yield await c.send(request())
            finally:
                try:
                    await c.send(request())
                except FutureAGIError as error:
                    assert error.delivery is Delivery.NOT_SENT
        async def main():
            c = client()
            async for _ in results(c):
                break
        asyncio.run(main())
        """,
}


@pytest.mark.parametrize("name", SILENT)
async def test_nothing_is_printed_for_a_client(name):
    async with RawServer() as server:
        code, _, errors = await run_script(SILENT[name], server=server)

    assert (errors, code) == ("", 0)


async def test_nothing_is_printed_for_a_client_with_tls_that_was_forgotten(server_tls):
    script = """
        context = ssl.create_default_context(cafile=sys.argv[2])
        async def main():
            c = client(ssl=context)
            await asyncio.gather(*(c.send(request(n)) for n in range(3)))
        asyncio.run(main())
        """
    async with RawServer(tls=server_tls) as server:
        code, _, errors = await run_script(
            script, str(HERE / "localhost.pem"), server=server
        )

    assert (errors, code) == ("", 0)


@pytest.mark.parametrize(
    "end", ["", "loop.close()", "del c; gc.collect()", "del c; loop.close()"]
)
async def test_nothing_is_printed_for_a_loop_that_was_never_ended(end):
    script = f"""
        loop = asyncio.new_event_loop()
        c = client()
        loop.run_until_complete(c.send(request()))
        {end}
        """
    async with RawServer() as server:
        # asyncio itself has warnings for such a loop when they are switched on.
        code, _, errors = await run_script(script, server=server, dev=False)

    assert (errors, code) == ("", 0)


async def test_a_client_goes_on_in_the_next_loop_though_the_first_was_just_closed():
    script = """
        c = client()
        for number in (1, 2):
            loop = asyncio.new_event_loop()
            loop.run_until_complete(c.send(request(number)))
            loop.close()
        print("done")
        """
    async with RawServer() as server:
        code, out, errors = await run_script(script, server=server, dev=False)

    assert (errors, code, out) == ("", 0, ["done"])
    assert len(server.requests) == 2


INTERRUPTED = """
    async def main():
        c = client()
        await {call}
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print("interrupted")
    """


@pytest.mark.parametrize(
    "call",
    [
        "c.send(request())",
        "c.send_many(request(n) for n in range(99))",
        "c.stream(request(n) for n in range(99)).__aenter__(); await asyncio.sleep(99)",
    ],
)
async def test_nothing_is_printed_for_an_interrupt(call):
    async with RawServer(Reply(b"", "stall")) as server:
        code, out, errors = await run_script(
            INTERRUPTED.format(call=call),
            server=server,
            until=1,
            send_signal=signal.SIGINT,
        )

    assert (errors, code, out) == ("", 0, ["interrupted"])


async def test_nothing_is_printed_when_the_process_is_terminated():
    async with RawServer(Reply(b"", "stall")) as server:
        code, out, errors = await run_script(
            INTERRUPTED.format(call="c.send(request())"),
            server=server,
            until=1,
            send_signal=signal.SIGTERM,
        )

    assert (errors, code, out) == ("", -signal.SIGTERM, [])


async def test_a_client_dropped_in_a_running_loop_closes_its_connections(connect):
    async with RawServer() as server:
        client = AsyncFutureAGI("key", "secret", base_url=server.url)
        await client.send(request())
        assert server.open_connections == 1

        del client
        gc.collect()

        async with asyncio.timeout(60):
            while server.open_connections:
                await asyncio.sleep(0)


async def test_a_dropped_copy_closes_nothing(connect):
    async with RawServer() as server:
        client = connect(server)
        await client.with_options(timeout=5).send(request())
        gc.collect()
        async with client.with_options(timeout=5) as twin:
            await twin.send(request())
        await twin.aclose()

        await client.send(request())

        assert server.connections == 1


async def test_a_client_that_another_living_loop_uses_is_refused(connect):
    async with RawServer() as server:
        client = connect(server)
        await client.send(request())

        def elsewhere():
            with pytest.raises(ConfigurationError, match="another event loop"):
                asyncio.run(client.send(request()))

        await asyncio.to_thread(elsewhere)

        assert len(server.requests) == 1


async def test_closing_from_another_loop_refuses_what_comes(connect):
    async with RawServer() as server:
        client = connect(server)
        await client.send(request())

        await asyncio.to_thread(lambda: asyncio.run(client.aclose()))

        with pytest.raises(ClientClosedError):
            await client.send(request())


async def test_use_after_close_is_refused(connect):
    async with RawServer() as server:
        async with connect(server) as client:
            await client.send(request())
        twin = client.with_options(timeout=3)

        for each in (client, twin):
            with pytest.raises(ClientClosedError, match="make a new one") as caught:
                await each.send(request())
            assert caught.value.delivery is NOT_SENT
            with pytest.raises(ClientClosedError):
                await each.__aenter__() if each is client else await each.send_many([])
        assert "closed" in repr(client)
        assert len(server.requests) == 1


async def test_a_closed_client_runs_no_operation_and_waits_for_nothing(connect):
    async with RawServer() as server:
        client = connect(server)
        await client.send(request())
        await client.aclose()

        with pytest.raises(ClientClosedError):
            await client.ensure_eval_configs(RUN_TEST, [EvalConfig(RUN_TEST, "mood")])
        await asyncio.wait_for(client._transport.wait(asyncio.Event(), 999), 60)

        assert len(server.requests) == 1


async def test_a_new_client_says_that_it_is_open(connect):
    client = connect("http://localhost:1/api")

    assert repr(client) == "<AsyncFutureAGI http://localhost:1/api open>"


async def test_a_client_cannot_be_pickled(connect):
    with pytest.raises(ConfigurationError, match="cannot be pickled"):
        pickle.dumps(connect("http://localhost:1"))


async def closed_while(client, ready, *, run_test=None):
    """Close the client while a call is under way; give the error of the call."""
    call = asyncio.create_task(client.send(request(run_test)))
    await ready()
    await client.aclose()
    async with asyncio.timeout(60):
        with pytest.raises(ClientClosedError) as caught:
            await call
    assert not call.cancelling()
    return caught.value


async def test_closing_ends_a_call_on_the_wire_as_unknown(connect):
    async with RawServer(Reply(b"", "stall")) as server:
        error = await closed_while(connect(server), lambda: server.until(requests=1))

    assert error.delivery is UNKNOWN
    assert "during the call" in str(error)
    assert "may have been done" in str(error)


async def test_closing_ends_a_call_in_the_body_of_its_answer_as_unknown(connect):
    half = Reply(http(200, b"{}", Content_Length="9"), "stall")
    async with RawServer(half) as server:
        error = await closed_while(connect(server), lambda: server.until(requests=1))

    assert error.delivery is UNKNOWN


async def test_closing_ends_a_call_in_the_body_of_a_refusal_as_rejected(
    connect, in_the_body
):
    half = Reply(http(400, b"{}", Content_Length="9"), "stall")
    async with RawServer(half) as server:
        error = await closed_while(connect(server), in_the_body.wait)

    assert error.delivery is REJECTED


async def soon():
    for _ in range(20):
        await asyncio.sleep(0)


async def test_closing_ends_a_call_that_connects_as_not_sent(connect):
    with full_backlog() as port:
        client = connect(f"http://127.0.0.1:{port}", timeout=Timeout(connect=None))
        error = await closed_while(client, soon)

    assert error.delivery is NOT_SENT


async def test_closing_ends_a_call_that_waits_for_a_connection_as_not_sent(connect):
    async with RawServer(Reply(b"", "stall")) as server:
        client = connect(server, max_connections=1)
        busy = asyncio.create_task(client.send(request(1)))
        await server.until(requests=1)

        error = await closed_while(client, soon, run_test=2)

        assert error.delivery is NOT_SENT
        with pytest.raises(ClientClosedError):
            await busy


async def test_closing_ends_a_call_that_waits_for_its_turn_as_not_sent(connect):
    async with RawServer(Reply(b"", "stall")) as server:
        client = connect(server)
        first = asyncio.create_task(client.send(request()))
        await server.until(requests=1)

        error = await closed_while(client, soon)

        assert error.delivery is NOT_SENT
        with pytest.raises(ClientClosedError) as caught:
            await first
        assert caught.value.delivery is UNKNOWN
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "delivery"), [(429, REJECTED), (500, UNKNOWN)], ids=str
)
async def test_closing_ends_a_call_between_two_attempts(
    status, delivery, connect, caplog
):
    caplog.set_level(logging.DEBUG, logger="futureagi_async")
    script = [Reply(http(status)), Reply(http(429, Retry_After="50"))]
    async with RawServer(*script) as server:
        client = connect(server, retry=RetryPolicy(reconcile=False, retry_unknown=True))

        async def until_it_waits():
            async with asyncio.timeout(60):
                while caplog.text.count("trying again") < 2:
                    await asyncio.sleep(0.001)

        error = await closed_while(client, until_it_waits)

        assert error.delivery is delivery
        assert len(server.requests) == 2


def test_closing_in_the_moment_of_an_answer_takes_the_answer():
    async def main(reply):
        def close_now(attempt):
            client._closing = asyncio.create_task(client.aclose())
            return reply(attempt)

        async def answer_with_the_close(attempt):
            close_now(attempt)
            await asyncio.sleep(0)
            return reply(attempt)

        client = simulated(FakeSender(answer_with_the_close))
        try:
            return await client.send(request())
        finally:
            await client._closing

    assert on_a_jumping_clock(main(accepted)).call_execution_count == 3
    with pytest.raises(BadRequestError):
        on_a_jumping_clock(main(lambda _: answer(400)))


def test_closing_in_the_moment_of_a_failure_says_that_it_was_closed():
    async def main():
        async def break_with_the_close(attempt):
            await client.aclose()
            raise APIConnectionError("broke", delivery=UNKNOWN)

        client = simulated(FakeSender(break_with_the_close))
        with pytest.raises(ClientClosedError) as caught:
            await client.send(request())
        assert caught.value.delivery is UNKNOWN
        assert isinstance(caught.value.__cause__, APIConnectionError)

    on_a_jumping_clock(main())


def test_closing_twice_at_once_does_no_harm():
    async def main():
        async def stall(attempt):
            await asyncio.sleep(1000)

        sender = FakeSender(stall)
        client = simulated(sender)
        call = asyncio.create_task(client.send(request()))
        await asyncio.sleep(1)
        await asyncio.gather(client.aclose(), client.aclose())
        await client.aclose()
        with pytest.raises(ClientClosedError):
            await call
        assert sender.closed

    on_a_jumping_clock(main())


def test_closing_after_the_deadline_of_a_call_struck_changes_nothing():
    async def main():
        async def slow_to_go(attempt):
            try:
                await asyncio.sleep(1000)
            finally:
                await client.aclose()

        client = simulated(FakeSender(slow_to_go), timeout=5)
        with pytest.raises(ClientClosedError) as caught:
            await client.send(request())
        assert caught.value.delivery is UNKNOWN

    on_a_jumping_clock(main())


async def test_closing_stops_a_batch(connect):
    def close_at_third(got):
        if len(server.requests) < 3:
            return success(got)
        return Reply(b"", "stall")

    async with RawServer(close_at_third) as server:
        client = connect(server)
        work = asyncio.create_task(
            client.send_many((request(n) for n in range(20)), max_concurrency=2)
        )
        await server.until(requests=4)
        await client.aclose()
        batch = await work

    assert len(batch) == 20
    assert [type(e) for e in batch[:4]] == [Success, Success, Failure, Failure]
    assert {type(each) for each in batch[4:]} == {NotAttempted}
    assert {each.error.delivery for each in batch.failures} == {UNKNOWN}
    assert len(server.requests) == 4


fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@fork
@pytest.mark.parametrize(
    "ending", ["sys.exit(0)", "os._exit(0)", "pass"], ids=["exit", "_exit", "return"]
)
async def test_a_forked_child_makes_its_own_calls_and_leaves_the_parents(ending):
    script = f"""
        import threading
        c = client()
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        def call(number):
            work = c.send(request(number))
            return asyncio.run_coroutine_threadsafe(work, loop).result()
        call(1)
        if child := os.fork():
            assert os.waitpid(child, 0)[1] == 0
            call(3)
            print("parent")
            async def close():
                await c.aclose()
            asyncio.run_coroutine_threadsafe(close(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
        else:
            asyncio.run(c.send(request(2)))
            {ending}
        """
    async with RawServer() as server:
        code, out, errors = await run_script(script, server=server)

    assert (errors, code, out) == ("", 0, ["parent"])
    connections = {each.run_test_id[-1]: each.connection for each in server.requests}
    assert connections == {"1": 0, "2": 1, "3": 0}


@fork
async def test_a_child_forked_inside_a_loop_leaves_the_parents_connection():
    script = """
        async def main():
            asyncio.get_running_loop().slow_callback_duration = 60
            c = client()
            await c.send(request(1))
            if child := os.fork():
                assert os.waitpid(child, 0)[1] == 0
                await c.send(request(3))
                print("parent")
            else:
                if sys.argv[2] == "used":
                    import threading
                    thread = threading.Thread(
                        target=lambda: asyncio.run(c.send(request(2)))
                    )
                    thread.start()
                    thread.join()
                sys.exit(0)
        asyncio.run(main())
        """
    for use, expected in {
        "used": {"1": 0, "2": 1, "3": 0},
        "": {"1": 0, "3": 0},
    }.items():
        async with RawServer() as server:
            code, out, errors = await run_script(script, use, server=server)

        assert (errors, code, out) == ("", 0, ["parent"])
        seen = {each.run_test_id[-1]: each.connection for each in server.requests}
        assert seen == expected


@fork
async def test_a_child_does_not_wait_for_the_calls_of_its_parent():
    script = """
        import threading
        async def main():
            asyncio.get_running_loop().slow_callback_duration = 60
            c = client()
            call = asyncio.create_task(c.send(request(1)))
            await asyncio.to_thread(sys.stdin.readline)
            if child := os.fork():
                assert (await asyncio.to_thread(os.waitpid, child, 0))[1] == 0
                await call
                print("parent")
            else:
                thread = threading.Thread(
                    target=lambda: asyncio.run(c.send(request(1)))
                )
                thread.start()
                thread.join()
                os._exit(0)
        asyncio.run(main())
        """
    second = asyncio.Event()

    async def first_waits(got):
        if got.connection == 0:
            await second.wait()
        else:
            second.set()
        return success(got)

    async with RawServer(first_waits) as server:
        code, out, errors = await run_script(script, server=server, until=1)

    assert (errors, code, out) == ("", 0, ["parent"])
    assert len(server.requests) == 2


@fork
async def test_a_child_that_closes_the_client_leaves_the_parents_connection():
    script = """
        async def main():
            c = client()
            await c.send(request(1))
            if child := os.fork():
                assert os.waitpid(child, 0)[1] == 0
                await c.send(request(2))
                print("parent")
            else:
                import threading
                thread = threading.Thread(target=lambda: asyncio.run(c.aclose()))
                thread.start()
                thread.join()
                sys.exit(0)
        asyncio.run(main())
        """
    async with RawServer() as server:
        code, out, errors = await run_script(script, server=server)

    assert (errors, code, out) == ("", 0, ["parent"])
    assert [each.connection for each in server.requests] == [0, 0]


@fork
async def test_a_child_that_forgets_the_client_leaves_the_parents_connection():
    script = """
        async def main():
            c = client()
            await c.send(request(1))
            if child := os.fork():
                assert os.waitpid(child, 0)[1] == 0
                await c.send(request(2))
                print("parent")
            else:
                del c
                gc.collect()
                sys.exit(0)
        asyncio.run(main())
        """
    async with RawServer() as server:
        code, out, errors = await run_script(script, server=server)

    assert (errors, code, out) == ("", 0, ["parent"])
    assert [each.connection for each in server.requests] == [0, 0]


async def test_another_process_has_connections_and_locks_of_its_own(
    monkeypatch, connect
):
    async with RawServer(Reply(b"", "stall"), success) as server:
        client = connect(server)
        of_parent = asyncio.create_task(client.send(request(1)))
        await server.until(requests=1)
        resources = client._transport._resources
        connector = resources.backend._session.connector

        with monkeypatch.context() as child:
            child.setattr(os, "getpid", lambda: -1)
            await client.send(request(1))
            await client.aclose()
            await resources.lifetime.aclose()

        assert [each.connection for each in server.requests] == [0, 1]
        async with asyncio.timeout(20):
            while server.open_connections > 1:
                await asyncio.sleep(0.01)
        assert server.open_connections == 1
        assert not connector.closed
        of_parent.cancel()
        await asyncio.gather(of_parent, return_exceptions=True)
        await connector.close()


async def test_a_client_made_in_one_thread_works_in_another(connect):
    async with RawServer() as server:
        client = connect(server)
        results = []
        thread = threading.Thread(
            target=lambda: results.append(asyncio.run(client.send(request())))
        )
        thread.start()
        await asyncio.to_thread(thread.join)

        assert results[0].call_execution_count == 3
        await client.send(request())
