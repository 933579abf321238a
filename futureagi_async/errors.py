"""Every error of the package, and what each one proves about the work requested.

Every error is a `FutureAGIError` and has a `Delivery`: whether the service did the work,
did not, or may have.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import attrs


BODY_LIMIT = 64 * 1024
"""Bytes of a response that an error stores."""

LINE_LIMIT = 500
"""Characters of a server's message that `str(error)` includes."""


class Delivery(enum.Enum):
    """Knowledge after a failure: whether the service did the work."""

    NOT_SENT = "not_sent"
    """It was not sent: nothing was done, and it may be sent again."""

    REJECTED = "rejected"
    """The service rejected it: nothing was done, unless the error states otherwise."""

    UNKNOWN = "unknown"
    """It was sent and no usable response came: the work may have been done."""


@attrs.frozen
class ItemError:
    """Problem of the service with one item of a list that was sent.

    Attributes:
        field: the name of the list.
        index: the position of the item, counted from 0.
        message: the service's message.
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
    """The base class of every error that this package raises."""

    delivery: Delivery = Delivery.NOT_SENT
    """Whether the service did the work."""

    stops_batch: ClassVar[bool] = False
    """Whether every other request of a batch would fail in the same way, too."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are rebuilt from `args`, which knows no keyword arguments.
        return _restore, (type(self), self.args, self.__dict__)


class ConfigurationError(FutureAGIError):
    """A setting is missing or invalid. Nothing was sent."""


class InvalidRequestError(FutureAGIError, ValueError):
    """A value could never be accepted. Nothing was sent."""


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
    """None has the name, or several have. The service was only read.

    Attributes:
        name: the name searched for.
        matches: the ids of those that have it: none, or more than one.
    """

    def __init__(self, message: str, *, name: str, matches: tuple[str, ...]) -> None:
        super().__init__(message)
        self.name = name
        self.matches = matches


class EvalConfigsDifferError(FutureAGIError):
    """A run test has eval configs of these names with other content.

    The service was only read; nothing was changed.

    Attributes:
        run_test_id: the run test.
        names: the names of these eval configs.
    """

    def __init__(
        self, message: str, *, run_test_id: str, names: tuple[str, ...]
    ) -> None:
        super().__init__(message)
        self.run_test_id = run_test_id
        self.names = names


class ExecutionCompletedError(FutureAGIError):
    """An execution was not cancelled, since it is completed. It was only read.

    Attributes:
        execution_id: the execution.
    """

    def __init__(self, message: str, *, execution_id: str) -> None:
        super().__init__(message)
        self.execution_id = execution_id


class JournalError(FutureAGIError):
    """A journal cannot be used as requested; the message has the reason and a remedy."""

    stops_batch = True


class EvaluationsUnderWayError(FutureAGIError):
    """Eval configs cannot be changed safely while evaluations are under way.

    The service was only read; nothing was changed. A worker of the service that has
    loaded an eval config before stores it again when it has finished, as it was.

    Attributes:
        run_test_id: the run test.
    """

    def __init__(self, message: str, *, run_test_id: str) -> None:
        super().__init__(message)
        self.run_test_id = run_test_id


class NotAttemptedError(FutureAGIError):
    """A batch was stopped before this request was started. Nothing was sent."""


class APIError(FutureAGIError):
    """A request to the service failed.

    Attributes:
        message: what went wrong, in the service's own words where it responded.
        status_code: the HTTP status; `None` without a response.
        delivery: whether the service did the work.
        request_id: the `X-Request-ID` of the last attempt, for the support desk.
        run_test_id: the run test that the request was about, if it was about one.
        attempts: number of attempts.
        retry_after: seconds that the service asked to wait, if it did.
        earlier: the errors of the attempts before the last one, oldest first.
        hint: what else is known, for example from reading back whether the work had
            been done; may be empty.
    """

    hint: str = ""
    status_code: int | None = None

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
        """The part of `str(error)` before the message."""
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
    """No response came: the connection failed, or broke off.

    Attributes:
        retryable: whether another attempt can succeed; not with a certificate that is
            not trusted, for example.
    """

    retryable = True


class APITimeoutError(APIConnectionError):
    """Connecting or waiting for bytes took longer than the timeout allows."""


