"""Future AGI evaluations for many run tests, awaited or blocking.

`AsyncFutureAGI` and its blocking twin `FutureAGI` are the way in. What is named here is
loaded when it is first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations


TYPE_CHECKING = False  # type checkers take it as true; `typing` takes long to import

if TYPE_CHECKING:
    from futureagi_async.batch.executor import OutcomeStream
    from futureagi_async.blocking.client import FutureAGI
    from futureagi_async.blocking.streams import (
        BlockingEvaluationStream,
        BlockingOutcomeStream,
    )
    from futureagi_async.client import AsyncFutureAGI
    from futureagi_async.endpoints.add_eval_configs import (
        AddEvalConfigs,
        AddEvalConfigsResult,
    )
    from futureagi_async.endpoints.delete_eval_config import (
        DeleteEvalConfig,
        DeleteEvalConfigResult,
    )
    from futureagi_async.endpoints.eval_config import CreatedEvalConfig, EvalConfig
    from futureagi_async.endpoints.get_eval_summary import (
        ConfigSummary,
        EvalSummary,
        GetEvalSummary,
        TemplateSummary,
    )
    from futureagi_async.endpoints.get_run_test import GetRunTest, RunTest
    from futureagi_async.endpoints.list_call_executions import (
        CallExecution,
        CallExecutionsPage,
        EvalOutput,
        EvalOutputStatus,
        ListCallExecutions,
    )
    from futureagi_async.endpoints.list_eval_templates import (
        EvalTemplate,
        EvalTemplates,
        ListEvalTemplates,
    )
    from futureagi_async.endpoints.list_run_tests import (
        ListRunTests,
        RunTestEntry,
        RunTestsPage,
    )
    from futureagi_async.endpoints.list_test_executions import (
        ListTestExecutions,
        TestExecution,
        TestExecutionsPage,
    )
    from futureagi_async.endpoints.run_new_evals import RunNewEvals, RunNewEvalsResult
    from futureagi_async.endpoints.scores import (
        ChoiceScores,
        NumericScores,
        PassFailScores,
    )
    from futureagi_async.endpoints.status import ExecutionStatus
    from futureagi_async.endpoints.update_eval_config import (
        UpdateEvalConfig,
        UpdateEvalConfigResult,
    )
    from futureagi_async.errors import (
        APIConnectionError,
        APIError,
        APIResponseError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        ClientClosedError,
        ConfigurationError,
        ConflictError,
        DeadlineExceededError,
        Delivery,
        EvalConfigsDifferError,
        EvalDispatchError,
        ExecutionsNotCompletedError,
        FutureAGIError,
        InvalidRequestError,
        ItemError,
        JournalError,
        NameConflictError,
        NameLookupError,
        NotAttemptedError,
        NotFoundError,
        PaymentRequiredError,
        PermissionDeniedError,
        RateLimitError,
        ServerError,
        UnexpectedResponseError,
    )
    from futureagi_async.evaluation.ensure_configs import (
        EnsuredEvalConfig,
        EnsuredEvalConfigs,
        EnsureEvalConfigs,
        EvalConfigOrigin,
    )
    from futureagi_async.evaluation.pipeline import EvaluationStream
    from futureagi_async.evaluation.report import (
        ConfigScores,
        EvaluationError,
        EvaluationInterruptedError,
        EvaluationProgress,
        EvaluationReport,
        EvaluationStatus,
        RunTestEvaluation,
    )
    from futureagi_async.journal.entry import JournalEntry, JournalState
    from futureagi_async.journal.reader import Journal, JournalSummary
    from futureagi_async.model.outcome import (
        Batch,
        BatchError,
        BatchInterruptedError,
        Failure,
        NotAttempted,
        Outcome,
        Success,
    )
    from futureagi_async.model.request import Request, Result
    from futureagi_async.transport.settings import RateLimit, RetryPolicy, Timeout

__version__ = "0.1.0"

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "AddEvalConfigs",
    "AddEvalConfigsResult",
    "AsyncFutureAGI",
    "AuthenticationError",
    "BadRequestError",
    "Batch",
    "BatchError",
    "BatchInterruptedError",
    "BlockingEvaluationStream",
    "BlockingOutcomeStream",
    "CallExecution",
    "CallExecutionsPage",
    "ChoiceScores",
    "ClientClosedError",
    "ConfigScores",
    "ConfigSummary",
    "ConfigurationError",
    "ConflictError",
    "CreatedEvalConfig",
    "DeadlineExceededError",
    "DeleteEvalConfig",
    "DeleteEvalConfigResult",
    "Delivery",
    "EnsureEvalConfigs",
    "EnsuredEvalConfig",
    "EnsuredEvalConfigs",
    "EvalConfig",
    "EvalConfigOrigin",
    "EvalConfigsDifferError",
    "EvalDispatchError",
    "EvalOutput",
    "EvalOutputStatus",
    "EvalSummary",
    "EvalTemplate",
    "EvalTemplates",
    "EvaluationError",
    "EvaluationInterruptedError",
    "EvaluationProgress",
    "EvaluationReport",
    "EvaluationStatus",
    "EvaluationStream",
    "ExecutionStatus",
    "ExecutionsNotCompletedError",
    "Failure",
    "FutureAGI",
    "FutureAGIError",
    "GetEvalSummary",
    "GetRunTest",
    "InvalidRequestError",
    "ItemError",
    "Journal",
    "JournalEntry",
    "JournalError",
    "JournalState",
    "JournalSummary",
    "ListCallExecutions",
    "ListEvalTemplates",
    "ListRunTests",
    "ListTestExecutions",
    "NameConflictError",
    "NameLookupError",
    "NotAttempted",
    "NotAttemptedError",
    "NotFoundError",
    "NumericScores",
    "Outcome",
    "OutcomeStream",
    "PassFailScores",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "RateLimit",
    "RateLimitError",
    "Request",
    "Result",
    "RetryPolicy",
    "RunNewEvals",
    "RunNewEvalsResult",
    "RunTest",
    "RunTestEntry",
    "RunTestEvaluation",
    "RunTestsPage",
    "ServerError",
    "Success",
    "TemplateSummary",
    "TestExecution",
    "TestExecutionsPage",
    "Timeout",
    "UnexpectedResponseError",
    "UpdateEvalConfig",
    "UpdateEvalConfigResult",
]

_MODULES = {
    "blocking.client": ("FutureAGI",),
    "blocking.streams": ("BlockingEvaluationStream", "BlockingOutcomeStream"),
    "client": ("AsyncFutureAGI",),
    "transport.settings": ("RateLimit", "RetryPolicy", "Timeout"),
    "endpoints.add_eval_configs": ("AddEvalConfigs", "AddEvalConfigsResult"),
    "endpoints.delete_eval_config": ("DeleteEvalConfig", "DeleteEvalConfigResult"),
    "endpoints.eval_config": ("CreatedEvalConfig", "EvalConfig"),
    "endpoints.get_eval_summary": (
        "ConfigSummary",
        "EvalSummary",
        "GetEvalSummary",
        "TemplateSummary",
    ),
    "endpoints.get_run_test": ("GetRunTest", "RunTest"),
    "endpoints.list_call_executions": (
        "CallExecution",
        "CallExecutionsPage",
        "EvalOutput",
        "EvalOutputStatus",
        "ListCallExecutions",
    ),
    "endpoints.list_eval_templates": (
        "EvalTemplate",
        "EvalTemplates",
        "ListEvalTemplates",
    ),
    "endpoints.list_run_tests": ("ListRunTests", "RunTestEntry", "RunTestsPage"),
    "endpoints.list_test_executions": (
        "ListTestExecutions",
        "TestExecution",
        "TestExecutionsPage",
    ),
    "endpoints.run_new_evals": ("RunNewEvals", "RunNewEvalsResult"),
    "endpoints.scores": ("ChoiceScores", "NumericScores", "PassFailScores"),
    "endpoints.status": ("ExecutionStatus",),
    "endpoints.update_eval_config": ("UpdateEvalConfig", "UpdateEvalConfigResult"),
    "errors": (
        "APIConnectionError",
        "APIError",
        "APIStatusError",
        "APITimeoutError",
        "APIResponseError",
        "AuthenticationError",
        "BadRequestError",
        "ClientClosedError",
        "ConfigurationError",
        "ConflictError",
        "DeadlineExceededError",
        "Delivery",
        "EvalConfigsDifferError",
        "EvalDispatchError",
        "ExecutionsNotCompletedError",
        "FutureAGIError",
        "InvalidRequestError",
        "ItemError",
        "JournalError",
        "NameConflictError",
        "NameLookupError",
        "NotAttemptedError",
        "NotFoundError",
        "PaymentRequiredError",
        "PermissionDeniedError",
        "RateLimitError",
        "ServerError",
        "UnexpectedResponseError",
    ),
    "journal.entry": ("JournalEntry", "JournalState"),
    "journal.reader": ("Journal", "JournalSummary"),
    "model.outcome": (
        "Batch",
        "BatchError",
        "BatchInterruptedError",
        "Failure",
        "NotAttempted",
        "Outcome",
        "Success",
    ),
    "model.request": ("Request", "Result"),
    "batch.executor": ("OutcomeStream",),
    "evaluation.ensure_configs": (
        "EnsureEvalConfigs",
        "EnsuredEvalConfig",
        "EnsuredEvalConfigs",
        "EvalConfigOrigin",
    ),
    "evaluation.pipeline": ("EvaluationStream",),
    "evaluation.report": (
        "ConfigScores",
        "EvaluationError",
        "EvaluationInterruptedError",
        "EvaluationProgress",
        "EvaluationReport",
        "EvaluationStatus",
        "RunTestEvaluation",
    ),
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
