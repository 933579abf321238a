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

from futureagi_async.emulator.__main__ import emulator_of, main, parser


@pytest.fixture(autouse=True)
def _threshold():
    """The command is made for a process of its own; this one gets its setting back."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


class StopsWhenReady:
    """A standard output that asks the command to stop once it has said everything."""

    def __init__(self, stop):
        self.stop = stop
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        os.kill(os.getpid(), self.stop)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_says_what_to_set_and_stops_when_told(monkeypatch, stop):
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


def test_a_world_may_come_from_a_file(tmp_path):
    path = tmp_path / "world.json"
    path.write_text(json.dumps(small_world()))

    emulator = emulator_of(
        parser().parse_args(["--world", str(path), "--latency", "0.05"])
    )

    assert emulator.api_key == "key-owner"
    assert emulator.latency == 0.05


@pytest.mark.parametrize(
    "arguments", [["--world", "no/such/file"], ["--run-tests", "-1"]]
)
def test_what_cannot_be_served_is_told_in_one_line(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("emulator: ")


def test_the_module_is_the_command(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["emulator", "--run-tests", "-1"])

    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(emulator_of.__code__.co_filename, run_name="__main__")

    assert stopped.value.code == 2


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_as_a_process_it_leaves_no_trace(stop):
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
