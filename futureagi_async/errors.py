"""What can go wrong, and what each failure says about the work that was asked for.

Every error is a `FutureAGIError` and carries a `Delivery`, so that whoever catches one
knows whether the service did the work, did not, or may have.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import attrs


BODY_LIMIT = 64 * 1024
"""Bytes of an answer that an error keeps."""

LINE_LIMIT = 500
"""Characters of a server's message that `str(error)` shows."""


class Delivery(enum.Enum):
    """What is known of the work after a failure."""

    NOT_SENT = "not_sent"
    """The request never left: nothing was done, and it may be sent again."""

    REJECTED = "rejected"
    """The service answered and refused."""

    UNKNOWN = "unknown"
    """The request left and no usable answer came: the work may have been done."""


@attrs.frozen
class ItemError:
    """What the service found wrong with one item of a list that was sent.

    `field` names the list; `index` is the item's place in it, counted from 0.
    """

    field: str
    index: int
    message: str


def _restore(
    cls: type[FutureAGIError], args: tuple[Any, ...], state: dict[str, Any]
) -> FutureAGIError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


class FutureAGIError(Exception):
    """The ancestor of every error that this package raises."""

    delivery: Delivery = Delivery.NOT_SENT
    """Whether the service did the work."""

    stops_batch: ClassVar[bool] = False
    """Whether every other request of a batch would fail in the same way."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are rebuilt from `args`, which knows no keyword arguments.
        return _restore, (type(self), self.args, self.__dict__)


class ConfigurationError(FutureAGIError):
    """A setting is missing or cannot work. Nothing was sent."""


class InvalidRequestError(FutureAGIError, ValueError):
    """A request could never succeed, so it was not sent."""


class ClientClosedError(FutureAGIError):
    """The client was closed before or during the call; see `delivery`."""

    stops_batch = True

    def __init__(
        self,
        message: str = "the client is closed; make a new one",
        *,
        delivery: Delivery = Delivery.NOT_SENT,
    ) -> None:
        super().__init__(message)
        self.delivery = delivery


class NameLookupError(FutureAGIError, LookupError):
    """No single thing has that name. It was only read; nothing was done.

    Attributes:
        name: the name that was looked for.
        matches: the ids of the things that have it: none, or more than one.
    """

    def __init__(self, message: str, *, name: str, matches: tuple[str, ...]) -> None:
        super().__init__(message)
        self.name = name
        self.matches = matches


class EvalConfigsDifferError(FutureAGIError):
    """A run test has eval configs of these names with other content.

    It was only read; nothing was changed.

    Attributes:
        run_test_id: the run test.
        names: the names.
    """

    def __init__(
        self, message: str, *, run_test_id: str, names: tuple[str, ...]
    ) -> None:
        super().__init__(message)
        self.run_test_id = run_test_id
        self.names = names


class JournalError(FutureAGIError):
    """A journal cannot be used as asked; the message says why, and what to do."""

    stops_batch = True


class NotAttemptedError(FutureAGIError):
    """A batch was stopped before this request's turn came. Nothing was sent."""


