"""Rows as the service shows them.

Only what clients of evaluations read is real; all other fields have the values of an
idle text agent, so that a parser meets every field.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_OID, uuid5

from futureagi_async.emulator.cells import show_cells
from futureagi_async.emulator.filling import scenario_graph
from futureagi_async.emulator.rows import DEFAULT_TIME
from futureagi_async.emulator.rules.times import show_time
from futureagi_async.emulator.rules.transcripts import (
    chat_seconds,
    chat_transcript,
    voice_transcript,
)


if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from futureagi_async.emulator.filling import Turn
    from futureagi_async.emulator.rows import (
        Call,
        EvalConfig,
        Execution,
        Place,
        RunTest,
        Scenario,
        Snapshot,
    )


_IDLE_AGENT: Mapping[str, Any] = MappingProxyType(
    {
        "contact_number": None,
        "inbound": True,
        "target_speaks_first": None,
        "description": "",
        "assistant_id": None,
        "provider": None,
        "language": None,
        "languages": ["en"],
        "authentication_method": "api_key",
        "websocket_url": None,
        "websocket_headers": {},
        "knowledge_base": None,
        "api_key": "",
        "observability_provider": None,
        "created_at": show_time(DEFAULT_TIME),
        "updated_at": show_time(DEFAULT_TIME),
        "model": None,
        "model_details": {},
    }
)

_UNKNOWN_IN_CALLS = (
    "service_provider_call_id",
    "session_id",
    "overall_score",
    "response_time",
    "response_time_ms",
    "audio_url",
    "customer_name",
    "ended_reason",
    "call_summary",
    "scenario_graph_id",
    "avg_agent_latency",
    "user_interruption_count",
    "talk_ratio",
    "total_tokens",
    "input_tokens",
    "output_tokens",
    "avg_latency_ms",
    "turn_count",
    "csat_score",
    "processing_skip_reason",
    "snapshot_timestamp",
    "rerun_type",
    "original_call_execution_id",
    "cost_cents",
    "customer_call_id",
    "provider",
)
"""The fields of a call that are null in the emulator."""

_UNKNOWN_IN_SNAPSHOTS = (
    "overall_score",
    "response_time",
    "audio_url",
    "customer_name",
    "ended_reason",
    "call_summary",
    "avg_agent_latency",
    "user_interruption_count",
    "talk_ratio",
)
"""The fields of a snapshot that are null in the emulator."""


def eval_config(config: EvalConfig) -> dict[str, Any]:
    """Return an eval config, whose status is "Completed" even before it ever ran."""
    return {
        "id": config.id,
        "name": config.name,
        "config": config.config,
        "mapping": config.mapping,
        "filters": config.filters,
        "error_localizer": config.error_localizer,
        "model": config.model,
        "status": config.status,
        "eval_group": None,
        "template_id": config.template_id,
    }


def run_test(row: RunTest) -> dict[str, Any]:
    """Return a run test, as in the list; its configs are in it four times."""
    configs = [eval_config(config) for config in row.live_configs()]
    agent_id = _agent_id(row)
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "agent_definition": agent_id,
        "agent_version": None,
        "agent_definition_detail": {
            **_IDLE_AGENT,
            "id": agent_id,
            "agent_type": row.agent_type,
            "agent_name": row.agent_name,
            "workspace": row.workspace,
            "organization": row.organization,
        },
        "source_type": "agent_definition",
        "source_type_display": "Agent Definition",
        "prompt_template": None,
        "prompt_template_detail": None,
        "prompt_version": None,
        "prompt_version_detail": None,
        "scenarios": [scenario.id for scenario in reversed(row.scenarios)],
        "scenarios_detail": [
            _scenario_detail(row, scenario, agent_id)
            for scenario in reversed(row.scenarios)
        ],
        "dataset_row_ids": [],
        "simulator_agent": None,
        "simulator_agent_detail": None,
        "simulate_eval_configs": [config["id"] for config in configs],
        "simulate_eval_configs_detail": configs,
        "evals_detail": configs,
        "evals": configs,
        "organization": row.organization,
        "enable_tool_evaluation": row.enable_tool_evaluation,
        "created_at": show_time(row.created_at),
        "updated_at": show_time(row.created_at),
        "last_run_at": next(
            (show_time(each.started_at) for each in row.live_executions()), None
        ),
        "deleted": row.deleted,
        "deleted_at": None,
    }


SCENARIO_SOURCE = "test"
SCENARIO_TYPE = "dataset"


def _scenario_detail(row: RunTest, scenario: Scenario, agent_id: str) -> dict[str, Any]:
    """Return a scenario as part of its run test."""
    return {
        "id": scenario.id,
        "name": scenario.name,
        "description": "",
        "source": SCENARIO_SOURCE,
        "scenario_type": SCENARIO_TYPE,
        "scenario_type_display": "Dataset",
        "source_type": "agent_definition",
        "organization": row.organization,
        "dataset": _derived_id("dataset", scenario.id),
        "dataset_rows": scenario.row_count,
        "agent": {"id": agent_id, "name": row.agent_name},
        "created_at": show_time(row.created_at),
        "updated_at": show_time(row.created_at),
        "deleted": False,
    }


def scenario(row: Scenario) -> dict[str, Any]:
    """Return a scenario in the list of a run test's scenarios."""
    return {"id": row.id, "name": row.name, "row_count": row.row_count}


