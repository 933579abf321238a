"""The two lists of eval templates."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from futureagi_async.emulator.rules.exchange import Response, json_response
from futureagi_async.emulator.rules.forms import TEMPLATE_LIST


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from futureagi_async.emulator.rows import Template
    from futureagi_async.emulator.rules.context import Context


_SYSTEM_TAGS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "contains": ("Output Validation", "Text"),
        "one_line": ("Output Validation", "Output Format"),
    }
)
"""The tags of the system templates whose tags are known."""


def _listed_templates(context: Context) -> list[Template]:
    """Return the templates that lists show the key, newest first.

    One without a workspace is in no list, though it can be used.
    """
    key = context.key
    return [
        template
        for template in reversed(context.world.templates.values())
        if not template.deleted
        and (
            template.organization is None
            or (template.organization, template.workspace)
            == (key.organization, key.workspace)
        )
    ]


def sdk_list(context: Context) -> Response:
    """Return all templates in one response."""
    result = [_sdk_entry(template) for template in _listed_templates(context)]
    return json_response(200, {"status": True, "result": result})


def paged_list(context: Context) -> Response:
    """Return listed templates in pages that count from 0; past the last is empty."""
    body = context.body(TEMPLATE_LIST)
    search = (body["search"] or "").lower()
    found = [
        template
        for template in _listed_templates(context)
        if template.listed
        and search in template.name.lower()
        and body["owner_filter"] in ("all", _owner(template))
    ]
    if body["sort_by"] == "name":
        found.sort(key=lambda template: template.name, reverse=True)
    if body["sort_order"] == "asc":
        found.reverse()
    page, size = body["page"], body["page_size"]
    result = {
        "items": [_to_json(template) for template in found[page * size :][:size]],
        "total": len(found),
        "page": page,
        "page_size": size,
    }
    return json_response(200, {"status": True, "result": result})


def _owner(template: Template) -> str:
    """Return who owns the template."""
    return "system" if template.organization is None else "user"


def _sdk_entry(template: Template) -> dict[str, Any]:
    """Return a template in the list for clients; its kind and keys are in `config`."""
    config: dict[str, Any] = {
        "output": template.output_type,
        "eval_type_id": "CustomPromptEvaluator",
        "required_keys": list(template.required_keys),
    }
    if template.function_params_schema:
        config["function_params_schema"] = template.function_params_schema
    return {
        "id": template.id,
        "name": template.name,
        "description": template.description,
        "eval_id": 0,
        "eval_tags": list(template.eval_tags or _SYSTEM_TAGS.get(template.name, ())),
        "config": config,
        "criteria": template.criteria,
        "choices": template.choices,
        "multi_choice": template.multi_choice,
        "owner": _owner(template),
    }


def _to_json(template: Template) -> dict[str, Any]:
    """Return a template in the paged list."""
    return {
        "id": template.id,
        "name": template.name,
        "owner": _owner(template),
        "output_type": template.output_type,
        "required_keys": list(template.required_keys),
    }