class APIError(FutureAGIError):
    """A request that was on its way to the service has failed.

    Attributes:
        message: what went wrong, the service's own words where it spoke.
        delivery: whether the service did the work.
        request_id: the `X-Request-ID` of the last attempt, for the support desk.
        run_test_id: the run test that the request was about, if it was about one.
        attempts: how often the request was tried.
        retry_after: seconds that the service asked to wait, if it did.
        earlier: the errors of the attempts before the last one, oldest first.
        hint: what else is known, as what was seen when the service was asked whether
            the work had been done; may be empty.
    """

    hint: str = ""

    def __init__(
        self,
        message: str,
        *,
        delivery: Delivery,
        request_id: str | None = None,
        run_test_id: str | None = None,
        attempts: int = 1,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.delivery = delivery
        self.request_id = request_id
        self.run_test_id = run_test_id
        self.attempts = attempts
        self.retry_after = retry_after
        self.earlier: tuple[APIError, ...] = ()

    @property
    def headline(self) -> str:
        """What `str` says before the message."""
        return ""

    def __str__(self) -> str:
        message = " ".join(self.message.split())
        if len(message) > LINE_LIMIT:
            message = f"{message[:LINE_LIMIT]}…"
        facts = [
            f"run test {self.run_test_id}" if self.run_test_id else "",
            f"request id {self.request_id}" if self.request_id else "",
            f"{self.attempts} attempts" if self.attempts > 1 else "",
            f"retry after {self.retry_after:g} s" if self.retry_after else "",
            "the work may have been done" if self.delivery is Delivery.UNKNOWN else "",
        ]
        context = ", ".join(fact for fact in facts if fact)
        line = f"{self.headline}{message}" + (f" ({context})" if context else "")
        line += f"; {self.hint}" if self.hint else ""
        return " ".join(line.split())


class APIConnectionError(APIError):
    """No answer came: the connection failed, or broke off.

    `retryable` is false where the same attempt can only fail again, as with a
    certificate that is not trusted.
    """

    retryable = True


class APITimeoutError(APIConnectionError):
    """Connecting or waiting for bytes took longer than the timeout allows."""


class DeadlineExceededError(APITimeoutError):
    """The call as a whole, its retries included, took longer than `Timeout.total`."""


class APIResponseError(APIError):
    """The service answered, but not with what was asked for.

    Attributes:
        status_code: the HTTP status.
        body: the first 64 KiB of the answer.
    """

    def __init__(
        self, message: str, *, status_code: int, body: bytes = b"", **context: Any
    ) -> None:
        super().__init__(message, **context)
        self.status_code = status_code
        self.body: bytes = body[:BODY_LIMIT]

    @property
    def headline(self) -> str:
        """The status."""
        return f"{self.status_code}: "


class APIStatusError(APIResponseError):
    """The service answered with a status that is no success.

    Attributes:
        code: the service's word for the kind of error, as `not_found`, if it gave one.
        details: messages by field; `non_field_errors` are about the request as a whole.
        item_errors: messages about single items of a list, with their index.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        code: str | None = None,
        details: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
        item_errors: tuple[ItemError, ...] = (),
        **context: Any,
    ) -> None:
        super().__init__(message, status_code=status_code, **context)
        self.code = code
        self.details: dict[str, tuple[str, ...]] = dict(details)
        self.item_errors = item_errors

    @property
    def headline(self) -> str:
        """The status and the code."""
        return f"{self.status_code} {self.code}: " if self.code else super().headline


class BadRequestError(APIStatusError):
    """400: the service found the request invalid."""


class NameConflictError(BadRequestError):
    """400: the run test already has an eval config of that name.

    Adding is not atomic: the items before the one that clashed stay created.

    Attributes:
        existing: the names among those asked for that the run test has now; `None`
            where that was not read.
    """

    existing: tuple[str, ...] | None = None
    hint = "configs before that one may have been created by this request"


class ExecutionsNotCompletedError(BadRequestError):
    """400: an execution among those asked for is not completed.

    It may still be running, or its evaluations are: wait for it and ask again.
    """


class AuthenticationError(APIStatusError):
    """401: the keys are missing, wrong or disabled."""

    stops_batch = True


class PaymentRequiredError(APIStatusError):
    """402: the account's plan or balance does not cover the request."""

    stops_batch = True


class PermissionDeniedError(APIStatusError):
    """403: the keys may not do this, as a read-only key may not write."""


class NotFoundError(APIStatusError):
    """404: there is no such run test for these keys."""


class ConflictError(APIStatusError):
    """409: the request contradicts the state of the service."""


class RateLimitError(APIStatusError):
    """429: too many requests; `retry_after` says how long to wait, if it was said."""


class ServerError(APIStatusError):
    """5xx: the service or a proxy before it failed."""


class EvalDispatchError(APIResponseError):
    """A success status whose message says that no evaluation was started.

    The service prepared the evaluations and could not hand them over; earlier results
    of these configs are erased all the same.
    """

    delivery = Delivery.REJECTED


class UnexpectedResponseError(APIResponseError):
    """A success status whose answer is not the documented one."""

    delivery = Delivery.UNKNOWN


_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: PaymentRequiredError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
}


def class_for_status(status: int) -> type[APIStatusError]:
    """The error class of an HTTP status that is no success."""
    if status >= 500:  # noqa: PLR2004 - the statuses of RFC 9110
        return ServerError
    return _BY_STATUS.get(status, APIStatusError)
