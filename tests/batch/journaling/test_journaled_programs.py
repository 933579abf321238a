"""Programs with a journaled batch: how they exit, fork and are interrupted.

Each runs in Python's development mode, with warnings as errors, and has to leave its
standard error empty but for a traceback that is its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from recorded_requests import adds, states


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


PRELUDE = """
import asyncio, logging, os, signal, sys, threading, warnings
from futureagi_async import (
    AddEvalConfigs,
    AsyncFutureAGI,
    FutureAGI,
    RetryPolicy,
)
from futureagi_async.blocking import portal

# On a busy machine a thread may be held up for long.
portal._GRACE = 30.0
# On a busy machine any step may take the 0.1 s that the development mode reports.
logging.getLogger("asyncio").setLevel(logging.ERROR)
signal.signal(signal.SIGINT, signal.default_int_handler)
warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)

journal, template_id, *ids = sys.argv[1:]
requests = [
    AddEvalConfigs(each, [{"template_id": template_id, "name": "tone"}]) for each in ids
]
retry = RetryPolicy(reconcile_after=0.05)
"""

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


@pytest.fixture
def program(emulator, journal) -> Iterator[Callable[..., Any]]:
    """Start a program that knows the requests of `adds`."""
    started = []

    def start(script: str) -> Any:
        process = subprocess.Popen(
            [
                *(sys.executable, "-X", "dev", "-W", "error", "-c", PRELUDE + script),
                *(str(journal), emulator.world.template_ids[0]),
                *emulator.world.run_test_ids,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that what it forked can be ended as well
            env=os.environ
            | {
                "FI_BASE_URL": emulator.url,
                "FI_API_KEY": emulator.api_key,
                "FI_SECRET_KEY": emulator.secret_key,
            },
        )
        started.append(process)
        return process

    yield start
    for each in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(each.pid, signal.SIGKILL)
        each.communicate()


def ended(process):
    """Exit status, output and errors of a program."""
    out, errors = process.communicate("\n", timeout=60)
    return process.returncode, out, errors


@pytest.fixture
def half_stuck(emulator):
    """Have the service never answer for half of the run tests, nor do the work."""
    stuck = emulator.world.run_test_ids[4:]
    for each in stuck:
        emulator.faults.add("latency", seconds=60, run_test_id=each)
    return stuck


@pytest.fixture
def until_stuck(emulator, journal, half_stuck, eventually_blocking):
    """Wait until all is done that will be."""

    def wait():
        eventually_blocking(
            lambda: len(emulator.log.configs) == 4 and emulator.log.in_flight == 4
        )
        eventually_blocking(lambda: list(states(journal).values()).count("DONE") == 4)

    return wait


@pytest.fixture
def assert_true(emulator, journal, half_stuck, connect_blocking):
    """Hold the journal against what was done, and do the rest."""

    def check():
        told = states(journal)
        done = {each for each in told if told[each] == "DONE"}
        assert done == set(emulator.log.configs)
        assert {told[each] for each in half_stuck} <= {"IN_FLIGHT", "UNKNOWN"}
        emulator.faults.clear()
        batch = connect_blocking().send_many(adds(emulator), journal=journal)
        assert len(batch.successes) == 8
        assert emulator.log.configs == dict.fromkeys(emulator.world.run_test_ids, 1)

    return check


WAITING = {
    "a_batch_of_a_generator": "client.send_many(iter(requests), journal=journal)",
    "a_stream": """
    with client.stream(requests, journal=journal) as outcomes:
        for outcome in outcomes:
            pass
""",
}


@pytest.mark.parametrize("waiting", ["a_batch_of_a_generator", "a_stream"])
def test_after_ctrl_c_the_same_batch_goes_on_in_the_same_program(
    waiting, program, emulator, journal, until_stuck
):
    running = program(f"""
client = FutureAGI(retry=retry)
try:
    {WAITING[waiting]}
except KeyboardInterrupt:
    print("interrupted", flush=True)
