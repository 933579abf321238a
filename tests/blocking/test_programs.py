"""Whole programs that use the blocking client: how they end, fork and are interrupted.

Each runs as a process of its own in Python's development mode, with warnings as errors,
and has to leave its standard error empty.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import SilentServer

    from futureagi_async.emulator import Emulator

    Eventually = Callable[[Callable[[], object]], None]


PRELUDE = """
import atexit, gc, itertools, logging, os, signal, sys, threading, time
from futureagi_async import FutureAGI, AddEvalConfigs
from futureagi_async.blocking import portal

# On a busy machine a thread may be held up for long.
portal._JOIN_TIMEOUT = 30.0
# On a busy machine any step may take the 0.1 s that the development mode reports.
logging.getLogger("asyncio").setLevel(logging.ERROR)
signal.signal(signal.SIGINT, signal.default_int_handler)

RUN_TEST_ID = "00000000-0000-4000-8000-000000000000"
TEMPLATE_ID = "00000000-0000-4000-8003-000000000000"

def add(client, place=0):
    return client.send(request(place))

def request(place=0):
    run_test_id = f"{place:08x}-0000-4000-8000-000000000000"
    name = f"{os.getpid()} {time.perf_counter_ns()} {place}"
    return AddEvalConfigs(run_test_id, [{"template_id": TEMPLATE_ID, "name": name}])
"""

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


class Program:
    """A running program."""

    def __init__(self, script: str, url: str, emulator: Emulator) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "error", "-c", PRELUDE + script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ
            | {
                "FI_BASE_URL": url,
                "FI_API_KEY": emulator.api_key,
                "FI_SECRET_KEY": emulator.secret_key,
            },
        )

    def send_signal(self, which: signal.Signals) -> None:
        self.process.send_signal(which)

    def read_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip()

    def end(self) -> tuple[int, str, str]:
        """Its exit status, and the rest of what it wrote."""
        out, errors = self.process.communicate("\n", timeout=60)
        return self.process.returncode, out, errors


@pytest.fixture
def program(emulator: Emulator) -> Iterator[Callable[..., Program]]:
    started: list[Program] = []

    def start(script: str, to: str | None = None) -> Program:
        started.append(Program(script, to or emulator.url, emulator))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


ENDINGS = {
    "without_closing": "client = FutureAGI(); add(client); print('done')",
    "without_closing_in_a_cycle": """
client = FutureAGI()
client.myself = client
add(client)
print('done')
""",
    "without_use": "client = FutureAGI(); print('done')",
    "with_a_copy_only": "client = FutureAGI().with_options(timeout=9); add(client); print('done')",
    "closed_twice": """
with FutureAGI() as client:
    add(client)
    client.close()
print('done')
""",
    "after_garbage_collection": """
client = FutureAGI()
add(client)
del client
gc.collect()
while "futureagi-async" in {t.name for t in threading.enumerate()}:
    time.sleep(0.001)
print('done')
""",
    "after_garbage_collection_at_once": """
for place in range(5):
    add(FutureAGI(), place)
print('done')
""",
    "inside_a_stream": """
outcomes = FutureAGI().stream(request(n) for n in itertools.count())
outcomes.__enter__()
next(outcomes)
print('done')
""",
    "inside_with": """
client = FutureAGI().__enter__()
add(client)
print('done')
""",
    "while_a_thread_goes_on": """
def work():
    main.join()
    add(client)
    print('done')

main = threading.main_thread()
client = FutureAGI()
add(client)
threading.Thread(target=work).start()
""",
    "used_at_exit": """
client = FutureAGI()
atexit.register(lambda: (add(client), print('done')))
add(client)
""",
    "with_a_daemon_thread_at_work": """
def work():
    for place in itertools.cycle(range(20)):
        add(client, place)
        begun.set()

client, begun = FutureAGI(), threading.Event()
threading.Thread(target=work, daemon=True).start()
begun.wait()
print('done')
""",
    "with_a_daemon_thread_in_a_batch": """
def requests():
    for place in itertools.cycle(range(20)):
        yield request(place)
        begun.set()

client, begun = FutureAGI(), threading.Event()
threading.Thread(target=lambda: client.send_many(requests()), daemon=True).start()
begun.wait()
print('done')
""",
    "with_a_daemon_thread_in_a_stream": """
