"""The outcomes of a batch, one for each operation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, Self, TypeAlias, overload

import attrs

from futureagi_async.errors import Delivery, FutureAGIError, NotAttemptedError
from futureagi_async.model.operation import Operation
from futureagi_async.model.request import ResultT_co


@attrs.frozen
class _RequestOutcome(Generic[ResultT_co]):
    """The outcome of an operation."""

    request: Operation[ResultT_co]

    @property
    def run_test_id(self) -> str | None:
        """The run test that the operation is about."""
        return self.request.run_test_id


@attrs.frozen
class Success(_RequestOutcome[ResultT_co]):
    """An operation that the service carried out.

    Attributes:
        request: the operation.
        result: its result.
        attempts: number of attempts.
        elapsed: seconds from its start to its outcome, pauses between attempts included.
        from_journal: whether the journal has this outcome, of an earlier batch or of an
            equal request in this one, so that nothing was sent.
    """

    result: ResultT_co
    attempts: int
    elapsed: float
    from_journal: bool = False


@attrs.frozen
class Failure(_RequestOutcome[ResultT_co]):
    """An operation that failed.

    Attributes:
        request: the operation.
        error: the error; its `delivery` is whether the work was done.
        attempts: number of attempts.
        elapsed: seconds from its start to its outcome, pauses between attempts included.
        from_journal: whether the journal has this outcome, of an earlier batch or of an
            equal request in this one, so that nothing was sent.
    """

    error: FutureAGIError
    attempts: int
    elapsed: float
    from_journal: bool = False


@attrs.frozen
class NotAttempted(_RequestOutcome[ResultT_co]):
    """An operation that was not started, because the batch was stopped before it."""

    error: NotAttemptedError
    attempts: int = 0
    elapsed: float = 0.0
    from_journal: bool = False


Outcome: TypeAlias = (
    Success[ResultT_co] | Failure[ResultT_co] | NotAttempted[ResultT_co]
)


class Batch(Sequence[Outcome[ResultT_co]]):
    """The outcomes of a batch, in the order of its input."""

    __slots__ = ("_outcomes",)

    def __init__(self, outcomes: Iterable[Outcome[ResultT_co]] = ()) -> None:
        self._outcomes = tuple(outcomes)

    @property
    def successes(self) -> list[Success[ResultT_co]]:
        """The operations that the service carried out."""
        return [each for each in self._outcomes if isinstance(each, Success)]

    @property
    def failures(self) -> list[Failure[ResultT_co]]:
        """The operations that failed."""
        return [each for each in self._outcomes if isinstance(each, Failure)]

    @property
    def unknown(self) -> list[Failure[ResultT_co]]:
        """The failures whose work may have been done nevertheless."""
        return [e for e in self.failures if e.error.delivery is Delivery.UNKNOWN]

    @property
    def partial(self) -> list[Success[ResultT_co]]:
        """The successes with warnings: the service did not do everything requested."""
        return [each for each in self.successes if each.result.warnings]

    @property
    def not_attempted(self) -> list[NotAttempted[ResultT_co]]:
        """The operations that were not started, because the batch was stopped."""
        return [each for each in self._outcomes if isinstance(each, NotAttempted)]

    def raise_for_failures(self) -> Self:
        """Return the batch if every operation of it succeeded.

        Raises:
            BatchError: one did not; it has the error of each that did not.
        """
        if all(isinstance(each, Success) for each in self._outcomes):
            return self
        raise BatchError.of(self)

    def __len__(self) -> int:
        return len(self._outcomes)

    @overload
    def __getitem__(self, index: int) -> Outcome[ResultT_co]: ...

    @overload
    def __getitem__(self, index: slice) -> Batch[ResultT_co]: ...

    def __getitem__(
        self, index: int | slice
    ) -> Outcome[ResultT_co] | Batch[ResultT_co]:
        if isinstance(index, slice):
            return Batch(self._outcomes[index])
        return self._outcomes[index]

    def __iter__(self) -> Iterator[Outcome[ResultT_co]]:
        return iter(self._outcomes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Batch) and other._outcomes == self._outcomes

    def __hash__(self) -> int:
        return hash(self._outcomes)

    def __repr__(self) -> str:
        return f"<Batch of {_counts(self)}>"


def _counts(batch: Batch[Any]) -> str:
    return (
        f"{len(batch)}: {len(batch.successes)} succeeded ({len(batch.partial)} partial), "
        f"{len(batch.failures)} failed ({len(batch.unknown)} unknown), "
        f"{len(batch.not_attempted)} not attempted"
    )


def combined_delivery(errors: Iterable[FutureAGIError]) -> Delivery:
    """Return the least certain delivery of the errors."""
    deliveries = {each.delivery for each in errors} | {Delivery.NOT_SENT}
    return max(deliveries, key=list(Delivery).index)


class BatchError(FutureAGIError, ExceptionGroup[FutureAGIError]):
    """Some operations of a batch did not succeed; `exceptions` has the error of each.

    Attributes:
        batch: all outcomes, those of the successes included.
    """

    batch: Batch[Any]

    @classmethod
    def of(cls, batch: Batch[Any]) -> BatchError:
        """Return the error of a batch that has failures."""
        errors: list[FutureAGIError] = [each.error for each in batch.failures]
        errors += [each.error for each in batch.not_attempted]
        error = cls(f"not every request was carried out, of {_counts(batch)}", errors)
        error.batch = batch
        error.delivery = combined_delivery(errors)
        return error

    def derive(self, excs: Sequence[FutureAGIError]) -> BatchError:  # type: ignore[override]  # a group of this package's errors only
        """Return the part of this group that `except*` and `split` select."""
        part = BatchError(self.message, excs)
        part.batch, part.delivery = self.batch, self.delivery
        return part


class BatchInterruptedError(FutureAGIError):
    """The caller's iterable or callback raised an exception, which ended the batch.

    That exception is the `__cause__`. Operations in flight were completed.

    Attributes:
        batch: the outcomes of all operations that had been read until then.
    """

    def __init__(self, message: str, batch: Batch[Any]) -> None:
        super().__init__(message)
        self.batch = batch
        self.delivery: Delivery = combined_delivery(
            [failure.error for failure in batch.failures]
        )

    @classmethod
    def from_cause(
        cls, cause: BaseException | None, batch: Batch[Any]
    ) -> BatchInterruptedError:
        """Return the error of an exception, to be raised from it."""
        return cls(
            "the iterable of requests, or on_outcome, raised "
            f"{type(cause).__name__}: {cause}; operations in flight were completed",
            batch,
        )
