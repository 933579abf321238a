"""The command line: `futureagi-async`."""

from __future__ import annotations

import importlib.util
import sys


def main() -> None:
    """Run the command line, or exit with how to install what it needs."""
    missing = [
        name for name in ("typer", "rich") if importlib.util.find_spec(name) is None
    ]
    if missing:
        sys.exit(
            f"futureagi-async: {' and '.join(missing)} not installed; "
            "the commands come with: pip install 'futureagi-async[cli]'"
        )
    from futureagi_async.cli.app import app  # noqa: PLC0415 - only with the extra

    app()
