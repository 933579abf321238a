"""The values that all rooms share: requests, results, operations, outcomes."""

from typing import TYPE_CHECKING

from futureagi_async._lazy import lazy_exports


if TYPE_CHECKING:
    from futureagi_async.model import (
        codec as codec,
        operation as operation,
        outcome as outcome,
        page as page,
        reconciliation as reconciliation,
        request as request,
        resource as resource,
        validation as validation,
    )
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        globals(),
        dict.fromkeys(
            (
                ".codec",
                ".operation",
                ".outcome",
                ".page",
                ".reconciliation",
                ".request",
                ".resource",
                ".validation",
            ),
            (),
        ),
    )