def execution(run_test: RunTest, row: Execution) -> dict[str, Any]:
    """Return an execution in the list of a run test's executions.

    Its numbers count calls that are deleted, too, but their duration does not.
    """
    attempted = sum(call.status not in ("pending", "queued") for call in row.calls)
    connected = sum((call.duration_seconds or 0) > 0 for call in row.calls)
    completed = sum(call.status == "completed" for call in row.calls)
    return {
        "id": row.id,
        # A filter expects the state in small letters; here it has a capital.
        "status": row.status.title(),
        "scenarios": scenario_names(run_test),
        "start_time": row.started_at and row.started_at.isoformat(),
        "duration": sum(call.duration_seconds or 0 for call in row.live_calls()),
        "error_reason": row.error_reason,
        "success_rate": round(_percent(completed, len(row.calls)), 1),
        "avg_response_time": 0.0,
        "calls": row.total_calls,
        "calls_attempted": attempted,
        "connected_calls": connected,
        "agent_version": "N/A",
        "agent_definition": run_test.agent_name,
        "calls_connected_percentage": _percent(connected, attempted),
        "total_chats": row.total_calls if run_test.agent_type == "text" else None,
        "agent_type": run_test.agent_type,
        "total_number_of_fagi_agent_turns": 0,
        "source_type": "agent_definition",
    }


def listed_place(run_test: RunTest, place: Place) -> dict[str, Any]:
    """Return what stands at a place of the list of calls, which is not empty."""
    if place.snapshot:
        return _snapshot(run_test, place, place.snapshot)
    return {
        **call(run_test, place.execution, place.call),
        "eval_outputs": show_cells(place.call.eval_outputs),
    }


def call(
    run_test: RunTest, execution: Execution, row: Call, *, with_transcript: bool = True
) -> dict[str, Any]:
    """Return a call with the results of its evaluations.

    Those of deleted configs are left out; only the list of calls shows them.
    """
    turns = row.transcript if with_transcript else None
    scenario = run_test.scenario_of(row)
    return {
        **dict.fromkeys(_UNKNOWN_IN_CALLS),
        "id": row.id,
        "timestamp": show_time(row.updated_at),
        "start_time": show_time(row.started_at),
        "call_type": "Inbound",
        "simulation_call_type": run_test.agent_type,
        "status": row.status,
        "duration": (
            chat_seconds(row) if run_test.agent_type == "text" else row.duration_seconds
        ),
        "duration_seconds": row.duration_seconds,
        "transcript": _transcript(run_test, row.id, turns, row.created_at),
        "scenario": scenario.name if scenario else "",
        "scenario_id": scenario.id if scenario else None,
        "scenario_columns": {},
        "scenario_graph": scenario_graph(scenario.graph_bytes) if scenario else {},
        "eval_outputs": show_cells(_live_cells(run_test, row)),
        "agent_definition_used_name": run_test.agent_name,
        "agent_definition_used_id": _agent_id(run_test),
        "recordings": {},
        "processing_skipped": False,
        "is_snapshot": False,
        "test_execution_id": execution.id,
        "phone_number": row.phone_number,
        "tool_outputs": row.tool_outputs,
    }


