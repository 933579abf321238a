"""Streams of the blocking client: how far they run ahead, and how they end."""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import pytest

from futureagi_async import (
    AddEvalConfigs,
    BatchInterruptedError,
    ClientClosedError,
    Failure,
    FutureAGI,
    GetRunTest,
    InvalidRequestError,
    NotAttempted,
    Success,
)


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from conftest import SilentServer

    from futureagi_async.emulator import Emulator

    Connect = Callable[..., FutureAGI]
    Eventually = Callable[[Callable[[], object]], None]
    InThread = Callable[..., Callable[[], Any]]


@pytest.fixture
def request_for(emulator: Emulator) -> Callable[[int], AddEvalConfigs]:
    """The request number n: an own name, on one of the run tests."""
    ids, template_id = emulator.world.run_test_ids, emulator.world.template_ids[0]

    def make(number: int) -> AddEvalConfigs:
        config = {"template_id": template_id, "name": f"tone {number}"}
        return AddEvalConfigs(ids[number % len(ids)], [config])

    return make


@pytest.mark.parametrize("max_concurrency", [None, 1, 9])
def test_every_request_has_its_outcome(
    client: FutureAGI, request_for: Any, max_concurrency: int | None
) -> None:
    requests = [request_for(n) for n in range(100)]

    with client.stream(requests, max_concurrency=max_concurrency) as outcomes:
        seen = list(outcomes)

    assert all(isinstance(each, Success) for each in seen)
    assert sorted(requests.index(each.request) for each in seen) == list(range(100))


def test_outcomes_come_in_the_order_in_which_the_requests_end(
    client: FutureAGI,
    request_for: Any,
    hold: Callable[[str], Callable[[], None]],
) -> None:
    let_go = hold(request_for(0).run_test_id)

    with client.stream([request_for(0), request_for(1)]) as outcomes:
        first = next(outcomes)
        let_go()
        rest = list(outcomes)

    assert first.request == request_for(1)
    assert [each.request for each in rest] == [request_for(0)]


def test_input_is_read_in_the_calling_thread(
    client: FutureAGI, request_for: Any
) -> None:
    threads = set()

    def requests() -> Iterator[AddEvalConfigs]:
        for n in range(50):
            threads.add(threading.current_thread())
            yield request_for(n)

    with client.stream(requests()) as outcomes:
        assert len(list(outcomes)) == 50

    assert threads == {threading.current_thread()}


def test_asynchronous_input_is_read_as_well(
    client: FutureAGI, request_for: Any
) -> None:
    async def requests() -> AsyncIterator[AddEvalConfigs]:
        for n in range(50):
            yield request_for(n)

    with client.stream(requests()) as outcomes:
        assert len(list(outcomes)) == 50


@pytest.mark.parametrize("max_concurrency", [1, 4, 32])
def test_while_nothing_is_read_little_is_sent(
    client: FutureAGI,
    emulator: Emulator,
    request_for: Any,
    eventually: Eventually,
    max_concurrency: int,
) -> None:
    read = itertools.count()

    def requests() -> Iterator[AddEvalConfigs]:
        while True:
            yield request_for(next(read))

    with client.stream(requests(), max_concurrency=max_concurrency) as outcomes:
        next(outcomes)
        with FutureAGI(
            emulator.api_key, emulator.secret_key, base_url=emulator.url
        ) as other:
            # Calls of its own until the stream has had time to send what it may.
            for n in range(30):
                other.add_eval_configs(
                    emulator.world.run_test_ids[n % 20],
                    [
                        {
                            "template_id": emulator.world.template_ids[0],
                            "name": f"other {n}",
                        }
                    ],
                )
        eventually(lambda: emulator.log.in_flight == 0)
        sent = len(emulator.log.requests) - 30

    assert sent <= max_concurrency + 1
    assert next(read) <= 4 * max_concurrency


def test_reading_makes_room(
    client: FutureAGI, emulator: Emulator, request_for: Any, eventually: Eventually
) -> None:
    endless = (request_for(n) for n in itertools.count())

    with client.stream(endless, max_concurrency=2) as outcomes:
        for count in range(1, 40):
            assert isinstance(next(outcomes), Success)
            assert len(emulator.log.requests) <= count + 2


