"""Classes of results, requests for pages, and names for annotations.

Nobody needs to import them to use the package.
"""

from typing import TYPE_CHECKING

from futureagi_async._lazy import lazy_exports


if TYPE_CHECKING:
    # `as` marks what is public for type checkers; a test compares it with the names below.
    from futureagi_async.batch.options import (
        BatchOptions as BatchOptions,
        StreamOptions as StreamOptions,
    )
    from futureagi_async.endpoints.add_eval_configs import (
        AddEvalConfigsResult as AddEvalConfigsResult,
    )
    from futureagi_async.endpoints.cancel_execution import (
        CancelExecution as CancelExecution,
        CancelExecutionResult as CancelExecutionResult,
    )
    from futureagi_async.endpoints.compare_executions import (
        CompareExecutions as CompareExecutions,
        ExecutionComparison as ExecutionComparison,
    )
    from futureagi_async.endpoints.delete_eval_config import (
        DeleteEvalConfigResult as DeleteEvalConfigResult,
    )
    from futureagi_async.endpoints.eval_config import (
        CreatedEvalConfig as CreatedEvalConfig,
    )
    from futureagi_async.endpoints.eval_output import (
        EvalOutput as EvalOutput,
        EvalOutputStatus as EvalOutputStatus,
    )
    from futureagi_async.endpoints.execute_run_test import (
        ExecuteRunTest as ExecuteRunTest,
        ExecutionStarted as ExecutionStarted,
    )
    from futureagi_async.endpoints.get_call_execution import (
        GetCallExecution as GetCallExecution,
    )
    from futureagi_async.endpoints.get_eval_summary import (
        ConfigSummary as ConfigSummary,
        EvalSummary as EvalSummary,
        TemplateSummary as TemplateSummary,
    )
    from futureagi_async.endpoints.get_execution_status import (
        GetExecutionStatus as GetExecutionStatus,
        NewestExecution as NewestExecution,
    )
    from futureagi_async.endpoints.get_run_test import RunTest as RunTest
    from futureagi_async.endpoints.get_simulation_metrics import (
        CallCounts as CallCounts,
        GetSimulationMetrics as GetSimulationMetrics,
        SimulationMetrics as SimulationMetrics,
    )
    from futureagi_async.endpoints.get_simulation_runs import (
        GetSimulationRuns as GetSimulationRuns,
        SimulationCall as SimulationCall,
        SimulationRuns as SimulationRuns,
    )
    from futureagi_async.endpoints.list_call_executions import (
        CallExecution as CallExecution,
        CallExecutionsPage as CallExecutionsPage,
        ListCallExecutions as ListCallExecutions,
    )
    from futureagi_async.endpoints.list_eval_templates import (
        EvalTemplate as EvalTemplate,
        EvalTemplates as EvalTemplates,
        ListEvalTemplates as ListEvalTemplates,
    )
    from futureagi_async.endpoints.list_run_tests import (
        ListRunTests as ListRunTests,
        RunTestEntry as RunTestEntry,
        RunTestsPage as RunTestsPage,
    )
    from futureagi_async.endpoints.list_test_executions import (
        ListTestExecutions as ListTestExecutions,
        TestExecution as TestExecution,
        TestExecutionsPage as TestExecutionsPage,
    )
    from futureagi_async.endpoints.ping import Ping as Ping
    from futureagi_async.endpoints.rerun import (
        FailedRerun as FailedRerun,
        RerunType as RerunType,
    )
    from futureagi_async.endpoints.rerun_calls import (
        RerunCalls as RerunCalls,
        RerunCallsResult as RerunCallsResult,
    )
    from futureagi_async.endpoints.rerun_executions import (
        ExecutionRerun as ExecutionRerun,
        RerunExecutions as RerunExecutions,
        RerunExecutionsResult as RerunExecutionsResult,
    )
    from futureagi_async.endpoints.run_new_evals import (
        IdsByRunTest as IdsByRunTest,
        PairsByRunTest as PairsByRunTest,
        RunNewEvalsResult as RunNewEvalsResult,
    )
    from futureagi_async.endpoints.scores import (
        ChoiceScores as ChoiceScores,
        NumericScores as NumericScores,
        PassFailScores as PassFailScores,
    )
    from futureagi_async.endpoints.status import ExecutionStatus as ExecutionStatus
    from futureagi_async.endpoints.transcript import TranscriptTurn as TranscriptTurn
    from futureagi_async.endpoints.update_eval_config import (
        UpdateEvalConfigResult as UpdateEvalConfigResult,
    )
    from futureagi_async.errors import ItemError as ItemError
    from futureagi_async.evaluation.ensure_configs import (
        EnsuredEvalConfig as EnsuredEvalConfig,
        EnsuredEvalConfigs as EnsuredEvalConfigs,
        EvalConfigOrigin as EvalConfigOrigin,
        OnConflict as OnConflict,
    )
    from futureagi_async.evaluation.options import (
        EvaluationOptions as EvaluationOptions,
    )
    from futureagi_async.evaluation.report import (
        CallResults as CallResults,
        ConfigScores as ConfigScores,
    )
    from futureagi_async.journal.entry import (
        JournalEntry as JournalEntry,
        JournalState as JournalState,
    )
    from futureagi_async.journal.reader import JournalSummary as JournalSummary
    from futureagi_async.model.operation import Operation as Operation
    from futureagi_async.model.page import Paginator as Paginator
    from futureagi_async.model.request import (
        Request as Request,
        Requests as Requests,
        Result as Result,
    )
    from futureagi_async.model.resource import (
        CallRef as CallRef,
        EvalConfigRef as EvalConfigRef,
        EvalTemplateRef as EvalTemplateRef,
        ExecutionRef as ExecutionRef,
        RunTestRef as RunTestRef,
        RunTestRefs as RunTestRefs,
    )
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        globals(),
        {
            ".batch.options": (
                "BatchOptions",
                "StreamOptions",
            ),
            ".endpoints.add_eval_configs": ("AddEvalConfigsResult",),
            ".endpoints.cancel_execution": ("CancelExecution", "CancelExecutionResult"),
            ".endpoints.compare_executions": (
                "CompareExecutions",
                "ExecutionComparison",
            ),
            ".endpoints.delete_eval_config": ("DeleteEvalConfigResult",),
            ".endpoints.eval_config": ("CreatedEvalConfig",),
            ".endpoints.execute_run_test": ("ExecuteRunTest", "ExecutionStarted"),
            ".endpoints.eval_output": ("EvalOutput", "EvalOutputStatus"),
            ".endpoints.get_eval_summary": (
                "ConfigSummary",
                "EvalSummary",
                "TemplateSummary",
            ),
            ".endpoints.get_execution_status": (
                "GetExecutionStatus",
                "NewestExecution",
            ),
            ".endpoints.get_call_execution": ("GetCallExecution",),
            ".endpoints.get_run_test": ("RunTest",),
            ".endpoints.get_simulation_metrics": (
                "CallCounts",
                "GetSimulationMetrics",
                "SimulationMetrics",
            ),
            ".endpoints.get_simulation_runs": (
                "GetSimulationRuns",
                "SimulationCall",
                "SimulationRuns",
            ),
            ".endpoints.list_call_executions": (
                "CallExecution",
                "CallExecutionsPage",
                "ListCallExecutions",
            ),
            ".endpoints.list_eval_templates": (
                "EvalTemplate",
                "EvalTemplates",
                "ListEvalTemplates",
            ),
            ".endpoints.list_run_tests": (
                "ListRunTests",
                "RunTestEntry",
                "RunTestsPage",
            ),
            ".endpoints.list_test_executions": (
                "ListTestExecutions",
                "TestExecution",
                "TestExecutionsPage",
            ),
            ".endpoints.ping": ("Ping",),
            ".endpoints.rerun": (
                "FailedRerun",
                "RerunType",
            ),
            ".endpoints.rerun_calls": ("RerunCalls", "RerunCallsResult"),
            ".endpoints.rerun_executions": (
                "RerunExecutions",
                "ExecutionRerun",
                "RerunExecutionsResult",
            ),
            ".endpoints.run_new_evals": (
                "IdsByRunTest",
                "PairsByRunTest",
                "RunNewEvalsResult",
            ),
            ".endpoints.scores": (
                "ChoiceScores",
                "NumericScores",
                "PassFailScores",
            ),
            ".endpoints.status": ("ExecutionStatus",),
            ".endpoints.transcript": ("TranscriptTurn",),
            ".endpoints.update_eval_config": ("UpdateEvalConfigResult",),
            ".errors": ("ItemError",),
            ".evaluation.ensure_configs": (
                "EnsuredEvalConfig",
                "EnsuredEvalConfigs",
                "EvalConfigOrigin",
                "OnConflict",
            ),
            ".evaluation.options": ("EvaluationOptions",),
            ".evaluation.report": ("CallResults", "ConfigScores"),
            ".journal.entry": (
                "JournalEntry",
                "JournalState",
            ),
            ".journal.reader": ("JournalSummary",),
            ".model.operation": ("Operation",),
            ".model.page": ("Paginator",),
            ".model.resource": (
                "CallRef",
                "EvalConfigRef",
                "EvalTemplateRef",
                "ExecutionRef",
                "RunTestRef",
                "RunTestRefs",
            ),
            ".model.request": (
                "Request",
                "Requests",
                "Result",
            ),
        },
    )
