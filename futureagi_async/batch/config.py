"""The options of a batch, validated."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import attrs

from futureagi_async.errors import ConfigurationError
from futureagi_async.model.validation import describe_type
from futureagi_async.transport.settings import (
    DEFAULT_MAX_CONCURRENCY,
    positive_int,
    positive_seconds,
)


if TYPE_CHECKING:
    from datetime import timedelta

    from futureagi_async.transport.settings import Settings


def validate_concurrency(value: int | None, max_connections: int) -> int:
    """Return how many requests are in flight at a time.

    Raises:
        ConfigurationError: not a whole number from 1 to `max_connections`.
    """
    if value is None:
        return min(DEFAULT_MAX_CONCURRENCY, max_connections)
    positive_int(value, "max_concurrency")
    if value > max_connections:
        raise ConfigurationError(
            f"max_concurrency: {value} requests need as many connections, and the "
            f"client has {max_connections}; make it with max_connections={value}"
        )
    return value


@attrs.frozen
class BatchConfig:
    """The options of a batch, validated and complete.

    Attributes:
        max_concurrency: how many requests are in flight at a time.
        timeout: seconds after which nothing more is started.
        journal: where requests and outcomes are written.
        base_url: the service, a part of the journal's keys.
        workspace_id: the workspace, likewise.
    """

    max_concurrency: int
    timeout: float | None = None
    journal: str | os.PathLike[str] | None = None
    base_url: str = ""
    workspace_id: str | None = None

    @property
    def workers(self) -> int:
        """How many operations are in progress: with a journal some wait for the disk."""
        return self.max_concurrency * (1 if self.journal is None else 2)

    @classmethod
    def of(
        cls,
        settings: Settings,
        max_concurrency: int | None,
        timeout: float | timedelta | None,
        journal: str | os.PathLike[str] | None,
    ) -> BatchConfig:
        """Validate the options of a batch.

        Raises:
            ConfigurationError: one of them is impossible.
        """
        seconds = None if timeout is None else positive_seconds(timeout, "timeout")
        if journal is not None and not isinstance(journal, str | os.PathLike):
            raise ConfigurationError(
                f"journal: the path of a file is expected, not {describe_type(journal)}"
            )
        concurrency = validate_concurrency(max_concurrency, settings.max_connections)
        return cls(
            concurrency, seconds, journal, settings.base_url, settings.workspace_id
        )