sys.stdin.readline()
batch = client.send_many(requests, journal=journal)
print(len(batch.successes), sum(each.from_journal for each in batch))
""")
    until_stuck()
    running.send_signal(signal.SIGINT)
    assert running.stdout.readline() == "interrupted\n"
    told = states(journal)
    assert {each for each in told if told[each] == "DONE"} == set(emulator.log.configs)
    emulator.faults.clear()

    assert ended(running) == (0, "8 4\n", "")
    assert emulator.log.configs == dict.fromkeys(emulator.world.run_test_ids, 1)
    assert set(states(journal).values()) == {"DONE"}


def test_ctrl_c_ends_the_program_with_its_traceback_only(
    program, until_stuck, assert_true
):
    running = program("""
client = FutureAGI(retry=retry)
client.send_many(requests, journal=journal)
""")
    until_stuck()

    running.send_signal(signal.SIGINT)

    status, out, errors = ended(running)
    assert (status, out) == (-signal.SIGINT, "")
    assert errors.endswith("\nKeyboardInterrupt\n")
    assert errors.count("Traceback") == 1
    assert "Warning" not in errors
    assert_true()


def test_ctrl_c_ends_an_asynchronous_program_with_its_traceback_only(
    program, until_stuck, assert_true
):
    running = program("""
async def main():
    async with AsyncFutureAGI(retry=retry) as client:
        await client.send_many(requests, journal=journal)

asyncio.run(main())
""")
    until_stuck()

    running.send_signal(signal.SIGINT)

    status, out, errors = ended(running)
    assert (status, out) == (-signal.SIGINT, "")
    assert errors.endswith("\nKeyboardInterrupt\n")
    assert "Warning" not in errors
    assert_true()


def test_a_program_that_fails_inside_a_stream_leaves_a_true_journal(
    program, assert_true
):
    running = program("""
client = FutureAGI(retry=retry)
outcomes = client.stream(requests, journal=journal).__enter__()
for place, outcome in enumerate(outcomes):
    if place == 3:
        1 / 0
""")

    status, out, errors = ended(running)

    assert (status, out) == (1, "")
    assert errors.endswith("\nZeroDivisionError: division by zero\n")
    assert errors.count("Traceback") == 1
    assert "Warning" not in errors
    assert_true()


@forks
def test_a_child_forked_in_a_batch_works_without_its_journal(
    program, emulator, journal
):
    running = program("""
exit_statuses = []

def fork(outcome):
    if exit_statuses:
        return
    child = os.fork()
    if not child:
        config = [{"template_id": template_id, "name": "of the child"}]
        client.add_eval_configs_many(ids, config).raise_for_failures()
        os._exit(0)
    exit_statuses.append(os.waitpid(child, 0)[1])  # meanwhile the batch continues

client = FutureAGI(retry=retry)
batch = client.send_many(
    iter(requests), journal=journal, on_outcome=fork, max_concurrency=2
)
print(len(batch.successes), exit_statuses)
""")

    assert ended(running) == (0, "8 [0]\n", "")
    assert set(states(journal).values()) == {"DONE"}
    assert set(emulator.log.configs.values()) == {2}  # one of them is the child's


@forks
def test_a_child_forked_between_batches_opens_the_journal_itself(
    program, emulator, journal
):
    running = program("""
client = FutureAGI(retry=retry)
client.send_many(requests[:4], journal=journal)
child = os.fork()
if not child:
    batch = client.send_many(requests, journal=journal)
    print(len(batch.successes), sum(each.from_journal for each in batch), flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
""")

    assert ended(running) == (0, "8 4\n", "")
    assert set(states(journal).values()) == {"DONE"}
    assert set(emulator.log.configs.values()) == {1}


@forks
def test_a_child_that_leaves_its_parents_stream_and_ends_does_no_harm(
    program, emulator, journal
):
    running = program("""
client = FutureAGI(retry=retry)
child = None
with client.stream(iter(requests), journal=journal, max_concurrency=2) as outcomes:
    first = next(outcomes)
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        print(1 + len(list(outcomes)))
""")

    assert ended(running) == (0, "8\n", "")
    assert set(states(journal).values()) == {"DONE"}
    assert set(emulator.log.configs.values()) == {1}
