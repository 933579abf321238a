"""Cancelling an execution, whatever its status is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from futureagi_async.emulator.rules.exchange import Response, json_response
from futureagi_async.emulator.rules.forms import EMPTY
from futureagi_async.emulator.rules.phases import cancel_now, start_cancellation


if TYPE_CHECKING:
    from futureagi_async.emulator.rules.context import Context


def cancel(context: Context) -> Response:
    """Cancel an execution at once, or signal its workflow to do it."""
    context.body(EMPTY)
    _, execution = context.execution()
    workers = context.workers
    if workers.has_workflow(execution):
        message = "Cancellation signal sent to workflow"
        execution.status = "cancelling"
        start_cancellation(workers, execution)
    else:
        message = "Test execution cancellation initiated"
        workers.give_up(execution)
        cancel_now(workers, execution)
    return json_response(
        200,
        {"success": True, "message": message, "test_execution_id": execution.id},
    )
