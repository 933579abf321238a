"""The operations that ensure the same eval configs on many run tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from futureagi_async import EnsureEvalConfigs


if TYPE_CHECKING:
    from collections.abc import Iterable


def ensures(
    run_tests: Iterable[Any], configs: Any, *, on_conflict: Any = "raise"
) -> list[EnsureEvalConfigs]:
    return [
        EnsureEvalConfigs(run_test, configs, on_conflict=on_conflict)
        for run_test in run_tests
    ]
