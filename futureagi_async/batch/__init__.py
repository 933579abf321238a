"""Many operations with bounded concurrency, one outcome each, and the journal beside them."""

from typing import TYPE_CHECKING

from futureagi_async._lazy import lazy_exports


if TYPE_CHECKING:
    from futureagi_async.batch import (
        batch_executor as batch_executor,
        config as config,
        stream as stream,
    )
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        globals(),
        dict.fromkeys((".batch_executor", ".config", ".stream"), ()),
    )
