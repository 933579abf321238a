"""Many operations with bounded concurrency, one outcome each, and the journal beside them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from futureagi_async.batch import executor

__all__ = ["executor"]


def __getattr__(name: str) -> Any:
    """Import a module when it is first used: what is not used costs nothing."""
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