def _transcript(
    run_test: RunTest,
    row_id: str,
    turns: Sequence[Turn] | None,
    created_at: dt.datetime,
) -> list[dict[str, Any]]:
    """Return a transcript in the form of the agent's type."""
    is_chat = run_test.agent_type == "text"
    show = chat_transcript if is_chat else voice_transcript
    return show(row_id, turns or (), created_at)


def _snapshot(run_test: RunTest, place: Place, row: Snapshot) -> dict[str, Any]:
    """Return a snapshot in the list of calls: its cells are shown as they are stored."""
    scenario = run_test.scenario_of(place.call)
    row_time = row.snapshot_timestamp
    return {
        **dict.fromkeys(_UNKNOWN_IN_SNAPSHOTS),
        "id": row.id,
        "timestamp": show_time(row_time),
        "call_type": "Outbound",
        "status": row.status,
        "duration": row.duration_seconds,
        "transcript": _transcript(run_test, row.id, row.transcript, row_time),
        "scenario": scenario.name if scenario else "",
        "scenario_id": scenario.id if scenario else None,
        "scenario_columns": {},
        "eval_outputs": row.eval_outputs,
        "eval_metrics": {},
        "error_localizer_tasks": [],
        "agent_definition_used_name": run_test.agent_name,
        "agent_definition_used_id": _agent_id(run_test),
        "recordings": {},
        "is_snapshot": True,
        "snapshot_timestamp": show_time(row_time),
        "rerun_type": row.rerun_type,
        "original_call_execution_id": place.call.id,
    }


def _live_cells(run_test: RunTest, row: Call) -> dict[str, Any]:
    """Return a call's stored cells without those of deleted configs."""
    live = {config.id for config in run_test.live_configs()}
    cells = row.eval_outputs or {}
    return {config_id: cell for config_id, cell in cells.items() if config_id in live}


def status(row: RunTest) -> dict[str, Any]:
    """Return the state of a run test, which is that of its newest execution."""
    newest = next(iter(row.live_executions()), None)
    if newest is None:
        # Not an HTTP error: the response is a 200 with this inside.
        return {
            "run_test_id": row.id,
            "status": "not_found",
            "error": "Test execution not found in database",
        }
    # A call that is talked to its end counts as completed before it is evaluated.
    completed = _calls_with(newest, "completed") + _calls_with(newest, "analyzing")
    failed = _calls_with(newest, "failed")
    return {
        "run_test_id": row.id,
        "execution_id": newest.id,
        "status": newest.status,
        "total_scenarios": len(newest.scenarios or row.scenarios),
        "total_calls": len(newest.live_calls()),
        "completed_calls": completed,
        "failed_calls": failed,
        "success_rate": _percent(completed, len(newest.live_calls())),
        "start_time": show_time(newest.started_at),
        "end_time": show_time(newest.completed_at),
        "message": (
            f"Test execution {newest.status} with {completed} successful "
            f"and {failed} failed calls"
        ),
    }


def scenario_names(row: RunTest) -> str:
    """Return the names of a run test's scenarios in one line."""
    return ", ".join(scenario.name for scenario in row.scenarios)


def _calls_with(row: Execution, status: str) -> int:
    """Count the calls of an execution that have a status."""
    return sum(call.status == status for call in row.live_calls())


def _percent(part: int, whole: int) -> float:
    """Return a share in percent; a share of nothing is 0."""
    return round(part / whole * 100, 2) if whole else 0.0


def _agent_id(row: RunTest) -> str:
    """Return the id of a run test's agent."""
    return _derived_id("agent", row.workspace, row.agent_name)


def _derived_id(*parts: str) -> str:
    """Return the id of something that is not in a world: the same for equal parts."""
    return str(uuid5(NAMESPACE_OID, "/".join(parts)))
