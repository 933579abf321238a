"""A stream of evaluations takes as much memory for many run tests as for a few."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import streaming_child
from streaming_child import MAX_EVALUATING


if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.slow

STREAMED = int(os.environ.get("FUTUREAGI_TEST_STREAMED", "0"))
"""How many run tests the long session streams; the daily tests leave it out."""

LONG_EARLY = 2_000
"""The few that the many are held against, in the long session."""

COUNT, EARLY = 250, 100
"""As many as show what a run test leaves behind, once all is loaded."""

LEFT_BEHIND = 300.0
"""Bytes that a run test may leave behind: of 3,000 it is 8, more is chance. A stored
evaluation takes three times as much."""

PEAK = 4 * 2**20
"""Bytes that the many may add to the peak: what an allocator does by itself."""

SECONDS = "0.5"
"""How long an evaluation takes: until all that may be in progress have been started."""

CHILD = pathlib.Path(streaming_child.__file__)


@pytest.fixture
def service() -> Iterator[Any]:
    """Emulators in processes of their own; they give the environment of a client."""
    running: list[subprocess.Popen[str]] = []

    def start(run_tests: int) -> dict[str, str]:
        emulator = subprocess.Popen(
            [
                *(sys.executable, "-m", "futureagi_async.emulator", "--port", "0"),
                *("--run-tests", str(run_tests), "--run-seconds", SECONDS),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(emulator)
        assert emulator.stdout is not None
        lines = [emulator.stdout.readline() for _ in range(4)][1:]
        return dict(line.strip().split("=", 1) for line in lines)

    yield start
    for each in running:
        each.terminate()
        each.communicate()


def streamed(
    way: str,
    count: int,
    early: int,
    service: Any,
    *,
    trace: bool = False,
    rerun: bool = False,
) -> Any:
    """What a process reports that has streamed so many."""
    flags = "trace" * trace, "rerun" * rerun
    child = subprocess.run(
        [sys.executable, CHILD, way, str(count), str(early), *flags],
        env=os.environ | service(count),
        check=True,
        capture_output=True,
        text=True,
    )
    result = json.loads(child.stdout)
    assert result["taken"] == count
    assert result["unscored"] == 0
    return result


@pytest.mark.parametrize(
    ("way", "rerun"), [("async", False), ("async", True), ("blocking", False)]
)
def test_a_stream_holds_max_in_progress_run_tests_and_stores_none(way, rerun, service):
    result = streamed(way, COUNT, EARLY, service, trace=True, rerun=rerun)

    assert result["most_held"] == MAX_EVALUATING
    few, many = (sample["traced"] for sample in result["samples"])
    assert (many - few) / (COUNT - EARLY) < LEFT_BEHIND


@pytest.mark.skipif(not STREAMED, reason="takes minutes: nox -s proof")
@pytest.mark.parametrize("way", ["async", "blocking"])
def test_the_peak_of_a_stream_does_not_grow_with_its_length(
    way, service, capsys: pytest.CaptureFixture[str]
):
    result = streamed(way, STREAMED, LONG_EARLY, service)

    few, many = (sample["peak"] for sample in result["samples"])
    with capsys.disabled():
        print(
            f"\n{way}: peak {few / 2**20:.1f} MiB after {LONG_EARLY} run tests, "
            f"{many / 2**20:.1f} MiB after {STREAMED}"
        )
    assert few, "the peak can be read on Linux only"
    assert many - few < PEAK
