"""Runs the benchmarks and prints their table."""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from typing import Any

from benchmarks import (
    blocking,
    emulator,
    fanout,
    imports,
    instructions,
    scheduler,
    values,
)
from benchmarks.rows import table


_PARTS: dict[str, Any] = {
    "fanout": fanout,
    "instructions": instructions,
    "scheduler": scheduler,
    "values": values,
    "blocking": blocking,
    "imports": imports,
    "emulator": emulator,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="less work, in some minutes"
    )
    parser.add_argument("--only", choices=_PARTS, action="append", help="this part")
    parser.add_argument("--json", type=pathlib.Path, help="write the rows to this file")
    options = parser.parse_args()
    rows = []
    for name in options.only or _PARTS:
        for row in _PARTS[name].rows(quick=options.quick):
            print(f"measured: {row.name}", file=sys.stderr)
            rows.append(row)
    print(table(rows))
    if options.json is not None:
        options.json.write_text(json.dumps([row.as_json() for row in rows], indent=1))


if __name__ == "__main__":
    main()
