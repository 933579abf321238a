"""Work that was under way when a world began, and that the workers go on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from futureagi_async.emulator.cells import PENDING
from futureagi_async.emulator.rules.phases import (
    NOT_TALKED,
    start_calls,
    start_evaluations,
    start_pending_evaluations,
)


if TYPE_CHECKING:
    from futureagi_async.emulator.rows import Call, Execution, RunTest
    from futureagi_async.emulator.rules.workers import Workers


def resume(workers: Workers, run_test: RunTest, execution: Execution) -> None:
    """Go on with the evaluations and the calls of an execution.

    Evaluations that were asked for have pending cells; without any, what is not
    talked to its end is called, and what was talked and has no results is evaluated.
    """
    calls = execution.live_calls()
    pending = {config_id for call in calls for config_id in _pending_configs(call)}
    if pending:
        start_pending_evaluations(workers, run_test, [execution], sorted(pending))
        return
    not_talked = [call for call in calls if call.status in NOT_TALKED]
    start_calls(workers, run_test, execution, not_talked)
    talked = [call for call in calls if _is_to_be_evaluated(call)]
    start_evaluations(workers, run_test, execution, talked)


def _pending_configs(call: Call) -> list[str]:
    """Return the ids of the eval configs whose cells are pending."""
    cells = call.eval_outputs or {}
    return [config_id for config_id, cell in cells.items() if cell == PENDING]


def _is_to_be_evaluated(call: Call) -> bool:
    """Return whether a call was talked to its end and lacks results."""
    return call.status == "analyzing" or (
        call.status == "completed" and not call.eval_outputs
    )
