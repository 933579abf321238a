"""Single calls of the blocking client: results, errors, threads, the end of a client."""

from __future__ import annotations

import asyncio
import gc
import pickle
import threading
from typing import TYPE_CHECKING, Any

import pytest

from futureagi_async import (
    AddEvalConfigs,
    AsyncFutureAGI,
    ClientClosedError,
    ConfigurationError,
    DeadlineExceededError,
    Delivery,
    FutureAGI,
    InvalidRequestError,
    NameConflictError,
    RetryPolicy,
    Timeout,
)


if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SilentServer

    from futureagi_async.emulator import Emulator

    Connect = Callable[..., FutureAGI]
    Eventually = Callable[[Callable[[], object]], None]
    InThread = Callable[..., Callable[[], Any]]


@pytest.fixture
def run_test_id(emulator: Emulator) -> str:
    return emulator.world.run_test_ids[0]


@pytest.fixture
def configs(emulator: Emulator) -> list[dict[str, Any]]:
    return [{"template_id": emulator.world.template_ids[0], "name": "tone"}]


async def test_results_are_those_of_the_asynchronous_client(
    emulator: Emulator, client: FutureAGI, configs: list[dict[str, Any]]
) -> None:
    first, second = emulator.world.run_test_ids[:2]
    async with AsyncFutureAGI(
        emulator.api_key, emulator.secret_key, base_url=emulator.url
    ) as twin:
        theirs = await twin.add_eval_configs(first, configs)
        their_ids = [each.id for each in theirs.created_eval_configs]
        their_run = await twin.run_new_evals(
            first, eval_config_ids=their_ids, select_all=True
        )

    ours = client.add_eval_configs(second, configs)
    our_ids = [each.id for each in ours.created_eval_configs]
    our_run = client.run_new_evals(second, eval_config_ids=our_ids, select_all=True)

    assert type(ours) is type(theirs)
    assert ours.message == theirs.message
    assert [c.name for c in ours.created_eval_configs] == ["tone"]
    assert our_run.call_execution_count == their_run.call_execution_count
    assert our_run.run_test_id == second
    assert emulator.log.runs[second] == emulator.log.runs[first] == 1


def test_errors_are_those_of_the_asynchronous_client(
    client: FutureAGI, run_test_id: str, configs: list[dict[str, Any]]
) -> None:
    client.add_eval_configs(run_test_id, configs)

    with pytest.raises(NameConflictError) as caught:
        client.add_eval_configs(run_test_id, configs)

    assert caught.value.delivery is Delivery.REJECTED
    assert caught.value.run_test_id == run_test_id


def test_what_is_refused_is_not_sent(client: FutureAGI, emulator: Emulator) -> None:
    with pytest.raises(InvalidRequestError):
        client.run_new_evals("no id", eval_config_ids=[], select_all=True)
    with pytest.raises(InvalidRequestError):
        client.send("no request")  # type: ignore[arg-type]  # on purpose

    assert not emulator.log.requests


def test_a_call_ends_at_its_deadline(
    *,
    connect: Connect,
    silent_server: SilentServer,
    run_test_id: str,
    configs: Any,
    in_thread: InThread,
    eventually: Eventually,
    leap: Callable[[FutureAGI, float], None],
) -> None:
    client = connect(to=silent_server.url, timeout=Timeout(read=None, total=600))
    call = in_thread(client.add_eval_configs, run_test_id, configs)
    eventually(lambda: silent_server.requests == 1)

    leap(client, 600)

    with pytest.raises(DeadlineExceededError) as caught:
        call()

    assert caught.value.delivery is Delivery.UNKNOWN


async def test_it_works_inside_a_running_loop(
    client: FutureAGI, run_test_id: str, configs: list[dict[str, Any]]
) -> None:
    loop = asyncio.get_running_loop()

    added = client.add_eval_configs(run_test_id, configs)

    assert len(added.created_eval_configs) == 1
    assert asyncio.get_running_loop() is loop


def test_many_threads_call_at_once(
    client: FutureAGI, emulator: Emulator, configs: Any, in_thread: InThread
) -> None:
    emulator.faults.add("latency", seconds=0.05)
    ids = list(emulator.world.run_test_ids)

    waits = [in_thread(client.add_eval_configs, each, configs) for each in ids]
    added = [wait() for wait in waits]

    assert [each.run_test_id for each in added] == ids
    assert emulator.log.most_in_flight > 1


def test_threads_never_write_to_one_run_test_at_the_same_time(
    client: FutureAGI,
    emulator: Emulator,
    run_test_id: str,
    configs: list[dict[str, Any]],
    in_thread: InThread,
) -> None:
    emulator.faults.add("latency", seconds=0.02)
    copy = client.with_options(retry=RetryPolicy(max_attempts=1))
    spellings = [run_test_id, run_test_id.upper(), run_test_id.replace("-", "")]

    waits = [
        in_thread(
            (client, copy)[place % 2].add_eval_configs,
            spellings[place % 3],
            [{**configs[0], "name": f"tone {place}"}],
        )
        for place in range(12)
    ]
    for wait in waits:
        wait()

    assert emulator.log.configs[run_test_id] == 12
    assert emulator.log.most_in_flight == 1


