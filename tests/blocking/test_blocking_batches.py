"""Batches of the blocking client: who reads the input, who calls back, what ends it."""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
from typing import TYPE_CHECKING, Any

import pytest

from futureagi_async import (
    AddEvalConfigs,
    BatchInterruptedError,
    ClientClosedError,
    ConfigurationError,
    Delivery,
    EvaluationInterruptedError,
    Failure,
    FutureAGI,
    InvalidRequestError,
    NotAttempted,
    RunNewEvals,
    Success,
)


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from conftest import SilentServer

    from futureagi_async.emulator import Emulator

    Connect = Callable[..., FutureAGI]
    Eventually = Callable[[Callable[[], object]], None]
    InThread = Callable[..., Callable[[], Any]]


CLOSED = (
    "the client was closed before the input was read to its end; operations in flight "
    "were completed"
)


@pytest.fixture
def request_for(emulator: Emulator) -> Callable[[int], AddEvalConfigs]:
    """The request number n: an own name, on one of the run tests."""
    ids, template_id = emulator.world.run_test_ids, emulator.world.template_ids[0]

    def make(number: int) -> AddEvalConfigs:
        config = {"template_id": template_id, "name": f"tone {number}"}
        return AddEvalConfigs(ids[number % len(ids)], [config])

    return make


def test_outcomes_are_in_the_order_of_the_input(
    client: FutureAGI, emulator: Emulator
) -> None:
    ids = list(emulator.world.run_test_ids)
    configs = [{"template_id": emulator.world.template_ids[0]}]

    added = client.add_eval_configs_many(ids, configs, max_concurrency=7)
    started = client.send_many(RunNewEvals.from_added(added))

    assert [each.run_test_id for each in added] == ids
    assert [each.run_test_id for each in started] == ids
    assert len(started.successes) == len(ids)
    assert dict(emulator.log.runs) == dict.fromkeys(ids, 1)


def test_evaluations_are_started_by_a_mapping(
    client: FutureAGI, emulator: Emulator
) -> None:
    ids = emulator.world.run_test_ids[:3]
    configs = [{"template_id": emulator.world.template_ids[0]}]
    added = client.add_eval_configs_many(ids, configs)

    batch = client.run_new_evals_many(
        {
            each.run_test_id: [c.id for c in each.result.created_eval_configs]
            for each in added.successes
        },
        select_all=True,
    )

    assert len(batch.successes) == 3


def test_one_failure_hurts_no_other(client: FutureAGI, emulator: Emulator) -> None:
    ids = [*emulator.world.run_test_ids[:2], "f" * 32]

    batch = client.add_eval_configs_many(
        ids, [{"template_id": emulator.world.template_ids[0]}]
    )

    assert [type(each) for each in batch] == [Success, Success, Failure]


def test_no_requests_make_an_empty_batch(client: FutureAGI) -> None:
    assert len(client.send_many([])) == 0
    assert len(client.send_many(iter(()))) == 0


@pytest.mark.parametrize("count", [1, 31, 32, 33, 200])
@pytest.mark.parametrize("max_concurrency", [1, 2, 32])
def test_a_generator_is_read_to_its_end(
    client: FutureAGI, request_for: Any, count: int, max_concurrency: int
) -> None:
    batch = client.send_many(
        (request_for(n) for n in range(count)), max_concurrency=max_concurrency
    )

    assert [each.request for each in batch] == [request_for(n) for n in range(count)]
    assert len(batch.successes) == count


def test_input_is_read_and_callbacks_are_called_in_the_calling_thread(
    client: FutureAGI, request_for: Any
) -> None:
    threads = set()

    def requests() -> Iterator[AddEvalConfigs]:
        for n in range(40):
            threads.add(("input", threading.current_thread()))
            yield request_for(n)

    outcomes: list[Any] = []

    def on_outcome(outcome: Any) -> None:
        threads.add(("callback", threading.current_thread()))
        outcomes.append(outcome)

    batch = client.send_many(requests(), on_outcome=on_outcome)

    here = threading.current_thread()
    assert threads == {("input", here), ("callback", here)}
    assert len(outcomes) == 40
    assert {id(each) for each in outcomes} == {id(each) for each in batch}


def test_callbacks_are_called_for_a_list_as_well(
    client: FutureAGI, request_for: Any
) -> None:
    outcomes: list[Any] = []

    batch = client.send_many(
        [request_for(n) for n in range(5)], on_outcome=outcomes.append
    )

    assert sorted(map(id, outcomes)) == sorted(map(id, batch))


def test_a_request_leaves_before_the_next_is_there(
    client: FutureAGI, emulator: Emulator, request_for: Any, eventually: Eventually
) -> None:
    def requests() -> Iterator[AddEvalConfigs]:
        for n in range(5):
            eventually(lambda n=n: len(emulator.log.requests) == n)
            yield request_for(n)

    batch = client.send_many(requests())

    assert len(batch.successes) == 5


