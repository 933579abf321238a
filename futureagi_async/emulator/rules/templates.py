"""The two lists of eval templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from futureagi_async.emulator.rows import is_usable
from futureagi_async.emulator.rules.exchange import Response, json_response
from futureagi_async.emulator.rules.forms import TEMPLATE_LIST


if TYPE_CHECKING:
    from futureagi_async.emulator.rows import Template
    from futureagi_async.emulator.rules.context import Context


def _usable_templates(context: Context) -> list[Template]:
    """Return the templates that the key may use, newest first."""
    templates = reversed(context.world.templates.values())
    return [template for template in templates if is_usable(template, context.key)]


def sdk_list(context: Context) -> Response:
    """Return all templates in one response."""
    result = [_to_json(template) for template in _usable_templates(context)]
    return json_response(200, {"status": True, "result": result})


def paged_list(context: Context) -> Response:
    """Return listed templates in pages that count from 0; past the last is empty."""
    body = context.body(TEMPLATE_LIST)
    search = (body["search"] or "").lower()
    found = [
        template
        for template in _usable_templates(context)
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


def _to_json(template: Template) -> dict[str, Any]:
    """Return a template as both lists show it."""
    return {
        "id": template.id,
        "name": template.name,
        "owner": _owner(template),
        "output_type": template.output_type,
        "required_keys": list(template.required_keys),
    }
