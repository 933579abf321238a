"""Submitted evaluations, and the results that the emulator makes up for them."""

from __future__ import annotations

import hashlib
from collections import deque
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from futureagi_async.emulator.cells import pending


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from futureagi_async.emulator.rows import Call, EvalConfig, Execution, RunTest
    from futureagi_async.emulator.world import World


Dispatch: TypeAlias = Literal["accept", "run", "fail"]
"""`accept`: evaluations stay pending; `run`: they finish; `fail`: none is accepted."""


@attrs.frozen
class EvaluationJob:
    """Evaluations that were accepted and finish at a point in time."""

    due: float
    run_test: RunTest
    executions: Sequence[Execution]
    config_ids: Sequence[str]


@attrs.define
class Evaluations:
    """The evaluations that were accepted and are not finished.

    Nothing here waits: what is due is finished before the next request is served.

    Args:
        world: where results come from and go to.
        dispatch: what becomes of new evaluations.
        seconds: how long they take.
        jobs: the evaluations that are not finished, the first due first.
    """

    world: World
    dispatch: Dispatch = "accept"
    seconds: float = 0.5
    jobs: deque[EvaluationJob] = attrs.field(factory=deque)

    def submit(
        self,
        run_test: RunTest,
        executions: Sequence[Execution],
        config_ids: Sequence[str],
        now: float,
    ) -> None:
        """Accept evaluations; only with `run` will they finish."""
        if self.dispatch == "run":
            due = now + self.seconds
            self.jobs.append(EvaluationJob(due, run_test, executions, config_ids))

    def finish_due(self, now: float) -> None:
        """Finish what is due by now; every job takes equally long."""
        while self.jobs and self.jobs[0].due <= now:
            self.finish(self.jobs.popleft())

    def finish(self, job: EvaluationJob) -> None:
        """Store the results of one job, and complete its executions."""
        configs = [
            config
            for config_id in job.config_ids
            if (config := job.run_test.live_config(config_id))
        ]
        if not configs:
            # Nothing finishes, so that nothing looks whether all is finished.
            return
        for execution in job.executions:
            calls = execution.live_calls()
            for call in calls:
                results = {each.id: self._result(each, call) for each in configs}
                call.eval_outputs = {**(call.eval_outputs or {}), **results}
            # The service counts completed calls alone, so that an execution whose
            # calls have all failed waits for ever.
            if any(call.status == "completed" for call in calls):
                execution.status = "completed"

    def _result(self, config: EvalConfig, call: Call) -> Mapping[str, Any]:
        """Return the result of one evaluation for one call."""
        scripted = self.world.scripted_cell(config, call)
        if scripted:
            return scripted
        template = self.world.templates.get(config.template_id)
        fixed = config.on_run or (template and template.on_run)
        output_type = template.output_type if template else "Pass/Fail"
        result = fixed or synthetic_result(output_type, f"{call.id} {config.name}")
        return {**result, "name": config.name}


def erase_results(executions: Sequence[Execution], config_ids: Sequence[str]) -> None:
    """Erase earlier results of the configs, before anything is run."""
    for execution in executions:
        for call in execution.live_calls():
            erased = {config_id: pending() for config_id in config_ids}
            call.eval_outputs = {**(call.eval_outputs or {}), **erased}


_CHOICES = ("positive", "neutral", "negative")

_PASS_RATE = 0.75
"""The share of synthetic results that pass."""


def synthetic_result(output_type: str, subject: str) -> dict[str, Any]:
    """Make up a stored result; it is always the same for the same subject."""
    share = hashlib.blake2b(subject.encode(), digest_size=1).digest()[0] / 255
    value: Any
    match output_type:
        case "score" | "numeric":
            value = round(share, 2)
        case "choices":
            value = _CHOICES[int(share * (len(_CHOICES) - 1))]
        case _:
            value = "Passed" if share < _PASS_RATE else "Failed"
    return {
        "output": value,
        "reason": "Made up by the emulator; the same call and name give the same.",
        # A number is a score; the service has no other type for its results.
        "output_type": "score" if output_type == "numeric" else output_type,
        "status": "Completed",
    }