def test_an_endless_input_is_read_little_ahead(
    connect: Connect,
    silent_server: SilentServer,
    request_for: Any,
    in_thread: InThread,
    eventually: Eventually,
) -> None:
    client, read = connect(to=silent_server.url), itertools.count()

    def requests() -> Iterator[AddEvalConfigs]:
        while True:
            yield request_for(next(read))

    batch = in_thread(lambda: client.send_many(requests(), max_concurrency=3))
    eventually(lambda: silent_server.requests == 3)
    read_until_then = next(read)
    client.close()
    with pytest.raises(BatchInterruptedError):
        batch()

    assert read_until_then <= 4 * 3


def test_a_batch_reads_asynchronous_input(client: FutureAGI, request_for: Any) -> None:
    async def requests() -> AsyncIterator[AddEvalConfigs]:
        for n in range(50):
            yield request_for(n)

    batch = client.send_many(requests())

    assert [each.request for each in batch] == [request_for(n) for n in range(50)]


def test_ids_may_come_asynchronously(client: FutureAGI, emulator: Emulator) -> None:
    async def ids() -> AsyncIterator[str]:
        for each in emulator.world.run_test_ids:
            yield each

    batch = client.add_eval_configs_many(
        ids(), [{"template_id": emulator.world.template_ids[0]}]
    )

    assert len(batch.successes) == 20


class OwnError(Exception):
    """What the caller's code raises."""


def test_an_error_of_the_input_is_told_with_what_was_done(
    client: FutureAGI, request_for: Any
) -> None:
    def requests() -> Iterator[AddEvalConfigs]:
        yield request_for(0)
        yield request_for(1)
        raise OwnError("no more")

    with pytest.raises(BatchInterruptedError, match="no more") as caught:
        client.send_many(requests())

    assert isinstance(caught.value.__cause__, OwnError)
    assert len(caught.value.batch.successes) == 2


def test_an_error_of_asynchronous_input_is_told_with_what_was_done(
    client: FutureAGI, request_for: Any
) -> None:
    async def requests() -> AsyncIterator[AddEvalConfigs]:
        yield request_for(0)
        raise TimeoutError("no more")

    with pytest.raises(BatchInterruptedError, match="no more") as caught:
        client.send_many(requests())

    assert isinstance(caught.value.__cause__, TimeoutError)
    assert len(caught.value.batch.successes) == 1


def test_an_error_of_the_callback_is_told_with_what_was_done(
    client: FutureAGI, emulator: Emulator, request_for: Any
) -> None:
    seen: list[Any] = []

    def on_outcome(outcome: Any) -> None:
        seen.append(outcome)
        raise OwnError("I cannot")

    endless = (request_for(n) for n in itertools.count())
    with pytest.raises(BatchInterruptedError, match="I cannot") as caught:
        client.send_many(endless, max_concurrency=2, on_outcome=on_outcome)

    assert isinstance(caught.value.__cause__, OwnError)
    assert len(seen) == 1
    assert seen[0] in caught.value.batch
    assert len(caught.value.batch.successes) == len(emulator.log.requests)


def test_an_error_of_the_last_callback_is_told_as_well(
    client: FutureAGI, request_for: Any
) -> None:
    def on_outcome(_: Any) -> None:
        raise OwnError("I cannot")

    with pytest.raises(BatchInterruptedError) as caught:
        client.send_many([request_for(0)], on_outcome=on_outcome)

    assert isinstance(caught.value.__cause__, OwnError)
    assert len(caught.value.batch) == 1


def test_an_error_of_the_last_progress_is_told_with_the_report(
    client: FutureAGI, emulator: Emulator
) -> None:
    def on_progress(progress: Any) -> None:
        if progress.finished:
            raise OwnError("I cannot")

    configs = [{"template_id": emulator.world.template_ids[0]}]
    with pytest.raises(EvaluationInterruptedError) as caught:
        client.evaluate(
            emulator.world.run_test_ids[:1],
            configs,
            timeout=None,
            wait=False,
            on_progress=on_progress,
        )

    assert isinstance(caught.value.__cause__, OwnError)
    assert len(caught.value.report) == 1


def test_other_iterators_are_read_in_the_calling_thread_too(
    client: FutureAGI, emulator: Emulator
) -> None:
    threads = set()

    def configs() -> Iterator[Any]:
        threads.add(threading.current_thread())
        yield {"template_id": emulator.world.template_ids[0]}

    ids = emulator.world.run_test_ids
    client.add_eval_configs(ids[0], configs())
    client.add_eval_configs_many(iter(ids[2:4]), configs=configs())

    assert threads == {threading.current_thread()}


