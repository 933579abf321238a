"""What becomes of evaluations once they are asked for."""

from __future__ import annotations

import hashlib
from collections import deque
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from futureagi_async.emulator.rows import Call, EvalConfig, Execution, RunTest
    from futureagi_async.emulator.world import World


Dispatch: TypeAlias = Literal["accept", "run", "fail"]
"""`accept`: evaluations stay pending; `run`: they finish; `fail`: none is taken."""


@attrs.frozen
class Job:
    """Evaluations that were taken and will be done at a moment."""

    due: float
    run_test: RunTest
    executions: Sequence[Execution]
    config_ids: Sequence[str]


@attrs.define
class Evaluations:
    """The evaluations that have been taken and are not done yet.

    Nothing here waits: what is due is finished when the next request looks.

    Args:
        templates: Where results come from.
        dispatch: What becomes of new evaluations.
        seconds: How long they take.
    """

    world: World
    dispatch: Dispatch = "accept"
    seconds: float = 0.5
    jobs: deque[Job] = attrs.field(factory=deque)

    def take(
        self,
        run_test: RunTest,
        executions: Sequence[Execution],
        config_ids: Sequence[str],
        now: float,
    ) -> None:
        """Evaluations were handed over; with `accept` that is the end of it."""
        if self.dispatch == "run":
            job = Job(now + self.seconds, run_test, executions, config_ids)
            self.jobs.append(job)

    def finish_due(self, now: float) -> None:
        """Does what should be done by now; every job takes equally long."""
        while self.jobs and self.jobs[0].due <= now:
            self.finish(self.jobs.popleft())

    def finish(self, job: Job) -> None:
        """The results of one job, and its executions completed."""
        configs = [
            config
            for config_id in job.config_ids
            if (config := job.run_test.live_config(config_id))
        ]
        for execution in job.executions:
            for call in execution.calls:
                for config in configs:
                    call.eval_outputs[config.id] = self.result(config, call)
            # The service looks at completed calls alone, so that an execution whose
            # calls have all failed waits for ever.
            if any(call.status == "completed" for call in execution.calls):
                execution.status = "completed"

    def result(self, config: EvalConfig, call: Call) -> Mapping[str, Any]:
        """What one evaluation yields for one call."""
        template = self.world.templates.get(config.template_id)
        given = config.on_run or (template and template.on_run)
        output_type = template.output_type if template else "Pass/Fail"
        result = given or made_up(output_type, f"{call.id} {config.name}")
        return {**result, "name": config.name}


def prepare(executions: Sequence[Execution], config_ids: Sequence[str]) -> None:
    """Earlier results of the configs are erased at once, before anything is run."""
    for execution in executions:
        for call in execution.calls:
            for config_id in config_ids:
                call.eval_outputs[config_id] = {}


CHOICES = ("positive", "neutral", "negative")


def made_up(output_type: str, subject: str) -> dict[str, Any]:
    """A result for want of a real evaluation: always the same for the same subject."""
    share = hashlib.blake2b(subject.encode(), digest_size=1).digest()[0] / 255
    value: Any
    match output_type:
        case "score" | "numeric":
            value = round(share, 2)
        case "choices":
            value = CHOICES[int(share * (len(CHOICES) - 1))]
        case _:
            value = "Passed" if share < PASS_RATE else "Failed"
    return {
        "value": value,
        "reason": "Made up by the emulator; the same call and name give the same.",
        # A number is a score; the service has no other type for its results.
        "type": "score" if output_type == "numeric" else output_type,
        "error": False,
        "status": "Completed",
        "skipped": False,
    }


PASS_RATE = 0.75
"""The share of made-up results that pass."""
