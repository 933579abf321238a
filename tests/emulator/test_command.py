"""`python -m futureagi_async.emulator`, as a user starts and stops it."""

from __future__ import annotations

import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import urllib.request

import pytest
from emulator_small_world import small_world

from futureagi_async.emulator.__main__ import argument_parser, create_emulator, main
from futureagi_async.emulator.rules.workers import WorkSettings


@pytest.fixture(autouse=True)
def _gc_threshold():
    """Restore a setting that the command changes, since it has a process of its own."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


class StopsWhenReady:
    """A standard output that asks the command to stop once everything is printed."""

    def __init__(self, stop):
        self.stop = stop
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        os.kill(os.getpid(), self.stop)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_the_settings_and_stops_on_a_signal(monkeypatch, stop):
    out = StopsWhenReady(stop)
    monkeypatch.setattr(sys, "stdout", out)

    status = main(["--port", "0", "--run-tests", "7"])

    monkeypatch.undo()
    lines = out.text.splitlines()
    assert status == 0
    assert lines[0].startswith("emulator: 7 run tests on http://127.0.0.1:")
    assert lines[1].startswith("FI_BASE_URL=http://127.0.0.1:")
    assert lines[2:] == [
        "FI_API_KEY=emulator-api-key-0",
        "FI_SECRET_KEY=emulator-secret-key-0",
    ]


def test_options_say_how_the_workers_work():
    options = "--run-seconds 1 --call-seconds 2 --monitor-seconds 3"

    emulator = create_emulator(
        argument_parser().parse_args([*options.split(), "--evaluations-at-once", "4"])
    )

    assert emulator.state.service.workers.settings == WorkSettings(1, 2, 3, 4)


@pytest.mark.parametrize("number", ["0", "many"])
def test_at_least_one_evaluation_is_made_at_a_time(number, capsys):
    with pytest.raises(SystemExit):
        main(["--evaluations-at-once", number])

    assert "a whole number from 1" in capsys.readouterr().err


def test_a_world_may_come_from_a_file(tmp_path):
    path = tmp_path / "world.json"
    path.write_text(json.dumps(small_world()))

    emulator = create_emulator(
        argument_parser().parse_args(["--world", str(path), "--latency", "0.05"])
    )

    assert emulator.api_key == "key-owner"
    assert emulator._latency == 0.05


@pytest.mark.parametrize("world", ["no/such/file", __file__])
def test_a_world_that_cannot_be_loaded_is_reported_in_one_line(world, capsys):
    assert main(["--world", world]) == 2
    message = capsys.readouterr().err
    assert message.startswith("emulator: ")
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--port", "99999", "a whole number from 0 to 65535"),
        ("--port", "-1", "a whole number from 0 to 65535"),
        ("--port", "http", "a whole number from 0 to 65535"),
        ("--run-tests", "5000000000", "a whole number from 0 to 4294967296"),
        ("--executions", "-1", "a whole number from 0 to 65536"),
        ("--calls", "1.5", "a whole number from 0 to 4096"),
        ("--seed", "-1", "a whole number from 0 to 281474976710655"),
        ("--run-seconds", "nan", "a finite number of seconds from 0"),
        ("--run-seconds", "-1", "a finite number of seconds from 0"),
        ("--latency", "inf", "a finite number of seconds from 0"),
        ("--latency", "soon", "a finite number of seconds from 0"),
    ],
)
def test_an_invalid_number_is_reported_with_the_expected_range(
    option, value, expected, capsys
):
    with pytest.raises(SystemExit) as stopped:
        main([option, value])

    assert stopped.value.code == 2
    *_, message = capsys.readouterr().err.splitlines()
    assert message.endswith(
        f"error: argument {option}: {expected} is expected, not {value!r}"
    )


def test_the_module_runs_as_a_script(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["emulator", "--run-tests", "-1"])

    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(create_emulator.__code__.co_filename, run_name="__main__")

    assert stopped.value.code == 2


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_process_stops_without_errors(stop):
    process = subprocess.Popen(
        [sys.executable, "-m", "futureagi_async.emulator", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = [process.stdout.readline() for _ in range(4)]
    url = lines[1].strip().removeprefix("FI_BASE_URL=")
    with urllib.request.urlopen(f"{url}/health/") as answer:
        assert answer.status == 200

    process.send_signal(stop)
    _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (0, "")
