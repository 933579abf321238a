"""Results as plain dicts, and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import attrs
import pytest

from futureagi_async import endpoints
from futureagi_async.endpoints.add_eval_configs import AddEvalConfigsResult
from futureagi_async.endpoints.cancel_execution import CancelExecutionResult
from futureagi_async.endpoints.compare_executions import ExecutionComparison
from futureagi_async.endpoints.delete_eval_config import DeleteEvalConfigResult
from futureagi_async.endpoints.eval_config import CreatedEvalConfig
from futureagi_async.endpoints.eval_output import EvalOutput, EvalOutputStatus
from futureagi_async.endpoints.execute_run_test import ExecutionStarted
from futureagi_async.endpoints.get_eval_summary import EvalSummary
from futureagi_async.endpoints.get_execution_status import NewestExecution
from futureagi_async.endpoints.get_run_test import RunTest
from futureagi_async.endpoints.get_simulation_metrics import SimulationMetrics
from futureagi_async.endpoints.get_simulation_runs import SimulationRuns
from futureagi_async.endpoints.list_call_executions import CallExecutionsPage
from futureagi_async.endpoints.list_eval_templates import EvalTemplates
from futureagi_async.endpoints.list_run_tests import RunTestsPage
from futureagi_async.endpoints.list_simulation_runs import SimulationRunsPage
from futureagi_async.endpoints.list_test_executions import (
    TestExecution,
    TestExecutionsPage,
)
from futureagi_async.endpoints.ping import Ping
from futureagi_async.endpoints.rerun_calls import RerunCallsResult
from futureagi_async.endpoints.rerun_executions import RerunExecutionsResult
from futureagi_async.endpoints.run_new_evals import RunNewEvalsResult
from futureagi_async.endpoints.scores import ChoiceScores, NumericScores, PassFailScores
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.endpoints.update_eval_config import UpdateEvalConfigResult
from futureagi_async.errors import InvalidRequestError
from futureagi_async.model import codec
from futureagi_async.model.codec import Serializable
from futureagi_async.model.request import Result


ID = "b968b200-c57b-5aca-9c9f-60672e3183e7"
CONFIG = {
    "id": ID,
    "name": "tone",
    "config": {"params": {"k": [1, 2.5, None]}},
    "mapping": None,
    "filters": [{"column_id": "status"}],
    "error_localizer": True,
    "model": None,
    "status": "Completed",
    "eval_group": None,
    "template_id": ID,
}
PAGE = {"count": 1, "total_pages": 1, "current_page": 1}
RESPONSES = [
    (
        AddEvalConfigsResult,
        {
            "message": "ok",
            "created_eval_configs": [CONFIG],
            "run_test_id": ID,
            "warnings": ["one was not created"],
            "unknown": {"a": 1},
        },
    ),
    (
        RunNewEvalsResult,
        {"message": "ok", "run_test_id": ID, "call_execution_count": 5},
    ),
    (
        UpdateEvalConfigResult,
        {"message": "ok", "eval_config_id": ID, "run_test_id": ID},
    ),
    (DeleteEvalConfigResult, {}),
    (
        RunTest,
        {
            "id": ID,
            "name": "support",
            "enable_tool_evaluation": False,
            "simulate_eval_configs_detail": [CONFIG],
        },
    ),
    (
        RunTestsPage,
        PAGE
        | {
            "results": [
                {
                    "id": ID,
                    "name": "support",
                    "enable_tool_evaluation": True,
                    "simulate_eval_configs": [ID],
                    "simulate_eval_configs_detail": [CONFIG],
                },
                {
                    "id": ID,
                    "name": "sales",
                    "enable_tool_evaluation": False,
                    "simulate_eval_configs": [],
                },
            ]
        },
    ),
    (
        TestExecutionsPage,
        PAGE
        | {
            "results": [
                {"id": ID, "status": "Paused", "start_time": "2026-01-02T03:04:05.6Z"},
                {"id": ID, "status": "Completed", "start_time": None, "calls": 3},
            ]
        },
    ),
    (
        CallExecutionsPage,
        PAGE
        | {
            "results": [
                {
                    "id": ID,
                    "status": "completed",
                    "test_execution_id": ID,
                    "eval_outputs": {
                        "a": {"value": "Passed", "reason": "so", "more": [1]},
                        "b": None,
                        "c": 0.5,
                        "d": {"error": True},
                        "e": {"type": "choices", "value": ["price", "delivery"]},
                    },
                },
                {
                    "id": ID,
                    "status": None,
                    "is_snapshot": True,
                    "snapshot_timestamp": "2026-01-02T03:04:05Z",
                    "eval_outputs": None,
                },
            ]
        },
    ),
    (
        SimulationRuns,
        {
            "result": {
                "execution_id": ID,
                "status": "completed",
                "started_at": "2026-01-02T03:04:05Z",
                "completed_at": None,
                "total_calls": 1,
                "completed_calls": 1,
                "failed_calls": 0,
                "eval_results": [],
                "call_results": {
                    **PAGE,
                    "results": [
                        {
                            "call_execution_id": ID,
                            "status": "completed",
                            "scenario_name": "late parcel",
                            "duration_seconds": 41,
                            "eval_outputs": {
                                "a": {"output": "Passed", "output_type": "Pass/Fail"}
                            },
                        }
                    ],
                },
            }
        },
    ),
    (
        SimulationRunsPage,
        {
            "result": PAGE
            | {
                "results": [
                    {"execution_id": ID, "status": "completed", "eval_results": []}
                ]
            }
        },
    ),
    (
        SimulationMetrics,
        {
            "result": {
                "execution_id": ID,
                "status": "evaluating",
                "metrics": {
                    "calls": {"total": 3, "completed": 1, "failed": 0, "pending": 1},
                    "cost": {"total_duration_seconds": 41.5},
                },
            }
        },
    ),
    (
        EvalSummary,
        {
            "result": [
                {
                    "name": "tone",
                    "id": ID,
                    "output_type": "score",
                    "total_avg": 80,
                    "total_choices_avg": {"joy": 50},
                    "result": [
                        {"name": "a", "id": ID, "total_cells": 0, "output": {}},
                        {
                            "name": "b",
                            "id": ID,
                            "total_cells": 2,
                            "output": {"p50": 70.5, "p95": 90},
                            "avg_score": 80,
                        },
                        {
                            "name": "c",
                            "id": ID,
                            "total_cells": 3,
                            "output": {
                                "pass": 50,
                                "fail": 50,
                                "pass_count": 1,
                                "fail_count": 1,
                            },
                        },
                        {
                            "name": "d",
                            "id": ID,
                            "total_cells": 3,
                            "output": {"joy": 50, "fear": 50},
                        },
                    ],
                }
            ]
        },
    ),
    (
        ExecutionStarted,
        {
            "message": "ok",
            "execution_id": ID,
            "run_test_id": ID,
            "status": "started",
            "total_scenarios": 2,
            "total_calls": 0,
            "scenario_ids": [ID],
        },
    ),
    (
        NewestExecution,
        {
            "run_test_id": ID,
            "status": "running",
            "execution_id": ID,
            "total_calls": 3,
            "start_time": "2026-01-02T03:04:05Z",
            "end_time": None,
        },
    ),
    (
        CancelExecutionResult,
        {"success": True, "message": "ok", "test_execution_id": ID},
    ),
    (
        RerunExecutionsResult,
        {
            "message": "ok",
            "run_test_id": ID,
            "rerun_type": "eval_only",
            "results": [
                {
                    "test_execution_id": ID,
                    "success_count": 1,
                    "failure_count": 1,
                    "successful_reruns": [ID],
                    "failed_reruns": [{"call_execution_id": ID, "error": "no"}],
                    "dispatch_error": None,
                }
            ],
            "overall_success_count": 1,
            "overall_failure_count": 1,
        },
    ),
    (
        RerunCallsResult,
        {
            "message": "ok",
            "test_execution_id": ID,
            "rerun_type": "call_and_eval",
            "success_count": 1,
            "failure_count": 0,
            "left_out": [ID],
        },
    ),
    (
        EvalTemplates,
        {"result": [{"id": ID, "name": "tone", "required_keys": ["text"]}]},
    ),
    (
        ExecutionComparison,
        {
            "result": {
                ID: [{"name": "tone", "id": ID, "output_type": "score", "result": []}]
            }
        },
    ),
]
RESULTS = [
    codec.decode_result(json.dumps(response).encode(), class_, "r-1")
    for class_, response in RESPONSES
]


def parts_of(value):
    """Every value of this package inside a result, the result included."""
    if isinstance(value, Serializable):
        yield value
        for field in attrs.fields(type(value)):
            yield from parts_of(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from parts_of(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from parts_of(item)


PING = Ping(
    elapsed=0.25,
    run_test_count=3,
    organization_id=ID,
    workspace_id=None,
    requested_workspace_id=ID,
)
PARTS = [part for result in (*RESULTS, PING) for part in parts_of(result)]


@pytest.mark.parametrize("value", PARTS, ids=lambda value: type(value).__name__)
def test_every_result_and_its_parts_come_back_from_json(value):
    fields = value.to_dict()

    assert json.loads(json.dumps(fields)) == fields
    assert type(value).from_dict(fields) == value
    assert type(value).from_dict(fields).to_dict() == fields


@pytest.mark.parametrize("result", RESULTS, ids=lambda value: type(value).__name__)
def test_what_equality_leaves_out_comes_back_too(result):
    again = type(result).from_dict(attrs.evolve(result, reconciled=True).to_dict())

    assert again.raw == result.raw
    assert again.request_id == "r-1"
    assert again.reconciled


def test_every_class_of_a_result_is_among_those_tested():
    tested = {type(part) for part in PARTS}
    defined = {
        value
        for name in endpoints.__all__
        for value in vars(getattr(endpoints, name)).values()
        if isinstance(value, type)
        and issubclass(value, Serializable)
        and value.__module__ == f"futureagi_async.endpoints.{name}"
    }

    assert defined <= tested
    assert {PassFailScores, NumericScores, ChoiceScores} <= tested


def test_the_values_are_plain():
    execution = TestExecution(
        id=ID,
        status=ExecutionStatus("Paused"),
        start_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )

    assert execution.to_dict() == {
        "id": ID,
        "status": "paused",
        "start_time": "2026-01-02T03:04:05+00:00",
        "calls": None,
        "calls_attempted": None,
        "success_rate": None,
    }
    assert type(execution.to_dict()["status"]) is str
    assert EvalOutput(status=EvalOutputStatus.FAILED).to_dict()["status"] == "failed"
    assert NumericScores(1.0, {50: 2.0}).to_dict()["percentiles"] == {"50": 2.0}


def test_a_dict_and_its_value_share_nothing():
    config = CreatedEvalConfig(**CONFIG)
    fields = config.to_dict()
    again = CreatedEvalConfig.from_dict(fields)

    fields["config"]["params"]["k"].append("more")

    assert config == again == CreatedEvalConfig(**CONFIG)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"call_execution_count": 5, "raw": {}}, "missing @ message"),
        (
            {
                "message": "ok",
                "run_test_id": ID,
                "call_execution_count": "5",
                "raw": {},
            },
            "a whole number belongs here, not text @ call_execution_count",
        ),
        ({"message": {1, 2}}, r".message: a set is no JSON value"),
        ([], "a dict is expected, not a list"),
    ],
)
def test_a_dict_of_another_shape_is_rejected_and_the_place_is_named(fields, problem):
    with pytest.raises(InvalidRequestError, match=rf"^RunNewEvalsResult:?.*{problem}"):
        RunNewEvalsResult.from_dict(fields)


def test_a_result_without_fields_of_its_own_comes_back():
    result = Result(raw={"a": 1}, warnings=("w",))

    assert Result.from_dict(result.to_dict()) == result
