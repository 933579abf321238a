"""One module per endpoint, with its request and its result."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from futureagi_async.endpoints import (
        add_eval_configs,
        delete_eval_config,
        eval_config,
        find_by_name,
        get_eval_summary,
        get_run_test,
        list_call_executions,
        list_eval_templates,
        list_run_tests,
        list_test_executions,
        run_new_evals,
        scores,
        status,
        update_eval_config,
    )

__all__ = [
    "add_eval_configs",
    "delete_eval_config",
    "eval_config",
    "find_by_name",
    "get_eval_summary",
    "get_run_test",
    "list_call_executions",
    "list_eval_templates",
    "list_run_tests",
    "list_test_executions",
    "run_new_evals",
    "scores",
    "status",
    "update_eval_config",
]


def __getattr__(name: str) -> Any:
    """Import a module when it is first used, which makes importing the package cheap."""
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
