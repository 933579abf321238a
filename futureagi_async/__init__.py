"""Future AGI evaluations for many run tests, awaited or blocking.

`AsyncFutureAGI` and its blocking twin `FutureAGI` are the way in. What is named here is
loaded when it is first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations


TYPE_CHECKING = False  # type checkers take it as true; `typing` takes long to import

if TYPE_CHECKING:
    from futureagi_async.blocking import FutureAGI
    from futureagi_async.bridge import BlockingOutcomeStream
    from futureagi_async.client import AsyncFutureAGI
    from futureagi_async.config import RateLimit, RetryPolicy, Timeout
    from futureagi_async.endpoints.add_eval_configs import (
        AddEvalConfigs,
        AddEvalConfigsResult,
    )
    from futureagi_async.endpoints.eval_config import CreatedEvalConfig, EvalConfig
    from futureagi_async.endpoints.run_new_evals import (
        RunNewEvals,
        RunNewEvalsResult,
    )
    from futureagi_async.errors import (
        AnsweredError,
        APIConnectionError,
        APIError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        ClientClosedError,
        ConfigurationError,
        ConflictError,
        DeadlineExceededError,
        Delivery,
        EvalDispatchError,
        ExecutionsNotCompletedError,
        FutureAGIError,
        InvalidRequestError,
        ItemError,
        JournalError,
        NameConflictError,
        NotAttemptedError,
        NotFoundError,
        PaymentRequiredError,
        PermissionDeniedError,
        RateLimitError,
        ServerError,
        UnexpectedResponseError,
    )
    from futureagi_async.journal.entries import JournalEntry, JournalState
    from futureagi_async.journal.reading import Journal, JournalSummary
    from futureagi_async.outcomes import (
        Batch,
        BatchError,
        BatchInterruptedError,
        Failure,
        NotAttempted,
        Outcome,
        Success,
    )
    from futureagi_async.request import (
        Request,
        Result,
    )
    from futureagi_async.sending import OutcomeStream

__version__ = "0.1.0"

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "AddEvalConfigs",
    "AddEvalConfigsResult",
    "AnsweredError",
    "AsyncFutureAGI",
    "AuthenticationError",
    "BadRequestError",
    "Batch",
    "BatchError",
    "BatchInterruptedError",
    "BlockingOutcomeStream",
    "ClientClosedError",
    "ConfigurationError",
    "ConflictError",
    "CreatedEvalConfig",
    "DeadlineExceededError",
    "Delivery",
    "EvalConfig",
    "EvalDispatchError",
    "ExecutionsNotCompletedError",
    "Failure",
    "FutureAGI",
    "FutureAGIError",
    "InvalidRequestError",
    "ItemError",
    "Journal",
    "JournalEntry",
    "JournalError",
    "JournalState",
    "JournalSummary",
    "NameConflictError",
    "NotAttempted",
    "NotAttemptedError",
    "NotFoundError",
    "Outcome",
    "OutcomeStream",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "RateLimit",
    "RateLimitError",
    "Request",
    "Result",
    "RetryPolicy",
    "RunNewEvals",
    "RunNewEvalsResult",
    "ServerError",
    "Success",
    "Timeout",
    "UnexpectedResponseError",
]

_MODULES = {
    "blocking": ("FutureAGI",),
    "bridge": ("BlockingOutcomeStream",),
    "client": ("AsyncFutureAGI",),
    "config": ("RateLimit", "RetryPolicy", "Timeout"),
    "endpoints.add_eval_configs": (
        "AddEvalConfigs",
        "AddEvalConfigsResult",
    ),
    "endpoints.eval_config": ("CreatedEvalConfig", "EvalConfig"),
    "endpoints.run_new_evals": (
        "RunNewEvals",
        "RunNewEvalsResult",
    ),
    "errors": (
        "APIConnectionError",
        "APIError",
        "APIStatusError",
        "APITimeoutError",
        "AnsweredError",
        "AuthenticationError",
        "BadRequestError",
        "ClientClosedError",
        "ConfigurationError",
        "ConflictError",
        "DeadlineExceededError",
        "Delivery",
        "EvalDispatchError",
        "ExecutionsNotCompletedError",
        "FutureAGIError",
        "InvalidRequestError",
        "ItemError",
        "JournalError",
        "NameConflictError",
        "NotAttemptedError",
        "NotFoundError",
        "PaymentRequiredError",
        "PermissionDeniedError",
        "RateLimitError",
        "ServerError",
        "UnexpectedResponseError",
    ),
    "journal.entries": ("JournalEntry", "JournalState"),
    "journal.reading": ("Journal", "JournalSummary"),
    "outcomes": (
        "Batch",
        "BatchError",
        "BatchInterruptedError",
        "Failure",
        "NotAttempted",
        "Outcome",
        "Success",
    ),
    "request": (
        "Request",
        "Result",
    ),
    "sending": ("OutcomeStream",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # noqa: PLC0415 - not paid for by those who import the package only

    value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
