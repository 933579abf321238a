"""Rows as the service shows them.

Only what clients of evaluations look at is real; the rest has the values of an idle
text agent, so that a parser meets every field.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_OID, uuid5

from futureagi_async.emulator.rows import MOMENT


if TYPE_CHECKING:
    from collections.abc import Mapping

    from futureagi_async.emulator.rows import (
        Call,
        EvalConfig,
        Execution,
        RunTest,
        Scenario,
    )


CALL_SECONDS = 40

IDLE_AGENT: Mapping[str, Any] = MappingProxyType(
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
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "model": None,
        "model_details": {},
    }
)

UNKNOWN_IN_CALLS = (
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
"""Fields of a call that are null for a text agent."""


def eval_config(config: EvalConfig) -> dict[str, Any]:
    """An eval config.

    Its status says "Completed" from the beginning, before it ever ran.
    """
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
    """A run test, in the list and alone; its configs are in it four times."""
    configs = [eval_config(config) for config in row.live_configs()]
    agent_id = derived_id("agent", row.workspace, row.agent_name)
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "agent_definition": agent_id,
        "agent_version": None,
        "agent_definition_detail": {
            **IDLE_AGENT,
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
        "scenarios": [each.id for each in row.scenarios],
        "scenarios_detail": [
            scenario_in(row, each, agent_id) for each in row.scenarios
        ],
        "dataset_row_ids": [],
        "simulator_agent": None,
        "simulator_agent_detail": None,
        "simulate_eval_configs": [each["id"] for each in configs],
        "simulate_eval_configs_detail": configs,
        "evals_detail": configs,
        "evals": configs,
        "organization": row.organization,
        "enable_tool_evaluation": row.enable_tool_evaluation,
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "last_run_at": row.executions[-1].start_time if row.executions else None,
        "deleted": row.deleted,
        "deleted_at": None,
    }


def scenario_in(row: RunTest, each: Scenario, agent_id: str) -> dict[str, Any]:
    """A scenario as part of its run test."""
    return {
        "id": each.id,
        "name": each.name,
        "description": "",
        "source": SCENARIO_SOURCE,
        "scenario_type": SCENARIO_TYPE,
        "scenario_type_display": "Dataset",
        "source_type": "agent_definition",
        "organization": row.organization,
        "dataset": derived_id("dataset", each.id),
        "dataset_rows": each.row_count,
        "agent": {"id": agent_id, "name": row.agent_name},
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "deleted": False,
    }


SCENARIO_SOURCE = "test"
SCENARIO_TYPE = "dataset"


def scenario(each: Scenario) -> dict[str, Any]:
    """A scenario in the list of a run test's scenarios."""
    return {"id": each.id, "name": each.name, "row_count": each.row_count}


def execution(row: RunTest, each: Execution) -> dict[str, Any]:
    """An execution in the list of a run test's executions."""
    calls = len(each.calls)
    connected = completed_calls(each)
    return {
        "id": each.id,
        # A filter takes the state in small letters; here it has a capital.
        "status": each.status.capitalize(),
        "scenarios": scenario_names(row),
        "start_time": each.start_time,
        "duration": calls * CALL_SECONDS,
        "error_reason": None,
        "success_rate": percent(connected, calls),
        "avg_response_time": 0.0,
        "calls": calls,
        "calls_attempted": calls,
        "connected_calls": connected,
        "agent_version": "N/A",
        "agent_definition": row.agent_name,
        "calls_connected_percentage": percent(connected, calls),
        "total_chats": calls,
        "agent_type": "text",
        "total_number_of_fagi_agent_turns": 0,
        "source_type": "agent_definition",
    }


def call(row: RunTest, its_execution: Execution, each: Call) -> dict[str, Any]:
    """A call with the results of its evaluations."""
    return {
        **dict.fromkeys(UNKNOWN_IN_CALLS),
        "id": each.id,
        "timestamp": its_execution.start_time,
        "start_time": its_execution.start_time,
        "call_type": "Inbound",
        "simulation_call_type": "text",
        "status": each.status,
        "duration": 0.0,
        "duration_seconds": CALL_SECONDS,
        "transcript": [],
        "scenario": scenario_names(row),
        "scenario_id": row.scenarios[0].id if row.scenarios else None,
        "scenario_columns": {},
        "scenario_graph": {},
        "eval_outputs": outputs(row, each),
        "agent_definition_used_name": row.agent_name,
        "agent_definition_used_id": derived_id("agent", row.workspace, row.agent_name),
        "recordings": {},
        "processing_skipped": False,
        "is_snapshot": False,
        "test_execution_id": its_execution.id,
    }


def outputs(row: RunTest, each: Call) -> dict[str, Any]:
    """A call's results; those of deleted configs are kept, but not shown."""
    live = {config.id for config in row.live_configs()}
    return {
        config_id: result
        for config_id, result in each.eval_outputs.items()
        if config_id in live
    }


def newest_state(row: RunTest) -> dict[str, Any]:
    """The state of a run test is that of its newest execution."""
    if not row.executions:
        # Not an error: the answer is 200 and says so inside.
        return {
            "run_test_id": row.id,
            "status": "not_found",
            "error": "Test execution not found in database",
        }
    newest = row.executions[-1]
    completed = completed_calls(newest)
    failed = sum(each.status == "failed" for each in newest.calls)
    return {
        "run_test_id": row.id,
        "execution_id": newest.id,
        "status": newest.status,
        "total_scenarios": len(row.scenarios),
        "total_calls": len(newest.calls),
        "completed_calls": completed,
        "failed_calls": failed,
        "success_rate": percent(completed, len(newest.calls)),
        "start_time": newest.start_time,
        "end_time": newest.start_time if newest.status == "completed" else None,
        "message": (
            f"Test execution {newest.status} with {completed} successful "
            f"and {failed} failed calls"
        ),
    }


def scenario_names(row: RunTest) -> str:
    """The names of a run test's scenarios in one line."""
    return ", ".join(each.name for each in row.scenarios)


def completed_calls(each: Execution) -> int:
    """How many calls came to their end."""
    return sum(one.status == "completed" for one in each.calls)


def percent(part: int, whole: int) -> float:
    """A share in percent; nothing of nothing is nothing."""
    return round(part / whole * 100, 2) if whole else 0.0


def derived_id(*parts: str) -> str:
    """The id of something that a world does not hold: the same for the same parts."""
    return str(uuid5(NAMESPACE_OID, "/".join(parts)))