def test_a_call_from_the_clients_own_thread_is_an_error(
    client: FutureAGI, emulator: Emulator, run_test_id: str, configs: Any
) -> None:
    caught: list[ConfigurationError] = []

    async def requests() -> Any:
        try:
            client.add_eval_configs(run_test_id, configs)
        except ConfigurationError as error:
            caught.append(error)
        yield AddEvalConfigs(run_test_id, configs)

    batch = client.send_many(requests())

    assert len(batch.successes) == 1
    assert "own thread" in str(caught[0])
    assert len(emulator.log.requests) == 1


@pytest.mark.parametrize("through_with", [True, False])
def test_use_after_close_is_an_error(
    client: FutureAGI, run_test_id: str, configs: Any, through_with: bool
) -> None:
    if through_with:
        with client:
            client.add_eval_configs(run_test_id, configs)
    else:
        client.close()

    assert repr(client).endswith(" closed>")
    with pytest.raises(ClientClosedError) as caught:
        client.add_eval_configs(run_test_id, configs)
    assert caught.value.delivery is Delivery.NOT_SENT
    with pytest.raises(ClientClosedError):
        client.__enter__()
    with pytest.raises(ClientClosedError):
        client.send_many([AddEvalConfigs(run_test_id, configs)])
    with pytest.raises(ClientClosedError):
        client.stream([AddEvalConfigs(run_test_id, configs)]).__enter__()


def test_closing_twice_and_without_use_is_fine(client: FutureAGI) -> None:
    assert repr(client).endswith(" open>")

    client.close()
    client.close()

    assert repr(client).endswith(" closed>")


def test_closing_ends_the_thread(
    client: FutureAGI, run_test_id: str, configs: Any
) -> None:
    client.add_eval_configs(run_test_id, configs)
    assert [t for t in threading.enumerate() if t.name == "futureagi-async"]

    client.close()

    assert not [t for t in threading.enumerate() if t.name == "futureagi-async"]


def test_closing_during_a_call_says_what_became_of_it(
    *,
    connect: Connect,
    silent_server: SilentServer,
    run_test_id: str,
    configs: Any,
    in_thread: InThread,
    eventually: Eventually,
) -> None:
    client = connect(to=silent_server.url)
    on_the_wire = in_thread(client.add_eval_configs, run_test_id, configs)
    eventually(lambda: silent_server.requests == 1)
    waiting_its_turn = in_thread(client.add_eval_configs, run_test_id, configs)

    client.close()

    with pytest.raises(ClientClosedError) as caught:
        on_the_wire()
    assert caught.value.delivery is Delivery.UNKNOWN
    with pytest.raises(ClientClosedError) as caught:
        waiting_its_turn()
    assert caught.value.delivery is Delivery.NOT_SENT
    eventually(lambda: silent_server.open == 0)
    assert silent_server.requests == 1


def test_many_threads_close_at_once(
    client: FutureAGI, run_test_id: str, configs: Any, in_thread: InThread
) -> None:
    client.add_eval_configs(run_test_id, configs)

    for wait in [in_thread(client.close) for _ in range(8)]:
        wait()

    assert repr(client).endswith(" closed>")


def test_a_copy_works_when_only_the_copy_is_kept(
    connect: Connect, emulator: Emulator, run_test_id: str, configs: Any
) -> None:
    copy = FutureAGI(
        emulator.api_key, emulator.secret_key, base_url=emulator.url
    ).with_options(timeout=30)
    gc.collect()

    added = copy.add_eval_configs(run_test_id, configs)

    assert len(added.created_eval_configs) == 1


def test_closing_a_copy_does_nothing(
    client: FutureAGI, emulator: Emulator, configs: Any
) -> None:
    first, second = emulator.world.run_test_ids[:2]

    with client.with_options(timeout=30) as copy:
        copy.add_eval_configs(first, configs)
    copy.close()
    client.add_eval_configs(second, configs)
    client.close()

    with pytest.raises(ClientClosedError):
        copy.add_eval_configs(first, configs)


def test_options_of_a_copy_are_its_own(
    connect: Connect, silent_server: SilentServer, run_test_id: str, configs: Any
) -> None:
    client = connect(to=silent_server.url, timeout=Timeout(total=0.1))

    with pytest.raises(DeadlineExceededError, match=r"0\.2 s"):
        client.with_options(timeout=Timeout(total=0.2)).add_eval_configs(
            run_test_id, configs
        )
    with pytest.raises(DeadlineExceededError, match=r"0\.1 s"):
        client.with_options(retry=RetryPolicy(max_attempts=1)).add_eval_configs(
            run_test_id, configs
        )
    with pytest.raises(ConfigurationError):
        client.with_options(timeout=-1)


def test_a_forgotten_client_ends_its_thread(
    emulator: Emulator, run_test_id: str, configs: Any, eventually: Eventually
) -> None:
    client = FutureAGI(emulator.api_key, emulator.secret_key, base_url=emulator.url)
    client.add_eval_configs(run_test_id, configs)

    del client
    gc.collect()

    eventually(lambda: "futureagi-async" not in {t.name for t in threading.enumerate()})


def test_a_client_cannot_be_pickled(client: FutureAGI, emulator: Emulator) -> None:
    with pytest.raises(ConfigurationError) as caught:
        pickle.dumps(client)

    assert emulator.secret_key not in str(caught.value)
    assert emulator.secret_key not in repr(client)