def test_outcomes_come_while_the_input_is_slow(
    client: FutureAGI, emulator: Emulator, request_for: Any, eventually: Eventually
) -> None:
    seen: dict[Any, Any] = {}
    seen_at: list[int] = []

    def requests() -> Iterator[AddEvalConfigs]:
        for n in range(30):
            yield request_for(n)
            eventually(lambda n=n: len(emulator.log.requests) > n)
            time.sleep(0.01)  # this is what slow means
            seen_at.append(len(seen))

    with client.stream(requests()) as outcomes:
        for outcome in outcomes:
            seen[outcome.request] = outcome

    assert len(seen) == 30
    assert seen_at[-1] > 0


def test_leaving_early_leaves_nothing_running(
    connect: Connect,
    silent_server: SilentServer,
    request_for: Any,
    eventually: Eventually,
) -> None:
    client = connect(to=silent_server.url)

    def requests() -> Iterator[Any]:
        for n in range(5):
            yield request_for(n)
        eventually(lambda: silent_server.requests == 5)
        yield "no request, and so an outcome at once"

    with client.stream(requests()) as outcomes:
        assert isinstance(next(outcomes), Failure)

    eventually(lambda: silent_server.open == 0)
    assert silent_server.requests == 5


def test_an_exception_in_the_body_leaves_nothing_running(
    connect: Connect,
    silent_server: SilentServer,
    request_for: Any,
    eventually: Eventually,
) -> None:
    client = connect(to=silent_server.url)

    def requests() -> Iterator[Any]:
        yield request_for(0)
        eventually(lambda: silent_server.requests == 1)
        yield "no request, and so an outcome at once"

    with (
        pytest.raises(ZeroDivisionError),
        client.stream(requests()) as outcomes,
    ):
        next(outcomes)
        raise ZeroDivisionError

    eventually(lambda: silent_server.open == 0)


def test_after_the_end_there_is_nothing_more(
    client: FutureAGI, request_for: Any
) -> None:
    with client.stream([request_for(0)]) as outcomes:
        assert len(list(outcomes)) == 1
        assert list(outcomes) == []

    assert list(outcomes) == []


def test_after_leaving_early_there_is_nothing_more(
    client: FutureAGI, request_for: Any
) -> None:
    with client.stream([request_for(n) for n in range(20)]) as outcomes:
        next(outcomes)

    assert list(outcomes) == []


def test_without_with_it_says_how_it_is_used(
    client: FutureAGI, emulator: Emulator, request_for: Any
) -> None:
    outcomes = client.stream([request_for(0)])

    with pytest.raises(InvalidRequestError, match="is used as: with client"):
        next(outcomes)
    outcomes.__exit__(None, None, None)

    assert not emulator.log.requests


def test_a_stream_is_used_once(
    client: FutureAGI, emulator: Emulator, request_for: Any
) -> None:
    outcomes = client.stream([request_for(0)])
    with outcomes:
        list(outcomes)

    with pytest.raises(InvalidRequestError, match="once"):
        outcomes.__enter__()

    assert len(emulator.log.requests) == 1


def test_an_error_of_the_input_comes_after_what_was_done(
    client: FutureAGI, request_for: Any
) -> None:
    def requests() -> Iterator[AddEvalConfigs]:
        yield request_for(0)
        yield request_for(1)
        raise ZeroDivisionError

    seen = []
    with client.stream(requests()) as outcomes:
        with pytest.raises(BatchInterruptedError) as caught:
            seen.extend(outcomes)
        assert list(outcomes) == []

    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert [type(each) for each in seen] == [Success, Success]


def test_an_interruption_in_the_input_ends_the_stream(
    connect: Connect,
    silent_server: SilentServer,
    request_for: Any,
    eventually: Eventually,
) -> None:
    client = connect(to=silent_server.url)

    def requests() -> Iterator[AddEvalConfigs]:
        yield request_for(0)
        eventually(lambda: silent_server.requests == 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), client.stream(requests()) as outcomes:
        list(outcomes)

    eventually(lambda: silent_server.open == 0)


