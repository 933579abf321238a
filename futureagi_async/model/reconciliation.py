"""Reconciling: finding out by reading whether a request was applied.

A request has an *unknown outcome* when it was sent and no usable response came: the
service may have applied it, or not.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable
from typing import Any, TypeAlias

import attrs

from futureagi_async.errors import APIStatusError
from futureagi_async.model.operation import History, HistoryEntry
from futureagi_async.model.page import SendRead
from futureagi_async.model.request import Request, Result, ResultT_co


@attrs.frozen
class Applied:
    """The request was applied, by this client or by another.

    Attributes:
        result: its result, put together from what was read.
    """

    result: Result


@attrs.frozen
class NotApplied:
    """The request was not applied, or only in part.

    Attributes:
        request: what remains to be sent.
        seen: what was read, for messages.
    """

    request: Request[Any]
    seen: str = "read back: it was not applied"


@attrs.frozen
class Conflict:
    """Something else has the name, so that the service would reject the request.

    Attributes:
        message: what has the name.
        existing: the requested names that exist, no matter who created them.
    """

    message: str
    existing: tuple[str, ...]


@attrs.frozen
class TargetMissing:
    """The object of the request does not exist, so that the service would reject it.

    The service answers 500 to some requests of that kind, which proves nothing.

    Attributes:
        message: what does not exist.
    """

    message: str


@attrs.frozen
class Indeterminate:
    """Result of reads that prove neither.

    Attributes:
        seen: what was read, for messages.
    """

    seen: str


Reconciliation: TypeAlias = (
    Applied | NotApplied | Conflict | TargetMissing | Indeterminate
)


def is_entry_of(entry: HistoryEntry, request: Request[Any]) -> bool:
    """Return whether the entry of a journal is about an equal request."""
    return (entry.path, entry.body) == (request.path, request.body)


def may_be_applied(entries: Iterable[HistoryEntry], request: Request[Any]) -> bool:
    """Return whether the journal has an equal request that was applied, or may be."""
    return any(
        is_entry_of(entry, request) and (entry.is_done or entry.is_unknown)
        for entry in entries
    )


class Reconcilable(Request[ResultT_co]):
    """A request that the service shows to be applied or not, when read afterwards."""

    @abc.abstractmethod
    async def reconcile(self, read: SendRead, history: History) -> Reconciliation:
        """Find out by reading whether it was applied.

        Args:
            read: sends an idempotent request.
            history: returns the journal entries of the run test, where these can decide
                what reading alone cannot.
        """

    @abc.abstractmethod
    def result_from(self, observed: Any) -> Result:
        """Return the result of a request that was applied without a response to it.

        `observed` is what was read; `None` if a person decided that it was applied.
        """

    def merge_rejection(
        self,
        error: APIStatusError,  # noqa: ARG002 - for endpoints to decide by
    ) -> Result | None:
        """Return the result of the original request, where only a part was rejected.

        `None` if the rejection is a failure of the original request. `merge` is the same
        for a response.
        """
        return None

    async def enrich_error(self, error: APIStatusError, read: SendRead) -> None:
        """Add to a rejection what can be found out about it by reading."""
