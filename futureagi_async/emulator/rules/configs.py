"""Adding, changing and deleting eval configs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import attrs

from futureagi_async.emulator.rows import EvalConfig
from futureagi_async.emulator.rules import presentation
from futureagi_async.emulator.rules.envelope import RefusedError, error
from futureagi_async.emulator.rules.evaluations import prepare
from futureagi_async.emulator.rules.exchange import Answer, json_answer
from futureagi_async.emulator.rules.forms import ADD_EVAL_CONFIGS, UPDATE_EVAL_CONFIG
from futureagi_async.emulator.rules.parameters import ParameterError, with_parameters


if TYPE_CHECKING:
    from futureagi_async.emulator.rows import RunTest, Template
    from futureagi_async.emulator.rules.context import Context


LONGEST = 255
"""Characters that the database takes for a name or a model; no form says so."""


def add(context: Context) -> Answer:
    """Creates one config after the other, and does not take back what it created.

    A name that exists ends the request with a 400: configs before it stay. Any other
    trouble with one config is a warning beside those that were created.
    """
    wanted = context.body(ADD_EVAL_CONFIGS)["evaluations_config"]
    run_test = context.run_test()
    names = {config.name for config in run_test.live_configs()}
    created: list[EvalConfig] = []
    warnings: list[str] = []
    for item in wanted:
        template = context.world.template(item["template_id"], context.key)
        if template is None:
            warnings.append(f"EvalTemplate with id {item['template_id']} not found")
            continue
        name = item.get("name") or f"Eval-{template.id}"
        if name in names:
            return error(400, name_exists(name))
        try:
            config = new_config(item, name, template)
        except (ParameterError, StorageError) as problem:
            warnings.append(f"Error creating evaluation config: {problem}")
            continue
        names.add(name)
        created.append(config)
        run_test.eval_configs.append(config)
        context.work.configs += 1
    return added(run_test, created, warnings)


def added(run_test: RunTest, created: list[EvalConfig], warnings: list[str]) -> Answer:
    """What was created; if it is nothing, the reasons are lost."""
    if not created:
        return error(400, "Failed to create any evaluation configs")
    body: dict[str, Any] = {
        "message": f"Successfully added {len(created)} evaluation config(s) to run test",
        "created_eval_configs": [presentation.eval_config(each) for each in created],
        "run_test_id": run_test.id,
    }
    if warnings:
        body["warnings"] = warnings
    return json_answer(201, body)


def name_exists(name: str) -> str:
    """What a name clash answers."""
    return (
        f"An evaluation config with the name '{name}' already exists in this run test. "
        "Please use a different name."
    )


class StorageError(Exception):
    """A value that the database does not take."""


def new_config(item: dict[str, Any], name: str, template: Template) -> EvalConfig:
    """A config that is not stored yet.

    Raises:
        ParameterError: Its template does not accept its parameters.
        StorageError: The database does not take it.
    """
    config = EvalConfig(
        id=str(uuid4()),
        name=name,
        template_id=template.id,
        config=with_parameters(template.function_params_schema, item["config"]),
        mapping=item["mapping"],
        filters=item["filters"],
        error_localizer=item["error_localizer"],
        model=item["model"],
    )
    check_storable(config)
    return config


def check_storable(config: EvalConfig) -> None:
    """What the database would refuse."""
    if max(len(config.name), len(config.model or "")) > LONGEST:
        raise StorageError(f"value too long for type character varying({LONGEST})")
    if any(map(unstorable, (config.config, config.mapping, config.filters))):
        raise StorageError("unsupported Unicode escape sequence")


UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def unstorable(value: Any) -> bool:
    """Whether a text somewhere in a value holds what the database cannot."""
    match value:
        case str():
            return UNSTORABLE.search(value) is not None
        case dict():
            return any(map(unstorable, value)) or any(map(unstorable, value.values()))
        case list():
            return any(map(unstorable, value))
        case _:
            return False


NOT_UPDATED = "Unable to update and run evaluation. Please try again."
"""What an update answers to nearly everything, an unknown id included."""

RERUNNABLE = ("completed", "cancelled", "failed")


def update(context: Context) -> Answer:
    """Changes a config and, if wanted, runs it on one execution.

    The change is saved before the execution is looked at.
    """
    wanted = context.body(UPDATE_EVAL_CONFIG)
    run_test_id, config_id = context.ids
    run_test = context.world.run_test(run_test_id, context.key)
    config = run_test and run_test.live_config(config_id)
    if not run_test or not config:
        return error(500, NOT_UPDATED)
    try:
        changed = changed_config(context, run_test, config, wanted)
    except StorageError:
        return error(500, NOT_UPDATED)
    for field in attrs.fields(EvalConfig):
        setattr(config, field.name, getattr(changed, field.name))
    if wanted["run"]:
        return rerun(context, run_test, config_id, wanted["test_execution_id"])
    return updated("Evaluation config updated successfully", context)


def changed_config(
    context: Context, run_test: RunTest, config: EvalConfig, wanted: dict[str, Any]
) -> EvalConfig:
    """The config as it will be saved; the checks stand in the service's order.

    Raises:
        RefusedError: A value does not fit.
        StorageError: The database does not take a value.
    """
    template = new_template(context, wanted)
    changes: dict[str, Any] = {
        name: wanted[name]
        for name in ("mapping", "name", "model", "error_localizer")
        if name in wanted
    }
    changes.update(changed_parameters(context, config, wanted, template))
    if "filters" in wanted:
        changes["filters"] = wanted["filters"] or []
    if "name" in wanted and name_taken(run_test, config, wanted["name"]):
        raise RefusedError(error(400, name_exists(wanted["name"])))
    if wanted.get("kb_id"):
        # A world holds no knowledge bases.
        raise RefusedError(error(400, "Knowledge base not found"))
    if template:
        changes["template_id"] = template.id
        if "mapping" not in wanted:
            check_mapping(config.mapping, template)
    changed = attrs.evolve(config, **changes)
    check_storable(changed)
    return changed


def new_template(context: Context, wanted: dict[str, Any]) -> Template | None:
    """The template to change to, if there is one."""
    if "template_id" not in wanted:
        return None
    template = context.world.template(wanted["template_id"], context.key)
    if template is None:
        raise RefusedError(error(400, "Evaluation template not found"))
    return template


def changed_parameters(
    context: Context,
    config: EvalConfig,
    wanted: dict[str, Any],
    template: Template | None,
) -> dict[str, Any]:
    """A new config, or the old one refitted to a new template; null and {} are none."""
    try:
        if wanted.get("config"):
            fitting = template or context.world.templates[config.template_id]
            schema = fitting.function_params_schema
            return {"config": with_parameters(schema, wanted["config"])}
        if template:
            schema = template.function_params_schema
            return {"config": with_parameters(schema, config.config)}
    except ParameterError as problem:
        message = str(problem)
        if not wanted.get("config"):
            message = (
                "Cannot switch template: existing config is incompatible with new "
                f"template. {message}"
            )
        raise RefusedError(error(400, message)) from None
    return {}


def name_taken(run_test: RunTest, config: EvalConfig, name: str) -> bool:
    """Whether another config of the run test has the name."""
    return any(
        other.name == name for other in run_test.live_configs() if other is not config
    )


def check_mapping(mapping: Any, template: Template) -> None:
    """An old mapping must fit a new template; a new one is not looked at."""
    valid = {*template.required_keys, *template.optional_keys}
    strange = sorted(set(mapping or ()) - valid)
    if strange:
        message = (
            f"Keys {strange} are not valid input variables for the selected template. "
            f"Valid keys: {sorted(valid)}"
        )
        raise RefusedError(error(400, message))


def rerun(
    context: Context, run_test: RunTest, config_id: str, execution_id: str
) -> Answer:
    """Runs one config on one execution, once more or for the first time."""
    execution = run_test.execution(execution_id)
    if execution is None:
        return error(500, NOT_UPDATED)
    if execution.status not in RERUNNABLE:
        return error(
            400,
            "Only test executions with COMPLETED, CANCELLED, or FAILED status can "
            "have evaluations rerun",
        )
    count = len(execution.calls)
    if not count:
        message = (
            "Evaluation config updated successfully. No call executions found to rerun."
        )
        return updated(message, context, test_execution_id=execution_id)
    prepare([execution], [config_id])
    execution.status = "evaluating"
    if context.evaluations.dispatch == "fail":
        # Nothing is taken back, so the execution is evaluating for ever.
        return error(500, NOT_UPDATED)
    context.evaluations.take(run_test, [execution], [config_id], context.now)
    context.work.runs += 1
    return updated(
        "Evaluation config updated and rerun triggered successfully",
        context,
        test_execution_id=execution_id,
        call_execution_count=count,
        note=f"{count} parallel tasks will be spawned to process evaluations",
    )


def updated(message: str, context: Context, **more: Any) -> Answer:
    """The answer to an update; what does not apply is null."""
    run_test_id, config_id = context.ids
    return json_answer(
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


def delete(context: Context) -> Answer:
    """Hides a config; the guard of the last one comes before the look for it."""
    run_test = context.run_test("Run test not found.")
    if len(run_test.live_configs()) <= 1:
        return error(
            400,
            "Cannot delete the last evaluation config. "
            "At least one evaluation config must remain.",
        )
    config = run_test.live_config(context.ids[1])
    if config is None:
        return error(404, "Evaluation config not found")
    config.deleted = True
    return json_answer(200, {"message": "Evaluation config deleted successfully"})