def work():
    with client.stream(request(n) for n in itertools.cycle(range(20))) as outcomes:
        for outcome in outcomes:
            begun.set()

client, begun = FutureAGI(), threading.Event()
threading.Thread(target=work, daemon=True).start()
begun.wait()
print('done')
""",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_program_ends_quietly(program: Callable[..., Program], ending: str) -> None:
    assert program(ENDINGS[ending]).end() == (0, "done\n", "")


def test_aiohttp_is_loaded_when_it_is_needed_but_not_in_the_loop(
    program: Callable[..., Program],
) -> None:
    running = program("""
client = FutureAGI()
print('aiohttp' in sys.modules)
client.__enter__()
print('aiohttp' in sys.modules)
""")

    assert running.end() == (0, "False\nTrue\n", "")


@pytest.mark.skipif(
    sys.version_info[:2] == (3, 12), reason="3.12 starts no thread at its end"
)
def test_a_client_may_be_made_when_the_program_ends(
    program: Callable[..., Program],
) -> None:
    running = program("""
def work():
    main.join()
    add(FutureAGI())
    print('done')

main = threading.main_thread()
threading.Thread(target=work).start()
""")

    assert running.end() == (0, "done\n", "")


def test_a_program_that_leaves_has_its_exit_status(
    program: Callable[..., Program],
) -> None:
    running = program("""
with FutureAGI() as client:
    with client.stream(request(n) for n in itertools.count()) as outcomes:
        for outcome in outcomes:
            sys.exit(3)
""")

    assert running.end() == (3, "", "")


def test_a_thread_that_leaves_does_not_end_the_client(
    program: Callable[..., Program],
) -> None:
    running = program("""
def work():
    add(client)
    sys.exit(3)

client = FutureAGI()
thread = threading.Thread(target=work)
thread.start()
thread.join()
add(client)
print('done')
""")

    assert running.end() == (0, "done\n", "")


def test_an_unhandled_exception_is_all_that_is_shown(
    program: Callable[..., Program],
) -> None:
    running = program("""
client = FutureAGI()
add(client)
1 / 0
""")

    status, out, errors = running.end()

    assert (status, out) == (1, "")
    assert errors.startswith("Traceback (most recent call last):")
    assert errors.endswith("\nZeroDivisionError: division by zero\n")
    assert errors.count("Traceback") == 1
    assert "Warning" not in errors


WAITING = {
    "a_call": "add(client)",
    "a_batch": "client.send_many([request(n) for n in range(20)])",
    "a_batch_of_a_generator": "client.send_many(request(n) for n in itertools.count())",
    "a_stream": """
    with client.stream([request(n) for n in range(20)]) as outcomes:
        next(outcomes)
""",
    "a_thread_elsewhere": """
    threading.Thread(target=add, args=(client,), daemon=True).start()
    threading.Event().wait()
""",
}


@pytest.mark.parametrize(
    "waiting", [each for each in WAITING if "elsewhere" not in each]
)
def test_ctrl_c_ends_what_waits_and_leaves_nothing_running(
    program: Callable[..., Program],
    silent_server: SilentServer,
    eventually: Eventually,
    waiting: str,
) -> None:
    running = program(
        f"""
client = FutureAGI()
try:
    {WAITING[waiting]}
except KeyboardInterrupt:
    print("interrupted", flush=True)
sys.stdin.readline()
""",
        to=silent_server.url,
    )
    eventually(lambda: silent_server.requests >= 1)

    running.send_signal(signal.SIGINT)

    assert running.read_line() == "interrupted"
    silent_server.catch_up()
    eventually(lambda: silent_server.open == 0)
    arrived = silent_server.requests
    assert running.end() == (0, "", "")
    assert silent_server.requests == arrived


@pytest.mark.parametrize("waiting", WAITING)
def test_ctrl_c_ends_the_program(
    program: Callable[..., Program],
    silent_server: SilentServer,
    eventually: Eventually,
    waiting: str,
) -> None:
    running = program(
        f"""
client = FutureAGI()
if True:
    {WAITING[waiting]}
