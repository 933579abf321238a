"""The values that all rooms share: requests, results, operations, outcomes."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from futureagi_async.model import (
        codec,
        operation,
        outcome,
        page,
        reconciliation,
        request,
        resource,
        validation,
    )

__all__ = [
    "codec",
    "operation",
    "outcome",
    "page",
    "reconciliation",
    "request",
    "resource",
    "validation",
]


def __getattr__(name: str) -> Any:
    """Import a module when it is first used, so that modules can name each other."""
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