class DeadlineExceededError(APITimeoutError):
    """The request with all its attempts took longer than `Timeout.total`."""


class APIResponseError(APIError):
    """The service responded, but not with the result requested.

    Attributes:
        status_code: the HTTP status.
        body: the first 64 KiB of the response.
    """

    status_code: int

    def __init__(
        self, message: str, *, status_code: int, body: bytes = b"", **context: Any
    ) -> None:
        super().__init__(message, **context)
        self.status_code = status_code  # pyright: ignore[reportIncompatibleVariableOverride] - there is a response
        self.body: bytes = body[:BODY_LIMIT]

    @property
    def headline(self) -> str:
        """The status."""
        return f"{self.status_code}: "


class APIStatusError(APIResponseError):
    """The service responded with a status that is no success.

    Attributes:
        code: the service's name of the kind of error, such as `not_found`, if it sent one.
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
        existing: the names among those requested that the run test has now; `None`
            where that was not read.
    """

    existing: tuple[str, ...] | None = None
    hint = "configs before that one may have been created by this request"


class ExecutionsNotCompletedError(BadRequestError):
    """400: an execution among those requested is not completed.

    It may still be running, or its evaluations are: wait for it and try again.
    """


class ExecutionStartError(BadRequestError):
    """400: an execution was created and could not be started.

    It stays pending, and nobody runs it; the next attempt creates another one.

    Attributes:
        execution_id: that execution; `None` where it was not found by reading.
    """

    execution_id: str | None = None
    hint = "a pending execution that nobody runs may have been left behind"


class AuthenticationError(APIStatusError):
    """401: the keys are missing, wrong or disabled."""

    stops_batch = True


class PaymentRequiredError(APIStatusError):
    """402: the account's plan or balance does not cover the request."""

    stops_batch = True


class FeatureNotIncludedError(PaymentRequiredError):
    """402: the plan does not include a feature, such as voice simulation.

    Requests that do not need it can succeed, so that it stops no batch.
    """

    stops_batch = False


class PermissionDeniedError(APIStatusError):
    """403: the keys do not permit this; a read-only key does not permit writing."""


class NotFoundError(APIStatusError):
    """404: what the request is about does not exist for these keys."""


class EndpointMissingError(NotFoundError):
    """404 or 405: this instance of the service does not have the endpoint.

    The client remembers it, and raises the same error without sending a request.
    """


class ConflictError(APIStatusError):
    """409: the request contradicts the state of the service."""


class RateLimitError(APIStatusError):
    """429: too many requests; see `retry_after`."""


class ServerError(APIStatusError):
    """5xx: the service, or a proxy in front of it, failed."""


class EvalDispatchError(APIResponseError):
    """A success status whose body reports that no evaluation was started.

    The service prepared the evaluations and could not dispatch them. Of `RunNewEvals`,
    earlier results of these eval configs are erased nevertheless; a rerun of evaluations
    leaves them as they were.
    """

    delivery = Delivery.REJECTED


class RerunDispatchError(APIResponseError):
    """A success status whose body reports that no call was started again.

    The service prepared the calls and could not dispatch them. The calls and their
    executions are failed now; earlier transcripts and results are in snapshots only.
    """

    delivery = Delivery.REJECTED


class UnexpectedResponseError(APIResponseError):
    """A success status whose body is not the documented one."""

    delivery = Delivery.UNKNOWN


class ResponseTooLargeError(UnexpectedResponseError):
    """A success status whose body is larger than the client reads."""


class ListChangedError(APIError):
    """A list changed each time it was read: entries can be missing.

    Nothing is wrong with those that were returned before.
    """


_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: PaymentRequiredError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
}
_BY_STATUS_AND_CODE: dict[tuple[int, str], type[APIStatusError]] = {
    (402, "ENTITLEMENT_DENIED"): FeatureNotIncludedError,
}


def class_for_status(status: int, code: str | None = None) -> type[APIStatusError]:
    """Return the error class of an HTTP status that is no success, and of its code."""
    if status >= 500:  # noqa: PLR2004 - the statuses of RFC 9110
        return ServerError
    if code is not None and (status, code) in _BY_STATUS_AND_CODE:
        return _BY_STATUS_AND_CODE[status, code]
    return _BY_STATUS.get(status, APIStatusError)
