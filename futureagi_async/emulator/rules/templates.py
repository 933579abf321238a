"""The two lists of eval templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from futureagi_async.emulator.rows import usable
from futureagi_async.emulator.rules.exchange import Answer, json_answer
from futureagi_async.emulator.rules.forms import TEMPLATE_LIST


if TYPE_CHECKING:
    from futureagi_async.emulator.rows import Template
    from futureagi_async.emulator.rules.context import Context


def newest_first(context: Context) -> list[Template]:
    """The templates that the key may use."""
    everything = reversed(context.world.templates.values())
    return [template for template in everything if usable(template, context.key)]


def sdk_list(context: Context) -> Answer:
    """All of them in one answer."""
    result = [shown(template) for template in newest_first(context)]
    return json_answer(200, {"status": True, "result": result})


def paged_list(context: Context) -> Answer:
    """Those that are listed, in pages that count from 0; past the end it is empty."""
    wanted = context.body(TEMPLATE_LIST)
    search = (wanted["search"] or "").lower()
    found = [
        template
        for template in newest_first(context)
        if template.listed
        and search in template.name.lower()
        and wanted["owner_filter"] in ("all", owner(template))
    ]
    if wanted["sort_by"] == "name":
        found.sort(key=lambda template: template.name, reverse=True)
    if wanted["sort_order"] == "asc":
        found.reverse()
    page, size = wanted["page"], wanted["page_size"]
    result = {
        "items": [shown(template) for template in found[page * size :][:size]],
        "total": len(found),
        "page": page,
        "page_size": size,
    }
    return json_answer(200, {"status": True, "result": result})


def owner(template: Template) -> str:
    """Whose template it is."""
    return "system" if template.organization is None else "user"


def shown(template: Template) -> dict[str, Any]:
    """A template as both lists show it."""
    return {
        "id": template.id,
        "name": template.name,
        "owner": owner(template),
        "output_type": template.output_type,
        "required_keys": list(template.required_keys),
    }
