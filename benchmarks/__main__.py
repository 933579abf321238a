"""Run the benchmarks, print their table and store the results.

A complete run writes `benchmarks/results.json` and the table in `benchmarks/README.md`;
a quick or partial one only prints, unless `--write` is there.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from typing import Any

from benchmarks import (
    blocking,
    emulator,
    imports,
    instructions,
    latency,
    memory,
    report,
    scheduler,
    throughput,
    traffic,
    values,
)
from benchmarks.rows import table


_PARTS: dict[str, Any] = {
    "throughput": throughput,
    "latency": latency,
    "instructions": instructions,
    "scheduler": scheduler,
    "memory": memory,
    "values": values,
    "blocking": blocking,
    "imports": imports,
    "emulator": emulator,
    "traffic": traffic,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="less work, in about a minute: rough figures",
    )
    parser.add_argument("--only", choices=_PARTS, action="append", help="this part")
    parser.add_argument("--json", type=pathlib.Path, help="write results to this file")
    parser.add_argument(
        "--write",
        action="store_true",
        help="store the results of a quick run, or those of a part beside the others",
    )
    options = parser.parse_args()
    command = " ".join(["python -m benchmarks", *sys.argv[1:]])
    rows = []
    for name in options.only or _PARTS:
        for row in _PARTS[name].rows(quick=options.quick):
            print(f"measured: {row.name}", file=sys.stderr)
            rows.append(row)
    print(table(rows))
    found = report.results(rows, command)
    if options.json is not None:
        report.write(found, options.json)
    if options.write or not (options.quick or options.only):
        report.store(found, is_part=bool(options.only))


if __name__ == "__main__":
    main()
