"""One execution with its calls, without their transcripts, in pages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from futureagi_async.emulator.rules import presentation
from futureagi_async.emulator.rules.envelope import RejectedError, error_response
from futureagi_async.emulator.rules.exchange import Response, json_response
from futureagi_async.emulator.rules.forms import EXECUTION_DETAIL
from futureagi_async.emulator.rules.pagination import PageError, paginate
from futureagi_async.emulator.rules.row_filters import select_calls
from futureagi_async.emulator.rules.times import show_time


if TYPE_CHECKING:
    from collections.abc import Mapping

    from futureagi_async.emulator.rows import Call, Execution, RunTest, Snapshot
    from futureagi_async.emulator.rules.context import Context


_PAGE_SIZE = 30
"""The calls of a page in the count of pages of a response past the last one; real pages
have fewer."""


def execution_detail(context: Context) -> Response:
    """Return an execution with a page of its calls; an unknown one is a 500."""
    query = context.query(EXECUTION_DETAIL)
    try:
        run_test, execution = context.execution()
    except RejectedError:
        return error_response(
            500,
            "Failed to retrieve test execution: "
            "No TestExecution matches the given query.",
        )
    calls, errors = select_calls(run_test, execution, query)
    head = {
        "column_order": _columns(run_test),
        "error_messages": errors,
        "status": execution.status,
    }
    try:
        page = paginate(context.request, calls)
    except PageError:
        return json_response(200, {**_empty_page(query, len(calls)), **head})
    body = page.to_json(lambda call: _call(run_test, execution, call))
    agent = {"provider": None, "agent_type": run_test.agent_type}
    return json_response(200, {**body, **head, **agent})


def _call(run_test: RunTest, execution: Execution, call: Call) -> dict[str, Any]:
    """Return a call with its snapshots, and without its transcript."""
    return {
        **presentation.call(run_test, execution, call, with_transcript=False),
        "rerun_snapshots": [
            _snapshot(snapshot)
            for snapshot in reversed(call.snapshots)
            if snapshot.rerun_type == "call_and_eval"
        ],
    }


def _snapshot(row: Snapshot) -> dict[str, Any]:
    """Return a snapshot under its call, with its results as they are stored."""
    return {
        "id": row.id,
        "rerun_type": row.rerun_type,
        "snapshot_timestamp": show_time(row.snapshot_timestamp),
        "status": row.status,
        "duration_seconds": row.duration_seconds,
        "eval_outputs": row.eval_outputs or {},
    }


def _columns(run_test: RunTest) -> list[dict[str, Any]]:
    """Return the columns of the eval configs, of which deleted ones have none."""
    return [
        {
            "id": config.id,
            "column_name": config.name,
            "visible": True,
            "type": "evaluation",
        }
        for config in run_test.live_configs()
    ]


def _empty_page(query: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return a page past the last one, which is no error here."""
    return {
        "count": count,
        "next": None,
        "previous": None,
        "results": [],
        "total_pages": math.ceil(count / query.get("limit", _PAGE_SIZE)),
        "current_page": query["page"],
    }
