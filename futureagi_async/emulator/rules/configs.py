"""Adding, changing and deleting eval configs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import attrs

from futureagi_async.emulator.rows import EvalConfig
from futureagi_async.emulator.rules import presentation
from futureagi_async.emulator.rules.envelope import RejectedError, error_response
from futureagi_async.emulator.rules.evaluations import erase_results
from futureagi_async.emulator.rules.exchange import Response, json_response
from futureagi_async.emulator.rules.forms import ADD_EVAL_CONFIGS, UPDATE_EVAL_CONFIG
from futureagi_async.emulator.rules.nesting import leaves
from futureagi_async.emulator.rules.parameters import ParameterError, apply_schema
from futureagi_async.emulator.rules.phases import start_pending_evaluations


if TYPE_CHECKING:
    from futureagi_async.emulator.rows import RunTest, Template
    from futureagi_async.emulator.rules.context import Context


_MAX_LENGTH = 255
"""Characters that the database stores of a name or a model; no form checks it."""


def add(context: Context) -> Response:
    """Create one config after the other, and undo nothing.

    A name that exists ends the request with a 400: configs before it stay. Any other
    problem with one config is a warning beside those that were created.
    """
    items = context.body(ADD_EVAL_CONFIGS)["evaluations_config"]
    run_test = context.run_test()
    names = {config.name for config in run_test.live_configs()}
    created: list[EvalConfig] = []
    warnings: list[str] = []
    for item in items:
        template = context.world.template(item["template_id"], context.key)
        if template is None:
            warnings.append(f"EvalTemplate with id {item['template_id']} not found")
            continue
        name: str = item.get("name") or f"Eval-{template.id}"
        if name in names:
            return error_response(400, _name_exists(name))
        try:
            config = _new_config(item, name, template)
        except (ParameterError, _StorageError) as error:
            warnings.append(f"Error creating evaluation config: {error}")
            continue
        names.add(name)
        created.append(config)
        run_test.eval_configs.append(config)
        context.effects.configs += 1
    return _added(run_test, created, warnings)


def _added(
    run_test: RunTest, created: list[EvalConfig], warnings: list[str]
) -> Response:
    """Return what was created; if it is nothing, the reasons are lost."""
    if not created:
        return error_response(400, "Failed to create any evaluation configs")
    body: dict[str, Any] = {
        "message": f"Successfully added {len(created)} evaluation config(s) to run test",
        "created_eval_configs": [presentation.eval_config(each) for each in created],
        "run_test_id": run_test.id,
    }
    if warnings:
        body["warnings"] = warnings
    return json_response(201, body)


def _name_exists(name: str) -> str:
    """Return the message about a name that another config has."""
    return (
        f"An evaluation config with the name '{name}' already exists in this run test. "
        "Please use a different name."
    )


class _StorageError(Exception):
    """A value that the database does not store."""


def _new_config(item: dict[str, Any], name: str, template: Template) -> EvalConfig:
    """Build a config that is not stored yet.

    Raises:
        ParameterError: its template does not accept its parameters.
        _StorageError: the database does not store it.
    """
    config = EvalConfig(
        id=str(uuid4()),
        name=name,
        template_id=template.id,
        config=apply_schema(template.function_params_schema, item["config"]),
        mapping=item["mapping"],
        filters=item["filters"],
        error_localizer=item["error_localizer"],
        model=item["model"],
    )
    _check_storable(config)
    return config


def _check_storable(config: EvalConfig) -> None:
    """Raise `_StorageError` for what the database would reject."""
    if any(len(text or "") > _MAX_LENGTH for text in (config.name, config.model)):
        raise _StorageError(f"value too long for type character varying({_MAX_LENGTH})")
    if any(
        map(_is_unstorable, leaves([config.config, config.mapping, config.filters]))
    ):
        raise _StorageError("unsupported Unicode escape sequence")


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _is_unstorable(value: Any) -> bool:
    """Return whether a value is a text with what the database cannot store."""
    return isinstance(value, str) and _UNSTORABLE.search(value) is not None


_NOT_UPDATED = "Unable to update and run evaluation. Please try again."
"""The message of an update for nearly every problem, an unknown id included."""

_RERUNNABLE = ("completed", "cancelled", "failed")


def update(context: Context) -> Response:
    """Change a config and, on request, run it on one execution.

    The change is saved before the execution is checked.
    """
    body = context.body(UPDATE_EVAL_CONFIG)
    run_test_id, config_id = context.ids
    run_test = context.world.run_test(run_test_id, context.key)
    config = run_test and run_test.live_config(config_id)
    if not run_test or not config:
        return error_response(500, _NOT_UPDATED)
    try:
        changed = _changed_config(context, run_test, config, body)
    except _StorageError:
        return error_response(500, _NOT_UPDATED)
    for field in attrs.fields(EvalConfig):
        setattr(config, field.name, getattr(changed, field.name))
    if body["run"]:
        return _rerun(context, run_test, config_id, body["test_execution_id"])
    return _updated("Evaluation config updated successfully", context)


def _changed_config(
    context: Context, run_test: RunTest, config: EvalConfig, body: dict[str, Any]
) -> EvalConfig:
    """Return the config as it will be saved, checked in the service's order.

    Raises:
        RejectedError: a value does not fit.
        _StorageError: the database does not store a value.
    """
    template = _new_template(context, body)
    changes: dict[str, Any] = {
        name: body[name]
        for name in ("mapping", "name", "model", "error_localizer")
        if name in body
    }
    changes.update(_changed_parameters(context, config, body, template))
    if "filters" in body:
        changes["filters"] = body["filters"] or []
    if "name" in body and _is_name_taken(run_test, config, body["name"]):
        raise RejectedError(error_response(400, _name_exists(body["name"])))
    if body.get("kb_id"):
        # A world has no knowledge bases.
        raise RejectedError(error_response(400, "Knowledge base not found"))
    if template:
        changes["template_id"] = template.id
        if "mapping" not in body:
            _check_mapping(config.mapping, template)
    changed = attrs.evolve(config, **changes)
    _check_storable(changed)
    return changed


def _new_template(context: Context, body: dict[str, Any]) -> Template | None:
    """Return the template to change to, if there is one."""
    if "template_id" not in body:
        return None
    template = context.world.template(body["template_id"], context.key)
    if template is None:
        raise RejectedError(error_response(400, "Evaluation template not found"))
    return template


def _changed_parameters(
    context: Context,
    config: EvalConfig,
    body: dict[str, Any],
    template: Template | None,
) -> dict[str, Any]:
    """Return a new config, or the old one fitted to a new template.

    Null and {} are no new config.
    """
    new = body.get("config")
    if not new and not template:
        return {}
    template = template or context.world.templates[config.template_id]
    try:
        parameters = apply_schema(template.function_params_schema, new or config.config)
    except ParameterError as error:
        message = str(error)
        if not new:
            message = (
                "Cannot switch template: existing config is incompatible with new "
                f"template. {message}"
            )
        raise RejectedError(error_response(400, message)) from None
    return {"config": parameters}


def _is_name_taken(run_test: RunTest, config: EvalConfig, name: str) -> bool:
    """Return whether another config of the run test has the name."""
    return any(
        other.name == name for other in run_test.live_configs() if other is not config
    )


def _check_mapping(mapping: Any, template: Template) -> None:
    """Check that an old mapping fits a new template; a new mapping is not checked."""
    valid = {*template.required_keys, *template.optional_keys}
    unknown = sorted(set(mapping or ()) - valid)
    if unknown:
        message = (
            f"Keys {unknown} are not valid input variables for the selected template. "
            f"Valid keys: {sorted(valid)}"
        )
        raise RejectedError(error_response(400, message))


def _rerun(
    context: Context, run_test: RunTest, config_id: str, execution_id: str
) -> Response:
    """Run one config on one execution, once more or for the first time."""
    execution = run_test.execution(execution_id)
    if execution is None:
        return error_response(500, _NOT_UPDATED)
    if execution.status not in _RERUNNABLE:
        return error_response(
            400,
            "Only test executions with COMPLETED, CANCELLED, or FAILED status can "
            "have evaluations rerun",
        )
    count = len(execution.live_calls())
    if not count:
        message = (
            "Evaluation config updated successfully. No call executions found to rerun."
        )
        return _updated(message, context, test_execution_id=execution_id)
    erase_results([execution], [config_id])
    execution.status = "evaluating"
    if context.dispatch == "fail":
        # Nothing is undone, so the execution is evaluating for ever.
        return error_response(500, _NOT_UPDATED)
    start_pending_evaluations(context.workers, run_test, [execution], [config_id])
    context.effects.runs += 1
    return _updated(
        "Evaluation config updated and rerun triggered successfully",
        context,
        test_execution_id=execution_id,
        call_execution_count=count,
        note=f"{count} parallel tasks will be spawned to process evaluations",
    )


def _updated(message: str, context: Context, **more: Any) -> Response:
    """Return the response to an update; what does not apply is null."""
    run_test_id, config_id = context.ids
    return json_response(
        200,
        {
            "message": message,
            "eval_config_id": config_id,
            "run_test_id": run_test_id,
            "test_execution_id": None,
            "call_execution_count": None,
            "note": None,
            **more,
        },
    )


def delete(context: Context) -> Response:
    """Hide a config; the guard of the last one precedes the check that it exists."""
    run_test = context.run_test("Run test not found.")
    if len(run_test.live_configs()) <= 1:
        return error_response(
            400,
            "Cannot delete the last evaluation config. "
            "At least one evaluation config must remain.",
        )
    config = run_test.live_config(context.ids[1])
    if config is None:
        return error_response(404, "Evaluation config not found")
    config.deleted = True
    return json_response(200, {"message": "Evaluation config deleted successfully"})
