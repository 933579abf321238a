"""Finding out by reading whether a request in doubt was done."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from futureagi_async.model.request import Request, ResultT_co


if TYPE_CHECKING:
    from futureagi_async.errors import APIStatusError
    from futureagi_async.model.operation import History
    from futureagi_async.model.page import SendRead
    from futureagi_async.model.request import Result


@attrs.frozen
class Applied:
    """It was done, by whomever; `result` is put together from what was read."""

    result: Result


@attrs.frozen
class NotApplied:
    """It was not done, or not wholly; `request` is what is still to be sent."""

    request: Request[Any]
    seen: str = "read back: it was not done"


@attrs.frozen
class Conflict:
    """Something else has its place, so that it could only be refused.

    `existing` are the names that were asked for and that are there, whoever made them.
    """

    message: str
    existing: tuple[str, ...]


@attrs.frozen
class TargetMissing:
    """What it is about is not there, so that it could only be refused.

    The service answers 500 to some requests of that kind, which says nothing.
    """

    message: str


@attrs.frozen
class Indeterminate:
    """What was seen proves neither."""

    seen: str


Reconciliation: TypeAlias = (
    Applied | NotApplied | Conflict | TargetMissing | Indeterminate
)


class Reconcilable(Request[ResultT_co]):
    """A request of which the service shows afterwards whether it was done."""

    @abc.abstractmethod
    async def reconcile(self, read: SendRead, history: History) -> Reconciliation:
        """Find out by reading whether it was applied.

        Args:
            read: sends an idempotent request.
            history: reads what the journal has about the run test, where that can decide
                what reading alone cannot.
        """

    @abc.abstractmethod
    def result_from(self, seen: Any) -> Result:
        """Make the result of a request that was done, without an answer to it.

        `seen` is what a look has found; `None` if a person says that it was done.
        """

    def merge_rejection(
        self,
        error: APIStatusError,  # noqa: ARG002 - for endpoints to decide by
    ) -> Result | None:
        """Give the result of the whole, where a refusal of the rest of it is no failure.

        `accept` does so for an answer.
        """
        return None

    async def enrich_error(self, error: APIStatusError, read: SendRead) -> None:
        """Add to a refusal what reading can tell about it."""
