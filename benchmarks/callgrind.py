"""Instruction counts of parts of a program, by valgrind's callgrind.

A program calls `mark` where a part begins and ends. Under callgrind that writes down
what was counted since the last mark, so that one run has the count of each part, and
what comes before the first mark (imports, warming up) is left out.
Only user space is counted: the same on any machine.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


# A function of the C library that nothing but `mark` calls.
_MARK = "getppid"
_TOTAL = re.compile(r"^totals: (\d+)$", re.MULTILINE)


def is_installed() -> bool:
    """Return whether valgrind is installed."""
    return shutil.which("valgrind") is not None


def mark() -> None:
    """Begin the next part of the program."""
    os.getppid()


def counted(module: str, *arguments: str) -> list[int]:
    """Run `python -m module` and return the instructions between its marks."""
    with tempfile.TemporaryDirectory() as folder:
        profile = pathlib.Path(folder, "profile")
        command = ["valgrind", "--tool=callgrind", f"--dump-before={_MARK}"]
        command += [f"--callgrind-out-file={profile}"]
        command += [sys.executable, "-m", module, *arguments]
        subprocess.run(  # noqa: S603 - one of these modules
            command,
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
        dumps = sorted(
            pathlib.Path(folder).glob("profile.*"),
            key=lambda dump: int(dump.suffix[1:]),
        )
        totals = [_TOTAL.search(dump.read_text()) for dump in dumps]
    # The first is what came before the first mark.
    return [int(total[1]) for total in totals[1:] if total is not None]