def test_closing_inside_a_stream_gives_each_outcome_and_then_the_reason(
    connect: Connect,
    silent_server: SilentServer,
    request_for: Any,
    eventually: Eventually,
) -> None:
    client = connect(to=silent_server.url)
    read = itertools.count()

    def requests() -> Iterator[Any]:
        yield "no request, and so an outcome at once"
        while True:
            yield request_for(next(read))

    seen: list[Any] = []
    with client.stream(requests(), max_concurrency=3) as outcomes:
        seen.append(next(outcomes))
        eventually(lambda: silent_server.requests == 2)
        client.close()
        with pytest.raises(BatchInterruptedError) as caught:
            seen.extend(outcomes)

    assert isinstance(caught.value.__cause__, ClientClosedError)
    sent = [each for each in seen[1:] if isinstance(each, Failure)]
    assert {each.request for each in sent} == {request_for(0), request_for(1)}
    assert all(isinstance(each, NotAttempted) for each in seen[1:] if each not in sent)


def test_closing_during_a_stream_gives_each_outcome_of_what_was_sent(
    connect: Connect,
    silent_server: SilentServer,
    request_for: Any,
    in_thread: InThread,
    eventually: Eventually,
) -> None:
    client = connect(to=silent_server.url)
    input_: queue.SimpleQueue[Any] = queue.SimpleQueue()
    seen: list[Any] = []

    def read() -> None:
        with client.stream(iter(input_.get, None), max_concurrency=3) as outcomes:
            seen.extend(outcomes)

    wait = in_thread(read)
    for n in range(3):
        input_.put(request_for(n))
    eventually(lambda: silent_server.requests == 3)

    client.close()
    input_.put(request_for(3))

    with pytest.raises(BatchInterruptedError) as caught:
        wait()
    assert isinstance(caught.value.__cause__, ClientClosedError)
    failed = [each for each in seen if isinstance(each, Failure)]
    assert {each.request for each in failed} == {request_for(n) for n in range(3)}
    assert all(isinstance(each.error, ClientClosedError) for each in failed)
    assert all(isinstance(each, NotAttempted) for each in seen if each not in failed)


def test_closing_ends_a_stream_over_asynchronous_input(
    connect: Connect,
    silent_server: SilentServer,
    request_for: Any,
    in_thread: InThread,
    eventually: Eventually,
) -> None:
    client = connect(to=silent_server.url)

    async def requests() -> AsyncIterator[AddEvalConfigs]:
        yield request_for(0)
        await asyncio.Event().wait()

    def read() -> list[Any]:
        seen: list[Any] = []
        with (
            pytest.raises(BatchInterruptedError, match=r"^the client was"),
            client.stream(requests()) as outcomes,
        ):
            seen.extend(outcomes)
        return seen

    wait = in_thread(read)
    eventually(lambda: silent_server.requests == 1)

    client.close()

    (outcome,) = wait()
    assert isinstance(outcome.error, ClientClosedError)


def test_two_streams_of_one_client_run_beside_each_other(
    client: FutureAGI, request_for: Any
) -> None:
    with (
        client.stream(request_for(n) for n in range(0, 40, 2)) as even,
        client.stream(request_for(n) for n in range(1, 40, 2)) as odd,
    ):
        pairs = list(zip(even, odd, strict=True))

    assert len(pairs) == 20


def test_a_client_closes_though_a_large_stream_is_not_read(
    connect: Callable[..., FutureAGI],
    emulator: Emulator,
    in_thread: Any,
    eventually: Any,
    tmp_path: Path,
) -> None:
    client = connect(max_connections=200)
    ids = itertools.cycle(emulator.world.run_test_ids)
    requests = (GetRunTest(run_test_id) for run_test_id in ids)

    with client.stream(
        requests, max_concurrency=200, journal=tmp_path / "evals.db"
    ) as outcomes:
        next(outcomes)
        eventually(lambda: outcomes._inbox.qsize() > 50)

        in_thread(client.close)()


class Query(Collection[Any]):
    """A collection that notes in which thread it is read."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows
        self.threads: set[int] = set()

    def __iter__(self) -> Iterator[Any]:
        self.threads.add(threading.get_ident())
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, row: object) -> bool:
        return row in self.rows


def test_collections_are_read_in_the_calling_thread(
    client: FutureAGI, emulator: Emulator
) -> None:
    ids = emulator.world.run_test_ids[:2]
    requests = Query([GetRunTest(run_test_id) for run_test_id in ids])
    run_tests, configs = Query(ids), Query([{"template_id": ids[0]}])

    assert len(client.send_many(requests).successes) == 2
    client.add_eval_configs_many(run_tests, configs)
    with client.stream(requests) as outcomes:
        assert len(list(outcomes)) == 2

    for query in (requests, run_tests, configs):
        assert query.threads == {threading.get_ident()}
