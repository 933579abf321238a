"""The counts, times and costs of executions and calls."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from futureagi_async.emulator.rules import lookups
from futureagi_async.emulator.rules.envelope import (
    error_response,
    sdk_validation_error,
)
from futureagi_async.emulator.rules.exchange import Response, json_response
from futureagi_async.emulator.rules.forms import METRICS
from futureagi_async.emulator.rules.pagination import PageError, paginate


if TYPE_CHECKING:
    from futureagi_async.emulator.rows import Call, Execution, RunTest
    from futureagi_async.emulator.rules.context import Context


_CONVERSATION = (
    "user_wpm",
    "bot_wpm",
    "talk_ratio",
    "user_interruption_count",
    "user_interruption_rate",
    "ai_interruption_count",
    "ai_interruption_rate",
    "avg_stop_time_after_interruption_ms",
)
"""What is measured of the conversation of one call."""

_CONVERSATION_MEANS = (
    "avg_user_wpm",
    "avg_bot_wpm",
    "avg_talk_ratio",
    "avg_user_interruption_rate",
    "avg_ai_interruption_rate",
    "avg_stop_time_after_interruption_ms",
)
"""What is measured of the conversations of an execution."""

_CHAT_MEANS = (
    "avg_total_tokens",
    "avg_input_tokens",
    "avg_output_tokens",
    "avg_chat_latency_ms",
    "avg_turn_count",
    "avg_csat_score",
)
"""What is measured of the chats of an execution."""


def metrics(context: Context) -> Response:
    """Return those of one call, of one execution, or of all executions of a name."""
    query = context.query(METRICS, reject=sdk_validation_error)
    if "call_execution_id" in query:
        result = _call(*lookups.call(context, query["call_execution_id"]))
    elif "execution_id" in query:
        result = _execution(*lookups.execution(context, query["execution_id"]))
    else:
        found = lookups.executions(context, query["run_test_name"])
        try:
            page = paginate(context.request, found)
        except PageError:
            return error_response(500, "Unable to fetch simulation metrics.")
        result = page.without_links(lambda pair: _execution(*pair))
    return json_response(200, {"status": True, "result": result})


def _execution(_run_test: RunTest, execution: Execution) -> dict[str, Any]:
    """Return those of an execution; deleted calls are counted."""
    statuses = Counter(call.status for call in execution.calls)
    seconds = sum(call.duration_seconds or 0 for call in execution.calls)
    return {
        **lookups.show_execution(execution),
        "metrics": {
            "latency": {
                "avg_agent_latency_ms": 0.0,
                "avg_response_time_ms": 0.0,
                "percentiles": {},
            },
            "cost": {"total_duration_seconds": seconds},
            "conversation": dict.fromkeys(_CONVERSATION_MEANS, 0.0),
            "chat": dict.fromkeys(_CHAT_MEANS, 0.0),
            "calls": {
                "total": len(execution.calls),
                "completed": statuses["completed"],
                "failed": statuses["failed"],
                "pending": statuses["pending"],
            },
        },
    }


def _call(_run_test: RunTest, execution: Execution, call: Call) -> dict[str, Any]:
    """Return those of a call."""
    return {
        "call_execution_id": call.id,
        "execution_id": execution.id,
        "status": call.status,
        "duration_seconds": call.duration_seconds,
        **lookups.show_costs(),
        "conversation": dict.fromkeys(_CONVERSATION),
        "chat_metrics": None,
    }
