"""`futureagi-async`: its options, its messages, its exit status."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import futureagi_async
from futureagi_async import FutureAGI
from futureagi_async.cli import main
from futureagi_async.cli.app import app
from futureagi_async.emulator import Emulator


if TYPE_CHECKING:
    from collections.abc import Iterator


COMMAND = (
    "import sys; from futureagi_async.cli import main; "
    "sys.argv[0] = 'futureagi-async'; main()"
)


ADDING = {"endpoint": "add_eval_configs"}


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments)


def command(*arguments: str) -> list[str]:
    """The command as a process of its own, in which warnings are errors."""
    return [sys.executable, "-W", "error", "-c", COMMAND, *arguments]


def row(table: str, name: str) -> str:
    """Return the number in a row of a summary."""
    found = re.findall(rf"\b{name}\W+([\d.]+)", table)
    assert len(found) == 1, table
    return str(found[0])


def test_the_version_is_printed() -> None:
    shown = run("--version")

    assert shown.exit_code == 0
    assert shown.stdout == f"{futureagi_async.__version__}\n"


def test_without_arguments_the_commands_are_listed() -> None:
    shown = run()

    assert "demo" in shown.output
    assert "emulator" in shown.output


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ({"typer"}, "typer not installed"),
        ({"rich"}, "rich not installed"),
        ({"typer", "rich"}, "typer and rich not installed"),
    ],
)
def test_without_the_extra_it_prints_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, missing: set[str], named: str
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name in missing else find(name),
    )

    with pytest.raises(SystemExit) as left:
        main()

    assert str(left.value.code).startswith(f"futureagi-async: {named}; ")
    assert "pip install 'futureagi-async[cli]'" in str(left.value.code)


def test_with_the_extra_it_runs_the_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["futureagi-async", "--version"])

    with pytest.raises(SystemExit) as left:
        main()

    assert left.value.code == 0
    assert capsys.readouterr().out == f"{futureagi_async.__version__}\n"


def test_the_demo_evaluates_and_shows_scores() -> None:
    shown = run("demo", "--run-tests", "12", "--latency", "0", "--max-concurrency", "4")

    assert shown.exit_code == 0, shown.output
    assert "12 run tests" in shown.stdout
    assert row(shown.stdout, "run tests") == "12"
    assert row(shown.stdout, "scored") == "12"
    assert row(shown.stdout, "configs created") == "24"
    assert int(row(shown.stdout, "calls evaluated")) > 0
    assert row(shown.stdout, "failures") == "0"
    assert "and 7 more" in shown.stdout
    assert len(re.findall(r"run test \d+ .*contains .*% pass", shown.stdout)) == 5


def test_the_demo_can_use_more_connections_than_the_default() -> None:
    shown = run(
        "demo", "--run-tests", "3", "--latency", "0", "--max-concurrency", "150"
    )

    assert shown.exit_code == 0, shown.output


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("--run-tests", "5000000000", "4294967296"),
        ("--latency", "-1", "from 0 to 10"),
        ("--latency", "inf", "from 0 to 10"),
        ("--latency", "nan", "from 0 to 10"),
    ],
)
def test_the_demo_rejects_invalid_numbers(
    option: str, value: str, allowed: str
) -> None:
    shown = run("demo", option, value)

    assert shown.exit_code == 2
    assert f"Invalid value for '{option}'" in shown.output
    assert allowed in shown.output


def test_the_emulator_command_rejects_what_its_module_rejects() -> None:
    ended = run("emulator", "--port", "99999")

    assert ended.exit_code == 2
    assert "argument --port: a whole number from 0 to 65535" in ended.output


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return the list of faults of the emulators that the demo starts."""
    settings: list[dict[str, Any]] = []

    class FaultyEmulator(Emulator):
        async def start(self) -> None:
            for fault in settings:
                self.faults.add(**fault)
            await super().start()

    monkeypatch.setattr("futureagi_async.cli.demo.Emulator", FaultyEmulator)
    return settings


def test_the_demo_fails_when_something_failed(faults: list[dict[str, Any]]) -> None:
    faults.append({"fault": "status", "status": 403, "times": 1, **ADDING})

    shown = run("demo", "--run-tests", "5", "--latency", "0")

    assert shown.exit_code == 1
    assert row(shown.stdout, "failures") == "1"
    assert row(shown.stdout, "configs created") == "8"
    assert shown.stdout.count("failed: 403") == 1


def test_the_demo_prints_ten_failures_at_most(faults: list[dict[str, Any]]) -> None:
    faults.append({"fault": "status", "status": 403, **ADDING})

    shown = run("demo", "--run-tests", "12", "--latency", "0")

    assert shown.exit_code == 1
    assert row(shown.stdout, "failures") == "12"
    assert shown.stdout.count("failed: 403") == 10


@pytest.mark.slow
def test_the_demo_runs_as_a_process() -> None:
    ended = subprocess.run(
        command("demo", "--run-tests", "5", "--latency", "0"),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.returncode == 0
    assert row(ended.stdout, "configs created") == "10"
    assert ended.stderr == ""


@pytest.fixture
def serving() -> Iterator[Any]:
    """Start the emulator's command; return it and the settings that it prints."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
        process = subprocess.Popen(
            command("emulator", *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        lines = [process.stdout.readline().rstrip() for _ in range(3)]
        return process, dict(line.split("=", 1) for line in lines)

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_emulator_serves_until_a_signal_stops_it(
    serving: Any, end: signal.Signals
) -> None:
    process, settings = serving("--port", "0", "--run-tests", "3")
    client = FutureAGI(
        settings["FI_API_KEY"],
        settings["FI_SECRET_KEY"],
        base_url=settings["FI_BASE_URL"],
    )

    with client:
        added = client.add_eval_configs(
            "00000000-0000-4000-8000-000000000000",
            [{"template_id": "00000000-0000-4000-8003-000000000000"}],
        )
        process.send_signal(end)
        output, errors = process.communicate(timeout=60)

    assert len(added.created_eval_configs) == 1
    assert process.returncode == 0
    assert (output, errors) == ("", "")


def test_the_emulator_command_passes_its_arguments_to_its_module(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: list[Any] = []
    monkeypatch.setattr(
        "futureagi_async.emulator.__main__.main",
        lambda arguments, program: taken.append((arguments, program)) or 7,
    )
    arguments = "--port 8400 --run-tests 100 --dispatch run --latency 0.05 --world FILE"

    ended = run("emulator", *arguments.split())

    assert taken == [(arguments.split(), "futureagi-async emulator")]
    assert ended.exit_code == 7


def test_the_help_of_the_emulator_lists_its_options(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended = run("emulator", "--help")

    assert ended.exit_code == 0
    for option in ("--port", "--run-tests", "--dispatch", "--latency", "--world"):
        assert option in ended.output
