"""Adding, changing and deleting eval configs."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from futureagi_async.emulator.context import Context
from futureagi_async.emulator.envelope import error
from futureagi_async.emulator.exchange import Answer, json_answer
from futureagi_async.emulator.forms import ADD_EVAL_CONFIGS
from futureagi_async.emulator.parameters import ParameterError, with_parameters
from futureagi_async.emulator.world import ApiKey, EvalConfig, World


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
        name = item.get("name") or f"Eval-{item['template_id']}"
        if context.world.template(item["template_id"], context.key) is None:
            warnings.append(f"EvalTemplate with id {item['template_id']} not found")
            continue
        if name in names:
            return error(400, name_exists(name))
        try:
            config = new_config(item, name, context.world, context.key)
        except (ParameterError, StorageError) as problem:
            warnings.append(f"Error creating evaluation config: {problem}")
            continue
        run_test.eval_configs.append(config)
        names.add(name)
        created.append(config)
        context.work.configs += 1
    if not created:
        # The reasons are lost.
        return error(400, "Failed to create any evaluation configs")
    body: dict[str, Any] = {
        "message": f"Successfully added {len(created)} evaluation config(s) to run test",
        "created_eval_configs": [shown(config) for config in created],
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


def new_config(
    item: dict[str, Any], name: str, world: World, key: ApiKey
) -> EvalConfig:
    """A config that is not stored yet.

    Raises:
        ParameterError: Its template does not accept its parameters.
        StorageError: The database does not take it.
    """
    template = world.templates[item["template_id"]]
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
    stored = json.dumps([config.config, config.mapping, config.filters])
    if "\\u0000" in stored:
        raise StorageError("unsupported Unicode escape sequence")


def shown(config: EvalConfig) -> dict[str, Any]:
    """A config as answers show it.

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
