"""Jobs in a process of their own that is killed while they are under way."""

from __future__ import annotations

import contextlib
import math
import time
from typing import TYPE_CHECKING

import attrs
import evaluating_child


if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from evaluating_child import End, Job

    from futureagi_async.emulator.log import Log


LATEST = 0.4
"""The latest moment of a kill, in seconds from the beginning."""

MOST_RUNS = 20
"""How many evaluations may be started before a kill that waits for that."""

ENOUGH = 60.0
"""Seconds after which a child that has not ended is stuck."""


@contextlib.contextmanager
def started(processes, target: Callable[..., None], job: Job):
    """Start a child that runs the job; yield it and the pipe that it sends to."""
    receiver, sender = processes.Pipe(duplex=False)
    child = processes.Process(target=target, args=(job, sender))
    child.start()
    sender.close()
    try:
        yield child, receiver
    finally:
        child.join(ENOUGH)
        child.kill()
        child.join()
        receiver.close()


def message(receiver):
    """Return the next message of a child."""
    assert receiver.poll(ENOUGH), "the child is stuck"
    with contextlib.suppress(EOFError):  # it has failed
        return receiver.recv()
    raise AssertionError("the child failed; see its traceback")


@attrs.frozen
class Moment:
    """When a job is to be struck."""

    log: Log
    latest: float
    runs: float

    @classmethod
    def of(cls, rng: random.Random, log: Log) -> Moment:
        """At random, or as soon as some more evaluations were started."""
        if rng.random() < 0.5:
            return cls(log, time.monotonic() + rng.uniform(0.0, LATEST), math.inf)
        more = rng.randint(1, MOST_RUNS)
        return cls(log, math.inf, log.runs.total() + more)

    def comes_before_the_end(self, receiver) -> bool:
        """Wait for it, or until the job has sent a message."""
        while not receiver.poll(0.001):
            if time.monotonic() >= self.latest or self.log.runs.total() >= self.runs:
                return True
        return False


def run_until_killed(
    processes, job: Job, moment: Callable[[], Moment] | None
) -> list[End] | None:
    """Run the job in a child; return its evaluations, or `None` if it was killed before."""
    with started(processes, evaluating_child.carry_out, job) as (child, receiver):
        assert message(receiver) == "started"
        if moment is None or not moment().comes_before_the_end(receiver):
            return message(receiver)
        child.kill()
        return None
