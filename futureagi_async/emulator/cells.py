"""Results of evaluations: as they are stored, and as lists of calls show them.

A stored cell is `{"output", "output_type", "reason", "name"}` and perhaps `status`,
`error`, `skipped` and `timestamp`; one that is under way is `PENDING`. A shown cell is
`{"value", "reason", "type", "name", "error", "status", "skipped"}`, or `{}` while it
is under way. An evaluation that nobody asked for has no cell at all.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


PENDING: Mapping[str, Any] = MappingProxyType({"status": "pending"})
"""The stored cell of an evaluation that is under way."""


def pending() -> dict[str, Any]:
    """Return a new stored cell of an evaluation that is under way."""
    return dict(PENDING)


def is_failed(cell: Mapping[str, Any]) -> bool:
    """Return whether an evaluation ended without a result, because of an error."""
    return cell.get("error") in (True, "error") or cell.get("status") == "error"


def show_cells(cells: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return stored cells as lists of calls show them; no objects are left out."""
    return {
        config_id: show_cell(cell)
        for config_id, cell in (cells or {}).items()
        if isinstance(cell, Mapping)
    }


def show_cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored cell as lists of calls show it."""
    status = cell.get("status")
    if status == "pending":
        return {}
    failed = is_failed(cell)
    output, kind = cell.get("output"), cell.get("output_type", "")
    return {
        "value": _choices(output) if kind == "choices" else output,
        "reason": cell.get("reason", ""),
        "type": kind,
        "name": cell.get("name", ""),
        "error": failed,
        "status": cell.get("status", "error" if failed else "completed"),
        "skipped": bool(cell.get("skipped")) or status == "skipped",
    }


def _choices(output: Any) -> Any:
    """Return the list that a choice is shown as, whatever form it was stored in."""
    match output:
        case None | list():
            return output
        case {"choices": list(several)}:
            return several
        case {"choice": one} if one is not None:
            return [one]
        case dict():
            return []
        case _:
            return [output]


def store_cell(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return a shown cell as it is stored."""
    if not shown:
        return pending()
    names = {"value": "output", "type": "output_type"}
    names |= {name: name for name in ("reason", "name", "status")}
    cell = {names[name]: shown[name] for name in names.keys() & shown.keys()}
    if shown.get("error"):
        cell["error"] = "error"
    if shown.get("skipped"):
        cell["skipped"] = True
    return cell
