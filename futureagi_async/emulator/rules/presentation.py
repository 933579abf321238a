"""Rows as the service shows them.

Only what clients of evaluations read is real; all other fields have the values of an
idle text agent, so that a parser meets every field.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_OID, uuid5

from futureagi_async.emulator.rows import DEFAULT_TIME


if TYPE_CHECKING:
    from collections.abc import Mapping

    from futureagi_async.emulator.rows import (
        Call,
        EvalConfig,
        Execution,
        RunTest,
        Scenario,
    )


_CALL_SECONDS = 40

_IDLE_AGENT: Mapping[str, Any] = MappingProxyType(
    {
        "agent_type": "text",
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
        "created_at": DEFAULT_TIME,
        "updated_at": DEFAULT_TIME,
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
    "tool_outputs",
    "cost_cents",
    "customer_call_id",
    "provider",
    "phone_number",
)
"""The fields of a call that are null for a text agent."""


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
    agent_id = _derived_id("agent", row.workspace, row.agent_name)
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "agent_definition": agent_id,
        "agent_version": None,
        "agent_definition_detail": {
            **_IDLE_AGENT,
            "id": agent_id,
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
        "scenarios": [scenario.id for scenario in row.scenarios],
        "scenarios_detail": [
            _scenario_detail(row, scenario, agent_id) for scenario in row.scenarios
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
        "created_at": DEFAULT_TIME,
        "updated_at": DEFAULT_TIME,
        "last_run_at": row.executions[-1].start_time if row.executions else None,
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
        "created_at": DEFAULT_TIME,
        "updated_at": DEFAULT_TIME,
        "deleted": False,
    }


def scenario(row: Scenario) -> dict[str, Any]:
    """Return a scenario in the list of a run test's scenarios."""
    return {"id": row.id, "name": row.name, "row_count": row.row_count}


def execution(run_test: RunTest, row: Execution) -> dict[str, Any]:
    """Return an execution in the list of a run test's executions."""
    calls = len(row.calls)
    connected = _calls_with(row, "completed")
    return {
        "id": row.id,
        # A filter expects the state in small letters; here it has a capital.
        "status": row.status.capitalize(),
        "scenarios": scenario_names(run_test),
        "start_time": row.start_time,
        "duration": calls * _CALL_SECONDS,
        "error_reason": None,
        "success_rate": _percent(connected, calls),
        "avg_response_time": 0.0,
        "calls": calls,
        "calls_attempted": calls,
        "connected_calls": connected,
        "agent_version": "N/A",
        "agent_definition": run_test.agent_name,
        "calls_connected_percentage": _percent(connected, calls),
        "total_chats": calls,
        "agent_type": "text",
        "total_number_of_fagi_agent_turns": 0,
        "source_type": "agent_definition",
    }


def call(run_test: RunTest, execution: Execution, row: Call) -> dict[str, Any]:
    """Return a call with the results of its evaluations."""
    scenarios = run_test.scenarios
    return {
        **dict.fromkeys(_UNKNOWN_IN_CALLS),
        "id": row.id,
        "timestamp": execution.start_time,
        "start_time": execution.start_time,
        "call_type": "Inbound",
        "simulation_call_type": "text",
        "status": row.status,
        "duration": 0.0,
        "duration_seconds": _CALL_SECONDS,
        "transcript": [],
        "scenario": scenario_names(run_test),
        "scenario_id": scenarios[0].id if scenarios else None,
        "scenario_columns": {},
        "scenario_graph": {},
        "eval_outputs": _visible_outputs(run_test, row),
        "agent_definition_used_name": run_test.agent_name,
        "agent_definition_used_id": _derived_id(
            "agent", run_test.workspace, run_test.agent_name
        ),
        "recordings": {},
        "processing_skipped": False,
        "is_snapshot": False,
        "test_execution_id": execution.id,
    }


def _visible_outputs(run_test: RunTest, row: Call) -> dict[str, Any]:
    """Return a call's results; those of deleted configs are stored, but not shown."""
    live = {config.id for config in run_test.live_configs()}
    return {
        config_id: result
        for config_id, result in row.eval_outputs.items()
        if config_id in live
    }


def status(row: RunTest) -> dict[str, Any]:
    """Return the state of a run test, which is that of its newest execution."""
    if not row.executions:
        # Not an HTTP error: the response is a 200 with this inside.
        return {
            "run_test_id": row.id,
            "status": "not_found",
            "error": "Test execution not found in database",
        }
    newest = row.executions[-1]
    completed = _calls_with(newest, "completed")
    failed = _calls_with(newest, "failed")
    return {
        "run_test_id": row.id,
        "execution_id": newest.id,
        "status": newest.status,
        "total_scenarios": len(row.scenarios),
        "total_calls": len(newest.calls),
        "completed_calls": completed,
        "failed_calls": failed,
        "success_rate": _percent(completed, len(newest.calls)),
        "start_time": newest.start_time,
        "end_time": newest.start_time if newest.status == "completed" else None,
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
    return sum(call.status == status for call in row.calls)


def _percent(part: int, whole: int) -> float:
    """Return a share in percent; a share of nothing is 0."""
    return round(part / whole * 100, 2) if whole else 0.0


def _derived_id(*parts: str) -> str:
    """Return the id of something that is not in a world: the same for equal parts."""
    return str(uuid5(NAMESPACE_OID, "/".join(parts)))
