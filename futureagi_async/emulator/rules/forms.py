"""The request of every endpoint that has one, declared field by field.

The order of the fields is the order in which the service reports their problems.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs

from futureagi_async.emulator.rules.envelope import NON_FIELD, Problem
from futureagi_async.emulator.rules.fields import (
    Boolean,
    Choice,
    Field,
    Form,
    FormError,
    Id,
    Integer,
    ListOf,
    Text,
    invalid,
)
from futureagi_async.emulator.rules.filters import Filters, JsonObject, JsonValue


def _reject_duplicate_names(configs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Check that the names that were sent differ.

    Default names are made later, so two unnamed configs of one template pass.
    """
    seen: set[str] = set()
    for config in configs:
        name = config.get("name")
        if name and name in seen:
            raise invalid(
                f"Duplicate eval name '{name}' found in the request. "
                "Each evaluation config must have a unique name."
            )
        seen.add(name or "")
    return configs


_EVAL_CONFIG = Form(
    fields={
        "template_id": Id(required=True),
        "name": Text(blank=True),
        "config": JsonObject(default={}),
        "mapping": JsonObject(default={}),
        "filters": Filters(default=[]),
        "error_localizer": Boolean(default=False),
        "model": Text(null=True, default=None),
        # Checked, but not stored.
        "kb_id": Id(null=True, default=None),
        "eval_group": Id(null=True, default=None),
    }
)

ADD_EVAL_CONFIGS = Form(
    fields={
        "evaluations_config": ListOf(child=_EVAL_CONFIG, required=True, min_length=1)
    },
    checks={"evaluations_config": _reject_duplicate_names},
)


def _require_targets(data: dict[str, Any]) -> None:
    """Check that there are executions, or `select_all`, and configs."""
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
        "select_all": Boolean(default=False),
        "eval_config_ids": ListOf(child=Id(), required=True),
        # Missing leaves the run test's setting; null is rejected all the same.
        "enable_tool_evaluation": Boolean(default=None),
    },
    unknown="last",
    check=_require_targets,
)


def _require_execution(data: dict[str, Any]) -> None:
    """Check that a run names its execution."""
    if data["run"] and not data.get("test_execution_id"):
        problem = Problem("test_execution_id is required when run is true")
        raise FormError({"test_execution_id": [problem]})


UPDATE_EVAL_CONFIG = Form(
    fields={
        "config": JsonObject(null=True),
        "mapping": JsonObject(null=True),
        "model": Text(null=True),
        "error_localizer": Boolean(),
        "kb_id": Id(null=True),
        "template_id": Id(),
        "filters": Filters(null=True),
        "name": Text(),
        "run": Boolean(default=False),
        "test_execution_id": Id(null=True),
    },
    check=_require_execution,
)


@attrs.frozen(kw_only=True)
class Empty(Form):
    """A body without any field."""

    fields: Mapping[str, Field] = attrs.field(factory=dict)

    def convert(self, value: Any) -> dict[str, Any]:
        """Return nothing, or raise what is wrong with what was sent."""
        if isinstance(value, Mapping) and value:
            problem = Problem("This endpoint does not accept a request body.")
            unknown = self._unknown_fields(value, code=None)
            raise FormError({NON_FIELD: [problem], **unknown})
        return super().convert(value)


EMPTY = Empty()

EXECUTE = Form(
    fields={
        "scenario_ids": ListOf(child=Id()),
        "simulator_id": Id(null=True),
        "select_all": Boolean(default=False),
    }
)


def _rerun(ids: str) -> Form:
    """Return the form of a rerun of what has ids under this name."""

    def require_ids(data: dict[str, Any]) -> None:
        if not data["select_all"] and not data.get(ids):
            problem = f"Either 'select_all' must be True or '{ids}' must be provided"
            raise FormError({NON_FIELD: [Problem(problem)]})

    return Form(
        fields={
            "rerun_type": Choice(
                choices=frozenset({"eval_only", "call_and_eval"}), required=True
            ),
            ids: ListOf(child=Id()),
            "select_all": Boolean(default=False),
        },
        check=require_ids,
    )


RERUN_EXECUTIONS = _rerun("test_execution_ids")
RERUN_CALLS = _rerun("call_execution_ids")


def _require_target(data: dict[str, Any]) -> None:
    """Check that a query names what it is about."""
    if not data.keys() & {"run_test_name", "execution_id", "call_execution_id"}:
        problem = (
            "At least one of 'run_test_name', 'execution_id', or 'call_execution_id' "
            "is required."
        )
        raise FormError({NON_FIELD: [Problem(problem)]})


_METRICS_FIELDS = {
    "run_test_name": Text(),
    "execution_id": Id(),
    "call_execution_id": Id(),
    # The pages are cut outside of the form, which leaves their parameters alone.
    "page": JsonValue(),
    "limit": JsonValue(),
}

METRICS = Form(fields=_METRICS_FIELDS, check=_require_target)


def _split_names(text: str) -> list[str]:
    """Return the names that a parameter lists."""
    return [name.strip() for name in text.split(",") if name.strip()]


RUNS = Form(
    fields={
        **_METRICS_FIELDS,
        "eval_name": Text(),
        "summary": Boolean(default=False),
    },
    checks={"eval_name": _split_names},
    check=_require_target,
)

EXECUTION_DETAIL = Form(
    fields={
        "search": Text(blank=True, default=""),
        "page": Integer(default=1, minimum=1),
        "limit": Integer(minimum=1),
        "filters": Filters(default=[]),
        "row_groups": JsonValue(),
        "group_keys": JsonValue(),
    }
)

RUN_TESTS = Form(
    fields={
        "search": Text(blank=True, default=""),
        "simulation_type": Choice(
            choices=frozenset({"agent_definition", "prompt"}), blank=True, default=""
        ),
        "prompt_template_id": Id(null=True),
        "page": Integer(default=1, minimum=1),
        "limit": Integer(minimum=1),
    }
)

EVAL_SUMMARY = Form(fields={"execution_id": Id(null=True)})


def _parse_json_list(text: str) -> list[Any]:
    """Return the list that a query parameter contains as JSON."""
    try:
        value = json.loads(text)
    except ValueError:
        raise invalid("execution_ids must be valid JSON") from None
    if not isinstance(value, list):
        raise invalid("execution_ids must be a JSON array")
    if not value:
        raise invalid("execution_ids list is required")
    return value


EVAL_SUMMARY_COMPARISON = Form(
    fields={"execution_ids": Text(required=True)},
    checks={"execution_ids": _parse_json_list},
)

TEMPLATE_LIST = Form(
    fields={
        "page": Integer(default=0, minimum=0),
        "page_size": Integer(default=25, minimum=1, maximum=100),
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
    unknown="ignore",
)
