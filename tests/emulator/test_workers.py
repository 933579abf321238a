"""Processes that follow one another on the same part of an execution."""

from __future__ import annotations

from futureagi_async.emulator import World
from futureagi_async.emulator.rules.workers import Workers


def test_a_process_that_is_followed_by_another_ends_without_it():
    world = World.synthetic(run_tests=1)
    execution = world.run_tests.get(world.run_test_ids[0]).executions[0]
    workers = Workers(world, "run")
    done = []

    def second():
        done.append("second")
        yield 5.0
        done.append("end")

    def first():
        yield 1.0
        workers.start(execution, "part", second())
        done.append("first")

    workers.start(execution, "part", first())
    workers.work_until(2.0)
    assert workers.is_last(execution, "part")
    workers.work_until(9.0)

    assert done == ["first", "second", "end"]
