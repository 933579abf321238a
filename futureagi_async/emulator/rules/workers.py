"""The service's workers: what was handed over to them is done when its time comes."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs


if TYPE_CHECKING:
    import datetime as dt

    from futureagi_async.emulator.rows import Execution
    from futureagi_async.emulator.world import World


Dispatch: TypeAlias = Literal["accept", "run", "fail"]
"""`accept`: nobody does the work; `run`: it is done; `fail`: none is accepted."""

HAND_OVER_ERROR = "no Temporal server"
"""What the service says of work that its workflow engine does not accept."""

Process: TypeAlias = Iterator[float]
"""Work on an execution that yields the time at which it goes on."""


@attrs.define
class WorkSettings:
    """How the workers work.

    Args:
        evaluation_seconds: what one evaluation takes.
        call_seconds: what a call takes; also the preparation of a run, and what passes
            until the last call of a run or a rerun has begun.
        monitor_seconds: what passes between two looks of the monitor that sets the
            status of the executions of text agents.
        evaluations_at_once: how many evaluations are made at a time; `None`: all.
        restore_configs: whether an evaluation that ends after its eval config was
            deleted or updated stores the config as it was when it began.
    """

    evaluation_seconds: float = 0.5
    call_seconds: float = 0.5
    monitor_seconds: float = 0.5
    evaluations_at_once: int | None = None
    restore_configs: bool = False


@attrs.define
class Workers:
    """What was handed over and is not done.

    Nothing here waits: what is due is done before the next request is served.

    Args:
        world: whose rows the work changes.
        dispatch: what becomes of work that is handed over.
        settings: how it is done.
        now: the time of the step that is being done.
    """

    world: World
    dispatch: Dispatch = "accept"
    settings: WorkSettings = attrs.field(factory=WorkSettings)
    now: float = 0.0
    _due: list[tuple[float, int, str, str, Process]] = attrs.field(factory=list)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count)
    _processes: dict[str, dict[str, Process]] = attrs.field(factory=dict)
    _workflows: set[str] = attrs.field(factory=set)
    _busy: list[float] = attrs.field(factory=list)

    def start(self, execution: Execution, part: str, process: Process) -> None:
        """Begin with a process; only with `run` will it be done.

        Args:
            execution: what it works on.
            part: its name, for example the id of its call: a process of this name
                that works on the execution already is given up.
            process: the work.
        """
        if self.dispatch == "run":
            self._processes.setdefault(execution.id, {})[part] = process
            self._go_on_at(self.now, execution.id, part, process)

    def begin_workflow(self, execution: Execution) -> None:
        """Remember that a workflow has an execution until all work on it is done."""
        self._workflows.add(execution.id)

    def has_workflow(self, execution: Execution) -> bool:
        """Return whether a workflow has an execution, so that it can be signalled."""
        return execution.id in self._workflows

    def give_up(self, execution: Execution) -> None:
        """Give up all work on an execution."""
        self._processes.pop(execution.id, None)
        self._workflows.discard(execution.id)

    def is_last(self, execution: Execution, part: str) -> bool:
        """Return whether nothing but this part works on the execution."""
        return self._processes[execution.id].keys() == {part}

    def work_until(self, now: float) -> None:
        """Do what is due by now, in the order in which it is due."""
        while self._due and self._due[0][0] <= now:
            self.now, _, execution_id, part, process = heapq.heappop(self._due)
            if self._processes.get(execution_id, {}).get(part) is process:
                self._go_on(execution_id, part, process)
        self.now = now

    def evaluate(self) -> float:
        """Return when an evaluation ends that is asked for now."""
        places = self.settings.evaluations_at_once
        if places is None:
            return self.now + self.settings.evaluation_seconds
        begin = self.now
        if len(self._busy) >= places:
            begin = max(begin, heapq.heappop(self._busy))
        end = begin + self.settings.evaluation_seconds
        heapq.heappush(self._busy, end)
        return end

    def stamp(self) -> dt.datetime:
        """Return the time of a change that is being made."""
        return self.world.clock.stamp(self.now)

    def _go_on(self, execution_id: str, part: str, process: Process) -> None:
        """Do the next step of a process."""
        due = next(process, None)
        if due is not None:
            self._go_on_at(max(due, self.now), execution_id, part, process)
            return
        parts = self._processes.get(execution_id, {})
        if parts.get(part) is process:
            del parts[part]
        if not parts:
            self._processes.pop(execution_id, None)
            self._workflows.discard(execution_id)

    def _go_on_at(
        self, due: float, execution_id: str, part: str, process: Process
    ) -> None:
        """Have a process go on at some time."""
        number = next(self._numbers)
        heapq.heappush(self._due, (due, number, execution_id, part, process))
