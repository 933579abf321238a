"""Evaluation of many run tests: ensure configs, run, wait, read the scores."""

from typing import TYPE_CHECKING

from futureagi_async._lazy import lazy_exports


if TYPE_CHECKING:
    from futureagi_async.evaluation import (
        ensure_configs as ensure_configs,
        inputs as inputs,
        options as options,
        report as report,
        stream as stream,
    )
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        globals(),
        dict.fromkeys(
            (
                ".ensure_configs",
                ".inputs",
                ".options",
                ".report",
                ".stream",
            ),
            (),
        ),
    )
