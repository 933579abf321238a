"""Future AGI evaluations for many run tests, awaited or blocking.

`AsyncFutureAGI` and its blocking twin `FutureAGI` are the way in; classes of results and
names for annotations are in `futureagi_async.types`. Each name is loaded when it is first
used, so that importing the package costs next to nothing.
"""

from futureagi_async._lazy import lazy_exports


TYPE_CHECKING = False  # type checkers take it as true; `typing` takes long to import

if TYPE_CHECKING:
    # `as` marks what is public for type checkers; a test compares it with the names below.
    from futureagi_async import types as types
    from futureagi_async.batch.stream import OutcomeStream as OutcomeStream
    from futureagi_async.blocking.client import FutureAGI as FutureAGI
    from futureagi_async.blocking.streams import (
        BlockingEvaluationStream as BlockingEvaluationStream,
        BlockingOutcomeStream as BlockingOutcomeStream,
    )
    from futureagi_async.client import AsyncFutureAGI as AsyncFutureAGI
    from futureagi_async.endpoints.add_eval_configs import (
        AddEvalConfigs as AddEvalConfigs,
    )
    from futureagi_async.endpoints.delete_eval_config import (
        DeleteEvalConfig as DeleteEvalConfig,
    )
    from futureagi_async.endpoints.eval_config import EvalConfig as EvalConfig
    from futureagi_async.endpoints.get_eval_summary import (
        GetEvalSummary as GetEvalSummary,
    )
    from futureagi_async.endpoints.get_run_test import GetRunTest as GetRunTest
    from futureagi_async.endpoints.run_new_evals import RunNewEvals as RunNewEvals
    from futureagi_async.endpoints.update_eval_config import (
        UpdateEvalConfig as UpdateEvalConfig,
    )
    from futureagi_async.errors import (
        APIConnectionError as APIConnectionError,
        APIError as APIError,
        APIResponseError as APIResponseError,
        APIStatusError as APIStatusError,
        APITimeoutError as APITimeoutError,
        AuthenticationError as AuthenticationError,
        BadRequestError as BadRequestError,
        ClientClosedError as ClientClosedError,
        ConfigurationError as ConfigurationError,
        ConflictError as ConflictError,
        DeadlineExceededError as DeadlineExceededError,
        Delivery as Delivery,
        EndpointMissingError as EndpointMissingError,
        EvalConfigsDifferError as EvalConfigsDifferError,
        EvalDispatchError as EvalDispatchError,
        EvaluationsUnderWayError as EvaluationsUnderWayError,
        ExecutionCompletedError as ExecutionCompletedError,
        ExecutionsNotCompletedError as ExecutionsNotCompletedError,
        ExecutionStartError as ExecutionStartError,
        FeatureNotIncludedError as FeatureNotIncludedError,
        FutureAGIError as FutureAGIError,
        InvalidRequestError as InvalidRequestError,
        JournalError as JournalError,
        ListChangedError as ListChangedError,
        NameConflictError as NameConflictError,
        NameLookupError as NameLookupError,
        NotAttemptedError as NotAttemptedError,
        NotFoundError as NotFoundError,
        PaymentRequiredError as PaymentRequiredError,
        PermissionDeniedError as PermissionDeniedError,
        RateLimitError as RateLimitError,
        RerunDispatchError as RerunDispatchError,
        ResponseTooLargeError as ResponseTooLargeError,
        ServerError as ServerError,
        UnexpectedResponseError as UnexpectedResponseError,
    )
    from futureagi_async.evaluation.ensure_configs import (
        EnsureEvalConfigs as EnsureEvalConfigs,
    )
    from futureagi_async.evaluation.report import (
        EvaluationError as EvaluationError,
        EvaluationInterruptedError as EvaluationInterruptedError,
        EvaluationProgress as EvaluationProgress,
        EvaluationReport as EvaluationReport,
        EvaluationStatus as EvaluationStatus,
        RunTestEvaluation as RunTestEvaluation,
    )
    from futureagi_async.evaluation.stream import EvaluationStream as EvaluationStream
    from futureagi_async.journal.reader import Journal as Journal
    from futureagi_async.model.outcome import (
        Batch as Batch,
        BatchError as BatchError,
        BatchInterruptedError as BatchInterruptedError,
        Failure as Failure,
        NotAttempted as NotAttempted,
        Outcome as Outcome,
        Success as Success,
    )
    from futureagi_async.transport.settings import (
        RateLimit as RateLimit,
        RetryPolicy as RetryPolicy,
        Timeout as Timeout,
    )
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        globals(),
        {
            ".batch.stream": ("OutcomeStream",),
            ".blocking.client": ("FutureAGI",),
            ".blocking.streams": (
                "BlockingEvaluationStream",
                "BlockingOutcomeStream",
            ),
            ".client": ("AsyncFutureAGI",),
            ".endpoints.add_eval_configs": ("AddEvalConfigs",),
            ".endpoints.delete_eval_config": ("DeleteEvalConfig",),
            ".endpoints.eval_config": ("EvalConfig",),
            ".endpoints.get_eval_summary": ("GetEvalSummary",),
            ".endpoints.get_run_test": ("GetRunTest",),
            ".endpoints.run_new_evals": ("RunNewEvals",),
            ".endpoints.update_eval_config": ("UpdateEvalConfig",),
            ".errors": (
                "APIConnectionError",
                "APIError",
                "APIResponseError",
                "APIStatusError",
                "APITimeoutError",
                "AuthenticationError",
                "BadRequestError",
                "ClientClosedError",
                "ConfigurationError",
                "ConflictError",
                "DeadlineExceededError",
                "Delivery",
                "EndpointMissingError",
                "EvalConfigsDifferError",
                "EvalDispatchError",
                "ExecutionCompletedError",
                "ExecutionStartError",
                "EvaluationsUnderWayError",
                "ExecutionsNotCompletedError",
                "FeatureNotIncludedError",
                "FutureAGIError",
                "InvalidRequestError",
                "JournalError",
                "ListChangedError",
                "NameConflictError",
                "NameLookupError",
                "NotAttemptedError",
                "NotFoundError",
                "PaymentRequiredError",
                "PermissionDeniedError",
                "RateLimitError",
                "RerunDispatchError",
                "ResponseTooLargeError",
                "ServerError",
                "UnexpectedResponseError",
            ),
            ".evaluation.ensure_configs": ("EnsureEvalConfigs",),
            ".evaluation.stream": ("EvaluationStream",),
            ".evaluation.report": (
                "EvaluationError",
                "EvaluationInterruptedError",
                "EvaluationProgress",
                "EvaluationReport",
                "EvaluationStatus",
                "RunTestEvaluation",
            ),
            ".journal.reader": ("Journal",),
            ".model.outcome": (
                "Batch",
                "BatchError",
                "BatchInterruptedError",
                "Failure",
                "NotAttempted",
                "Outcome",
                "Success",
            ),
            ".transport.settings": (
                "RateLimit",
                "RetryPolicy",
                "Timeout",
            ),
            ".types": (),
        },
    )

__version__ = "0.1.0"
