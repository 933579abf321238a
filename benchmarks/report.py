"""The stored results: a JSON file, and a table between two marks of the README."""

from __future__ import annotations

import json
import pathlib
from typing import TYPE_CHECKING, Any

from benchmarks.machine import machine, versions
from benchmarks.rows import Row, table


if TYPE_CHECKING:
    from collections.abc import Sequence


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


def merged(stored: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Return stored results in which those of a part are replaced, or added.

    Each part has its own machine and versions, in `parts`.
    """
    rows = {each["name"]: each for each in stored["rows"] + part["rows"]}
    about = {key: each for key, each in part.items() if key != "rows"}
    parts = {each["command"]: each for each in [*stored.get("parts", ()), about]}
    return {**stored, "rows": list(rows.values()), "parts": list(parts.values())}


def write(found: dict[str, Any], path: pathlib.Path) -> None:
    """Write a JSON file of results."""
    path.write_text(json.dumps(found, indent=1) + "\n")


def store(found: dict[str, Any], *, is_part: bool) -> None:
    """Store results in the JSON file and in the README, where a part joins the others."""
    if is_part:
        found = merged(json.loads(RESULTS.read_text()), found)
    write(found, RESULTS)
    README.write_text(with_table(README.read_text(), found))


def with_table(text: str, found: dict[str, Any]) -> str:
    """Return a text with the table, and the machine, between its marks."""
    before, old = text.split(_BEGIN)
    _, after = old.split(_END)
    about = [_described(each) for each in (found, *found.get("parts", ()))]
    drawn = table(map(Row.from_json, found["rows"]))
    made = "\n".join([*about, "", drawn])
    return f"{before}{_BEGIN}\n{made}\n{_END}{after}"


def _described(found: dict[str, Any]) -> str:
    """Return with which command, on which machine and with what this was measured."""
    on, used = found["machine"], found["versions"]
    known = [f"{name} {version}" for name, version in used.items() if version]
    return (
        f"`{found['command']}` on {on['cpu']}, {on['cores']} cores, {on['kernel']}, "
        f"load {on['load']} at the end.\n{', '.join(known)}."
    )
