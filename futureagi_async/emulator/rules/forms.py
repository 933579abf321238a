"""The request of every endpoint that takes one, declared field by field.

The order of the fields is the order in which the service tells their problems.
"""

from __future__ import annotations

import json
from typing import Any

from futureagi_async.emulator.rules.envelope import NON_FIELD, Problem
from futureagi_async.emulator.rules.fields import (
    Choice,
    Flag,
    Form,
    FormError,
    Id,
    ListOf,
    Text,
    Whole,
    refuse,
)
from futureagi_async.emulator.rules.filters import Filters, JsonObject


def no_name_twice(configs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Names must differ, but only those that were given.

    Default names are made later, so two unnamed configs of one template get past here.
    """
    seen: set[str] = set()
    for config in configs:
        name = config.get("name")
        if name and name in seen:
            raise refuse(
                f"Duplicate eval name '{name}' found in the request. "
                "Each evaluation config must have a unique name."
            )
        seen.add(name or "")
    return configs


EVAL_CONFIG = Form(
    fields={
        "template_id": Id(required=True),
        "name": Text(blank=True),
        "config": JsonObject(default={}),
        "mapping": JsonObject(default={}),
        "filters": Filters(default=[]),
        "error_localizer": Flag(default=False),
        "model": Text(null=True, default=None),
        # Checked, and then forgotten.
        "kb_id": Id(null=True, default=None),
        "eval_group": Id(null=True, default=None),
    }
)

ADD_EVAL_CONFIGS = Form(
    fields={"evaluations_config": ListOf(child=EVAL_CONFIG, required=True, shortest=1)},
    checks={"evaluations_config": no_name_twice},
)


def something_to_run(data: dict[str, Any]) -> None:
    """Executions must be named or all be meant, and there must be configs."""
    if not data["select_all"] and not data.get("test_execution_ids"):
        problem = (
            "Either 'select_all' must be True or 'test_execution_ids' must be provided"
        )
    elif not data["eval_config_ids"]:
        problem = "eval_config_ids cannot be empty"
    else:
        return
    raise FormError({NON_FIELD: [Problem(problem)]})


RUN_NEW_EVALS = Form(
    fields={
        "test_execution_ids": ListOf(child=Id()),
        "select_all": Flag(default=False),
        "eval_config_ids": ListOf(child=Id(), required=True),
        # Missing keeps the run test's setting; null is refused all the same.
        "enable_tool_evaluation": Flag(default=None),
    },
    unknown="also",
    check=something_to_run,
)


def execution_to_run(data: dict[str, Any]) -> None:
    """Running needs an execution."""
    if data["run"] and not data.get("test_execution_id"):
        problem = Problem("test_execution_id is required when run is true")
        raise FormError({"test_execution_id": [problem]})


UPDATE_EVAL_CONFIG = Form(
    fields={
        "config": JsonObject(null=True),
        "mapping": JsonObject(null=True),
        "model": Text(null=True),
        "error_localizer": Flag(),
        "kb_id": Id(null=True),
        "template_id": Id(),
        "filters": Filters(null=True),
        "name": Text(),
        "run": Flag(default=False),
        "test_execution_id": Id(null=True),
    },
    check=execution_to_run,
)

RUN_TESTS = Form(
    fields={
        "search": Text(blank=True, default=""),
        "simulation_type": Choice(
            choices=frozenset({"agent_definition", "prompt"}), blank=True, default=""
        ),
        "prompt_template_id": Id(null=True),
        "page": Whole(default=1, least=1),
        "limit": Whole(least=1),
    }
)

EVAL_SUMMARY = Form(fields={"execution_id": Id(null=True)})


def json_list(text: str) -> list[Any]:
    """The list that a query parameter holds as JSON."""
    try:
        value = json.loads(text)
    except ValueError:
        raise refuse("execution_ids must be valid JSON") from None
    if not isinstance(value, list):
        raise refuse("execution_ids must be a JSON array")
    if not value:
        raise refuse("execution_ids list is required")
    return value


EVAL_SUMMARY_COMPARISON = Form(
    fields={"execution_ids": Text(required=True)}, checks={"execution_ids": json_list}
)

TEMPLATE_LIST = Form(
    fields={
        "page": Whole(default=0, least=0),
        "page_size": Whole(default=25, least=1, most=100),
        "search": Text(null=True, blank=True, default=None),
        "owner_filter": Choice(
            choices=frozenset({"all", "user", "system"}), default="all"
        ),
        "sort_by": Choice(
            choices=frozenset({"name", "updated_at", "created_at"}),
            default="updated_at",
        ),
        "sort_order": Choice(choices=frozenset({"asc", "desc"}), default="desc"),
    },
    unknown="ignored",
)
