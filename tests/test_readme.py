"""The README is true: its examples run, its two commands are single lines."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import futureagi_async
from futureagi_async import (
    AsyncFutureAGI,
    EvaluationStatus,
    FutureAGI,
    Journal,
    RetryPolicy,
    RunNewEvals,
)
from futureagi_async.emulator import Emulator, World
from futureagi_async.journal.entry import JournalState


if TYPE_CHECKING:
    from collections.abc import Iterator


ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EVALUATING = (ROOT / "docs" / "evaluating.md").read_text(encoding="utf-8")
SIMULATING = (ROOT / "docs" / "simulating.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FAILING = (ROOT / "docs" / "when-it-fails.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(README)
CI = ROOT / ".ci" / "run"


def command(name: str) -> str:
    """Return the one line below a marker."""
    found = re.findall(
        rf"^<!-- {name} -->\n```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL
    )
    assert len(found) == 1
    lines = found[0].splitlines()
    assert len(lines) == 1
    return str(lines[0])


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The names that the examples use, on an emulator in the place of the service."""
    monkeypatch.chdir(tmp_path)  # for the journal
    world = World.synthetic(run_tests=200)
    with Emulator(world, dispatch="run", run_seconds=0.05) as emulator:
        monkeypatch.setenv("FI_API_KEY", emulator.api_key)
        monkeypatch.setenv("FI_SECRET_KEY", emulator.secret_key)
        monkeypatch.setenv("FI_BASE_URL", emulator.url)
        template_id = emulator.world.template_ids[0]
        run_test_ids = list(emulator.world.run_test_ids)
        with FutureAGI() as client:
            added = client.add_eval_configs_many(
                run_test_ids[:3], [{"template_id": template_id, "name": "earlier"}]
            )
        yield {
            "template_id": template_id,
            "run_test_id": run_test_ids[0],
            "run_test_ids": run_test_ids,
            "config_ids": {
                each.run_test_id: [c.id for c in each.result.created_eval_configs]
                for each in added.successes
            },
            "emulator": emulator,
        }


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_example_runs(number: int, names: dict[str, Any]) -> None:
    exec(compile(BLOCKS[number], f"README.md, example {number}", "exec"), names)


@pytest.mark.parametrize("example", BLOCK.findall(EVALUATING))
def test_every_example_about_evaluating_runs(
    example: str, names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    exec(example.replace("list_run_tests()", 'list_run_tests("run test 19")'), names)

    assert "Traceback" not in capsys.readouterr().out


def test_every_example_about_simulating_runs(
    names: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wait = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: wait(seconds / 1000))
    names["run_test_ids"] = names["run_test_ids"][3:6]
    for example in BLOCK.findall(SIMULATING):
        exec(example, names)

    printed = capsys.readouterr().out
    assert "True" in printed
    assert re.search(r"^completed (\d+) of \1 calls$", printed, re.MULTILINE)
    assert "calls are evaluated again ()" in printed
    assert {each.result.status for each in names["batch"].successes} == {"started"}
    assert len(names["batch"].successes) == 3


def test_every_example_about_failures_runs(names: dict[str, Any]) -> None:
    names["emulator"].faults.add("drop_after", times=1)
    retry = RetryPolicy(reconcile=False)
    with FutureAGI(retry=retry) as client:
        names["client"] = client
        names["requests"] = [
            RunNewEvals(run_test_id, ids, select_all=True)
            for run_test_id, ids in names["config_ids"].items()
        ]
        for example in BLOCK.findall(FAILING):
            exec(example, names)

    with Journal.open("evals.db") as journal:
        assert {each.state for each in journal} == {JournalState.DONE}
    assert len(names["batch"].unknown) == 1


def test_the_table_of_statuses_has_every_status_once() -> None:
    named = re.findall(r"^\| `([A-Z_]+)` \|", EVALUATING, re.MULTILINE)

    assert sorted(named) == sorted(EvaluationStatus.__members__)


def test_the_table_of_methods_has_every_method_once() -> None:
    section = README.partition("\n## Every method\n")[2].partition("\n## ")[0]
    table = "".join(re.findall(r"^\|.*\n", section, re.MULTILINE))
    public = {name for name in vars(AsyncFutureAGI) if not name.startswith("_")}

    named = re.findall(r"`(\w+)`", table)

    assert sorted(named) == sorted(public - {"aclose", "with_options"})


def test_the_house_has_every_room_once() -> None:
    rooms = [
        f"{path.name}/" if path.is_dir() else path.name
        for path in Path(futureagi_async.__file__).parent.iterdir()
        if path.suffix in {"", ".py"} and path.name.strip("_") == path.name
    ]

    drawn = re.findall(r"^[├└]── (\S+)", ARCHITECTURE, re.MULTILINE)

    assert sorted(drawn) == sorted([*rooms, "__init__.py"])


def test_the_first_example_has_eight_lines_and_prints_the_table_below_it(
    names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(BLOCKS[0].splitlines()) == 8
    (table,) = re.findall(
        r"^(?:\|.*\n)+", README.partition(BLOCKS[0])[2], re.MULTILINE
    )[:1]

    exec(BLOCKS[0].replace("support", "run test 19"), names)

    printed = capsys.readouterr().out
    assert set(table.splitlines()) <= set(printed.splitlines())


def test_the_batch_prints_what_its_comment_shows(
    names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = [each for each in BLOCKS if "print(batch)" in each]

    exec(example, names)

    assert f"print(batch)  # {capsys.readouterr().out}" in example


def test_the_stream_example_starts_each_evaluation_once(names: dict[str, Any]) -> None:
    (example,) = [each for each in BLOCKS if ".stream(" in each]
    emulator = names["emulator"]

    exec(example, names)

    assert dict(emulator.log.runs) == dict.fromkeys(names["config_ids"], 1)


def test_the_demo_is_one_line_on_a_machine_with_python_and_pip() -> None:
    line = command("demo")

    assert line.startswith("python3 -m venv .venv && ")
    assert line.endswith(" && .venv/bin/futureagi-async demo")


def test_the_command_that_the_demo_runs_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert set(project["project"]["scripts"]) == {"futureagi-async"}


def test_the_tests_are_one_line_on_a_machine_with_python_and_pip() -> None:
    line = command("tests")

    assert line.startswith("python3 -m venv .venv && ")
    assert line.endswith(" -m pytest -q -n 2 --dist loadfile -m 'not slow'")


@pytest.mark.skipif(
    shutil.which("bash") is None or not CI.exists(), reason="no bash, or no .ci/run"
)
def test_what_ci_runs_is_the_test_command_of_the_readme() -> None:
    picking = re.findall(
        r"^test_command=.*$", CI.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(picking) == 1

    picked = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f'{picking[0]}; printf %s "$test_command"'],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )

    assert picked.stdout == command("tests")
