"""The stored results: a JSON file, and a table between two marks of the README."""

from __future__ import annotations

import json
import pathlib
from typing import TYPE_CHECKING, Any

from benchmarks.machine import machine, versions
from benchmarks.rows import table


if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.rows import Row


_FOLDER = pathlib.Path(__file__).parent
RESULTS = _FOLDER / "results.json"
README = _FOLDER / "README.md"
_BEGIN, _END = "<!-- results -->", "<!-- end of results -->"


def results(rows: Sequence[Row], command: str) -> dict[str, Any]:
    """Return rows, machine and versions as the JSON file has them."""
    return {
        "command": command,
        "rows": [row.as_json() for row in rows],
        "machine": machine(),
        "versions": versions(),
    }


def write(rows: Sequence[Row], command: str, path: pathlib.Path) -> None:
    """Write the JSON file."""
    path.write_text(json.dumps(results(rows, command), indent=1) + "\n")


def with_table(text: str, rows: Sequence[Row], command: str) -> str:
    """Return a text with the table, and the machine, between its marks."""
    before, old = text.split(_BEGIN)
    _, after = old.split(_END)
    made = f"`{command}` on {_described()}\n\n{table(rows)}"
    return f"{before}{_BEGIN}\n{made}\n{_END}{after}"


def _described() -> str:
    on, used = machine(), versions()
    known = [f"{name} {version}" for name, version in used.items() if version]
    return (
        f"{on['cpu']}, {on['cores']} cores, {on['kernel']}, load {on['load']} "
        f"at the end.\n{', '.join(known)}."
    )
