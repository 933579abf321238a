"""What every room speaks in: requests, operations, pages, outcomes, and the codec."""

from typing import TYPE_CHECKING

from futureagi_async._lazy import lazy_exports


if TYPE_CHECKING:
    from futureagi_async.model import outcome as outcome
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        globals(),
        dict.fromkeys((".outcome",), ()),
    )