""",
        to=silent_server.url,
    )
    eventually(lambda: silent_server.requests >= 1)

    running.send_signal(signal.SIGINT)

    status, out, errors = running.end()
    assert (status, out) == (-signal.SIGINT, "")
    assert errors.endswith("\nKeyboardInterrupt\n")
    assert errors.count("Traceback") == 1
    assert "Warning" not in errors


def test_after_ctrl_c_the_client_goes_on(
    program: Callable[..., Program], emulator: Emulator, eventually: Eventually
) -> None:
    slow = emulator.faults.add("latency", seconds=60, times=1)
    running = program("""
client = FutureAGI()
try:
    add(client)
except KeyboardInterrupt:
    add(client)
    print('done')
""")
    eventually(lambda: emulator.log.in_flight == 1)

    running.send_signal(signal.SIGINT)

    assert running.end() == (0, "done\n", "")
    assert slow is emulator.faults.active[0]


def test_sigterm_ends_the_program_as_ever(
    program: Callable[..., Program],
    silent_server: SilentServer,
    eventually: Eventually,
) -> None:
    running = program("add(FutureAGI())", to=silent_server.url)
    eventually(lambda: silent_server.requests == 1)

    running.send_signal(signal.SIGTERM)

    assert running.end() == (-signal.SIGTERM, "", "")


CHILDREN = {
    "that_calls": "add(client)",
    "that_calls_a_client_of_its_own": "add(FutureAGI())",
    "that_does_nothing": "pass",
    "that_closes": "client.close()",
    "that_forgets": "del client; gc.collect()",
    "that_sends_a_batch": """
        assert len(client.send_many(request(n) for n in range(20)).successes) == 20
""",
    "that_forks": """
        grandchild = os.fork()
        add(client)
        if grandchild:
            assert os.waitpid(grandchild, 0)[1] == 0
""",
}


@forks
@pytest.mark.parametrize("child", CHILDREN)
def test_a_forked_child_and_its_parent_leave_each_other_alone(
    program: Callable[..., Program], child: str
) -> None:
    running = program(f"""
import warnings

warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)

client = FutureAGI()
add(client)
child = os.fork()
if child:
    for n in range(5):
        add(client)
    status = os.waitpid(child, 0)[1]
    for n in range(5):
        add(client)
    print(status)
else:
    if True:
        {CHILDREN[child]}
""")

    assert running.end() == (0, "0\n", "")


@forks
def test_a_child_may_be_forked_inside_a_stream(
    program: Callable[..., Program],
) -> None:
    running = program("""
import warnings

warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)

with FutureAGI() as client:
    with client.stream(request(n) for n in range(20)) as outcomes:
        next(outcomes)
        child = os.fork()
        if child:
            assert len(list(outcomes)) == 19
    if child:
        print(os.waitpid(child, 0)[1])
""")

    assert running.end() == (0, "0\n", "")


@forks
def test_a_child_may_be_forked_while_another_thread_calls(
    program: Callable[..., Program],
    silent_server: SilentServer,
    emulator: Emulator,
    eventually: Eventually,
) -> None:
    running = program(
        f"""
import warnings

warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)

client = FutureAGI()
threading.Thread(target=add, args=(client,), daemon=True).start()
sys.stdin.readline()
child = os.fork()
if child:
    print(os.waitpid(child, 0)[1])
else:
    os.environ["FI_BASE_URL"] = {emulator.url!r}
    add(FutureAGI())
    client.close()
""",
        to=silent_server.url,
    )
    eventually(lambda: silent_server.requests == 1)

    assert running.end() == (0, "0\n", "")


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_of_a_pool_have_clients_of_their_own(
    program: Callable[..., Program], tmp_path: Any, method: str
) -> None:
    module = tmp_path / "pooled.py"
    module.write_text(
        PRELUDE
        + f"""
import multiprocessing
import warnings

warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
client = FutureAGI()

def work(place):
    return len(add(client, place).created_eval_configs)

def main():
    add(client)
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        print(sum(pool.map(work, range(6))))
        pool.close()
        pool.join()
    add(client)
"""
    )
    running = program(f"""
sys.path.insert(0, {str(tmp_path)!r})
os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
import pooled

if __name__ == "__main__":
    pooled.main()
""")

    assert running.end() == (0, "6\n", "")