@pytest.mark.parametrize("where", ["input", "callback"])
def test_an_interruption_in_the_callers_code_ends_the_batch(
    connect: Connect,
    silent_server: SilentServer,
    request_for: Any,
    eventually: Eventually,
    where: str,
) -> None:
    client = connect(to=silent_server.url)

    def requests() -> Iterator[Any]:
        yield request_for(0)
        eventually(lambda: silent_server.requests == 1)
        if where == "input":
            raise KeyboardInterrupt
        yield "no request, and so an outcome at once"

    def on_outcome(outcome: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.send_many(requests(), on_outcome=on_outcome)

    eventually(lambda: silent_server.open == 0)
    assert silent_server.requests == 1


def test_wrong_arguments_are_refused_before_anything_is_sent(
    connect: Connect, emulator: Emulator, request_for: Any
) -> None:
    client = connect(max_connections=4)

    with pytest.raises(InvalidRequestError):
        client.send_many(request_for(0))  # type: ignore[arg-type]  # on purpose
    with pytest.raises(InvalidRequestError):
        client.send_many([request_for(0), "no request"])  # type: ignore[list-item]  # on purpose
    with pytest.raises(InvalidRequestError):
        client.send_many([], on_outcome="no function")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ConfigurationError):
        client.send_many([request_for(0)], max_concurrency=5)
    with pytest.raises(ConfigurationError):
        client.stream([request_for(0)], max_concurrency=0)

    assert not emulator.log.requests


def test_closing_during_a_batch_leaves_an_outcome_for_each_of_a_list(
    connect: Connect,
    silent_server: SilentServer,
    request_for: Any,
    in_thread: InThread,
    eventually: Eventually,
) -> None:
    client = connect(to=silent_server.url)
    requests = [request_for(n) for n in range(60)]
    wait = in_thread(lambda: client.send_many(requests, max_concurrency=4))
    eventually(lambda: silent_server.requests == 4)

    client.close()

    batch = wait()
    assert [each.request for each in batch] == requests
    assert len(batch.unknown) == 4
    assert all(isinstance(each.error, ClientClosedError) for each in batch.unknown)
    assert all(isinstance(each, NotAttempted) for each in batch[4:])


def test_closing_does_not_wait_for_input_that_never_comes(
    connect: Connect,
    silent_server: SilentServer,
    request_for: Any,
    in_thread: InThread,
    eventually: Eventually,
) -> None:
    client = connect(to=silent_server.url)
    input_: queue.SimpleQueue[Any] = queue.SimpleQueue()
    wait = in_thread(lambda: client.send_many(iter(input_.get, None)))
    input_.put(request_for(0))
    eventually(lambda: silent_server.requests == 1)

    client.close()
    input_.put(request_for(1))

    with pytest.raises(BatchInterruptedError) as caught:
        wait()
    assert isinstance(caught.value.__cause__, ClientClosedError)
    assert str(caught.value) == CLOSED
    assert caught.value.delivery is Delivery.UNKNOWN
    assert caught.value.batch[0].request == request_for(0)
    assert silent_server.requests == 1


@pytest.mark.parametrize("read_before", [0, 1])
def test_closing_does_not_wait_for_asynchronous_input_that_never_comes(
    *,
    connect: Connect,
    silent_server: SilentServer,
    request_for: Any,
    in_thread: InThread,
    eventually: Eventually,
    read_before: int,
) -> None:
    client = connect(to=silent_server.url)
    is_waiting = threading.Event()

    async def requests() -> AsyncIterator[AddEvalConfigs]:
        for n in range(read_before):
            yield request_for(n)
        is_waiting.set()
        await asyncio.Event().wait()

    wait = in_thread(lambda: client.send_many(requests()))
    assert is_waiting.wait(60)
    eventually(lambda: silent_server.requests == read_before)

    client.close()

    with pytest.raises(BatchInterruptedError) as caught:
        wait()
    assert isinstance(caught.value.__cause__, ClientClosedError)
    assert str(caught.value) == CLOSED
    assert len(caught.value.batch.unknown) == read_before


def test_input_that_another_closed_client_ends_is_blamed_on_the_input(
    client: FutureAGI, connect: Connect
) -> None:
    other, run_test = connect(), "b968b200-c57b-5aca-9c9f-60672e3183e7"
    other.close()

    with pytest.raises(BatchInterruptedError, match=r"^the iterable .* raised"):
        client.send_many(other.get_run_test(run_test) for _ in range(2))


def test_input_that_closes_the_client_ends_itself(
    connect: Connect, silent_server: SilentServer, request_for: Any
) -> None:
    client = connect(to=silent_server.url)

    async def requests() -> AsyncIterator[AddEvalConfigs]:
        while True:
            client.close()
            yield request_for(0)

    with pytest.raises(BatchInterruptedError) as caught:
        client.send_many(requests())

    assert isinstance(caught.value.__cause__, ClientClosedError)
    assert not caught.value.batch.successes
