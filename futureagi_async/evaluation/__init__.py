"""The whole job for many run tests: ensure configs, run, wait, read the scores."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from futureagi_async.evaluation import (
        ensure_configs,
        inputs,
        options,
        pipeline,
        report,
        start,
    )

__all__ = [
    "ensure_configs",
    "inputs",
    "options",
    "pipeline",
    "report",
    "start",
]


def __getattr__(name: str) -> Any:
    """Import a module when it is first used: what is not used costs nothing."""
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
