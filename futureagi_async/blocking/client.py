"""The blocking client: the same methods, one hop each into the loop of its portal."""

from __future__ import annotations

import importlib
import queue
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from futureagi_async import endpoints, evaluation
from futureagi_async.batch.options import validate_callback, validate_requests
from futureagi_async.blocking.portal import Portal
from futureagi_async.blocking.streams import (
    BlockingEvaluationStream,
    BlockingOutcomeStream,
    feed,
    run_batch,
)
from futureagi_async.client import AsyncFutureAGI
from futureagi_async.errors import ConfigurationError
from futureagi_async.model.page import Paginator
from futureagi_async.transport.settings import (
    DEFAULT,
    Default,
    RateLimit,
    RetryPolicy,
    Timeout,
)


if TYPE_CHECKING:
    import ssl as tls
    from collections.abc import (
        AsyncIterable,
        Callable,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )
    from datetime import datetime, timedelta
    from os import PathLike
    from types import TracebackType
    from uuid import UUID

    from futureagi_async.endpoints.add_eval_configs import AddEvalConfigsResult
    from futureagi_async.endpoints.delete_eval_config import DeleteEvalConfigResult
    from futureagi_async.endpoints.eval_config import EvalConfig
    from futureagi_async.endpoints.get_eval_summary import EvalSummary
    from futureagi_async.endpoints.get_run_test import RunTest
    from futureagi_async.endpoints.list_call_executions import CallExecution
    from futureagi_async.endpoints.list_eval_templates import EvalTemplate
    from futureagi_async.endpoints.list_run_tests import RunTestEntry
    from futureagi_async.endpoints.list_test_executions import TestExecution
    from futureagi_async.endpoints.run_new_evals import (
        IdsByRunTest,
        PairsByRunTest,
        RunNewEvalsResult,
    )
    from futureagi_async.endpoints.status import ExecutionStatus
    from futureagi_async.endpoints.update_eval_config import UpdateEvalConfigResult
    from futureagi_async.evaluation.ensure_configs import (
        EnsuredEvalConfigs,
        OnConflict,
    )
    from futureagi_async.evaluation.inputs import EvaluationOptions, RunTests
    from futureagi_async.evaluation.report import EvaluationProgress, EvaluationReport
    from futureagi_async.model.operation import Operation
    from futureagi_async.model.outcome import Batch, Outcome
    from futureagi_async.model.page import PagedRequest
    from futureagi_async.model.request import Requests, ResultT


T = TypeVar("T")


def _load_transport() -> None:
    # aiohttp takes its time to load; in the loop, everything would wait for it.
    importlib.import_module("futureagi_async.transport.aiohttp_backend")


class FutureAGI:
    """Adds and runs evaluations on simulation run tests; every method blocks.

    It works in plain scripts, in many threads at once, and inside a running event loop
    (which it blocks). Iterables are read, and callbacks called, in the calling thread.
    Ctrl-C cancels the call that waits. Close it with `with` or `close`; one that is
    forgotten ends by itself.

    The arguments are those of `AsyncFutureAGI`, and so are the errors.
    """

    def __init__(
        self,
        api_key: str | None = None,
        secret_key: str | None = None,
        *,
        base_url: str | None = None,
        workspace_id: UUID | str | None = None,
        timeout: Timeout | float = Timeout(),  # noqa: B008 - a frozen value
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - a frozen value
        rate_limit: RateLimit | None = None,
        max_connections: int = 100,
        proxy: str | None = None,
        ssl: tls.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
        allow_http: bool = False,
    ) -> None:
        self._client = AsyncFutureAGI(
            api_key,
            secret_key,
            base_url=base_url,
            workspace_id=workspace_id,
            timeout=timeout,
            retry=retry,
            rate_limit=rate_limit,
            max_connections=max_connections,
            proxy=proxy,
            ssl=ssl,
            headers=headers,
            allow_http=allow_http,
        )
        self._portal = Portal(self._client.aclose, _load_transport)
        self._is_copy = False

    def with_options(
        self,
        *,
        timeout: Timeout | float | Default = DEFAULT,
        retry: RetryPolicy | Default = DEFAULT,
    ) -> Self:
        """Make a copy with other options on the same connections.

        Closing the copy does nothing; it works until the original is closed.

        Raises:
            ConfigurationError: an option cannot work.
        """
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._client = self._client.with_options(timeout=timeout, retry=retry)
        twin._is_copy = True
        return twin

    def add_eval_configs(
        self,
        run_test_id: UUID | str,
        evaluations_config: Iterable[EvalConfig | Mapping[str, Any]],
    ) -> AddEvalConfigsResult:
        """Add evaluations to a run test; see `AsyncFutureAGI.add_eval_configs`."""
        return self.send(
            endpoints.add_eval_configs.AddEvalConfigs(run_test_id, evaluations_config)
        )

    def run_new_evals(
        self,
        run_test_id: UUID | str,
        *,
        eval_config_ids: Iterable[UUID | str] | None = None,
        eval_config_names: Iterable[str] | None = None,
        test_execution_ids: Iterable[UUID | str] | None = None,
        select_all: bool = False,
        enable_tool_evaluation: bool | None = None,
    ) -> RunNewEvalsResult:
        """Start evaluations of executions; see `AsyncFutureAGI.run_new_evals`."""
        return self.send(
            evaluation.run_by_name.run_by_ids_or_names(
                run_test_id,
                eval_config_ids=eval_config_ids,
                eval_config_names=eval_config_names,
                test_execution_ids=test_execution_ids,
                select_all=select_all,
                enable_tool_evaluation=enable_tool_evaluation,
            )
        )

    def add_eval_configs_many(
        self,
        run_test_ids: Iterable[UUID | str] | AsyncIterable[UUID | str],
        evaluations_config: Iterable[EvalConfig | Mapping[str, Any]],
        *,
        max_concurrency: int | None = None,
        timeout: float | timedelta | None = None,
        journal: str | PathLike[str] | None = None,
        on_outcome: Callable[[Outcome[AddEvalConfigsResult]], object] | None = None,
    ) -> Batch[AddEvalConfigsResult]:
        """Add the same evaluations to many run tests; see `send_many`."""
        return self.send_many(
            endpoints.add_eval_configs.requests_for(run_test_ids, evaluations_config),
            max_concurrency=max_concurrency,
            timeout=timeout,
            journal=journal,
            on_outcome=on_outcome,
        )

    def run_new_evals_many(
        self,
        eval_config_ids: IdsByRunTest | PairsByRunTest | None = None,
        *,
        run_test_ids: Iterable[UUID | str] | AsyncIterable[UUID | str] | None = None,
        eval_config_names: Iterable[str] | None = None,
        select_all: bool = False,
        test_execution_ids: IdsByRunTest | None = None,
        enable_tool_evaluation: bool | None = None,
        max_concurrency: int | None = None,
        timeout: float | timedelta | None = None,
        journal: str | PathLike[str] | None = None,
        on_outcome: Callable[[Outcome[RunNewEvalsResult]], object] | None = None,
    ) -> Batch[RunNewEvalsResult]:
        """Start evaluations on many run tests.

        See `AsyncFutureAGI.run_new_evals_many`.
        """
        return self.send_many(
            evaluation.run_by_name.runs_by_ids_or_names(
                eval_config_ids,
                run_test_ids=run_test_ids,
                eval_config_names=eval_config_names,
                select_all=select_all,
                test_execution_ids=test_execution_ids,
                enable_tool_evaluation=enable_tool_evaluation,
            ),
            max_concurrency=max_concurrency,
            timeout=timeout,
            journal=journal,
            on_outcome=on_outcome,
        )

    def ensure_eval_configs(
        self,
        run_test_id: UUID | str,
        configs: Iterable[EvalConfig | Mapping[str, Any]],
        *,
        on_conflict: OnConflict = "raise",
    ) -> EnsuredEvalConfigs:
        """Have eval configs be there; see `AsyncFutureAGI.ensure_eval_configs`."""
        return self.send(
            evaluation.ensure_configs.EnsureEvalConfigs(
                run_test_id, configs, on_conflict=on_conflict
            )
        )

    def ensure_eval_configs_many(
        self,
        run_test_ids: Iterable[UUID | str] | AsyncIterable[UUID | str],
        evaluations_config: Iterable[EvalConfig | Mapping[str, Any]],
        *,
        on_conflict: OnConflict = "raise",
        max_concurrency: int | None = None,
        timeout: float | timedelta | None = None,
        journal: str | PathLike[str] | None = None,
        on_outcome: Callable[[Outcome[EnsuredEvalConfigs]], object] | None = None,
    ) -> Batch[EnsuredEvalConfigs]:
        """Have the same eval configs be on many run tests.

        See `AsyncFutureAGI.ensure_eval_configs_many`.
        """
        return self.send_many(
            evaluation.ensure_configs.operations_for(
                run_test_ids, evaluations_config, on_conflict=on_conflict
            ),
            max_concurrency=max_concurrency,
            timeout=timeout,
            journal=journal,
            on_outcome=on_outcome,
        )

    def evaluate(
        self,
        run_tests: RunTests,
        configs: Iterable[EvalConfig | Mapping[str, Any]],
        *,
        timeout: float | timedelta | None,
        rerun: bool = False,
        on_conflict: OnConflict = "raise",
        latest_executions: int | None = None,
        started_after: datetime | None = None,
        enable_tool_evaluation: bool | None = None,
        wait: bool = True,
        poll_interval: float = 1.0,
        max_concurrency: int | None = None,
        max_in_progress: int = 1000,
        journal: str | PathLike[str] | None = None,
        on_progress: Callable[[EvaluationProgress], object] | None = None,
    ) -> EvaluationReport:
        """Evaluate many run tests, from eval configs to scores.

        See `AsyncFutureAGI.evaluate`. `run_tests` is read, and `on_progress` called,
        in the calling thread.
        """
        items, options = self._client._asked(  # noqa: SLF001 - its twin
            run_tests,
            configs,
            timeout=timeout,
            rerun=rerun,
            on_conflict=on_conflict,
            latest_executions=latest_executions,
            started_after=started_after,
            enable_tool_evaluation=enable_tool_evaluation,
            wait=wait,
            poll_interval=poll_interval,
            max_concurrency=max_concurrency,
            max_in_progress=max_in_progress,
            journal=journal,
        )
        return self._evaluate(
            items, options, validate_callback(on_progress, "on_progress")
        )

    def stream_evaluations(
        self,
        run_tests: RunTests,
        configs: Iterable[EvalConfig | Mapping[str, Any]],
        *,
        timeout: float | timedelta | None,
        rerun: bool = False,
        on_conflict: OnConflict = "raise",
        latest_executions: int | None = None,
        started_after: datetime | None = None,
        enable_tool_evaluation: bool | None = None,
        wait: bool = True,
        poll_interval: float = 1.0,
        max_concurrency: int | None = None,
        max_in_progress: int = 1000,
        journal: str | PathLike[str] | None = None,
    ) -> BlockingEvaluationStream:
        """Evaluate many run tests and read their ends as they come, in flat memory.

        Use it as `with client.stream_evaluations(...) as ends:` and then
        `for end in ends:`; see `AsyncFutureAGI.stream_evaluations`. `run_tests` is
        read in the calling thread.
        """
        items, options = self._client._asked(  # noqa: SLF001 - its twin
            run_tests,
            configs,
            timeout=timeout,
            rerun=rerun,
            on_conflict=on_conflict,
            latest_executions=latest_executions,
            started_after=started_after,
            enable_tool_evaluation=enable_tool_evaluation,
            wait=wait,
            poll_interval=poll_interval,
            max_concurrency=max_concurrency,
            max_in_progress=max_in_progress,
            journal=journal,
        )
        inbox = queue.SimpleQueue[Any]()
        places = options.batch.max_concurrency
        source = feed(items, inbox, places)
        flow = self._client._evaluation_flow(source, options)  # noqa: SLF001 - its twin
        return BlockingEvaluationStream(
            self._portal, flow, source, inbox, max_in_progress
        )

    def wait_for_evals(
        self,
        run_tests: RunTests,
        *,
        timeout: float | timedelta,
        poll_interval: float = 1.0,
        max_concurrency: int | None = None,
        on_progress: Callable[[EvaluationProgress], object] | None = None,
    ) -> EvaluationReport:
        """Wait until nothing is being evaluated; see `AsyncFutureAGI.wait_for_evals`."""
        fan_out = self._client._fan_out_options(max_concurrency, timeout, None)  # noqa: SLF001 - its twin
        return self._evaluate(
            evaluation.inputs.run_test_inputs(run_tests),
            evaluation.inputs.EvaluationOptions.of(
                fan_out, poll_interval=poll_interval
            ),
            validate_callback(on_progress, "on_progress"),
        )

    def _evaluate(
        self,
        items: Any,
        options: EvaluationOptions,
        on_progress: Callable[[EvaluationProgress], object] | None,
    ) -> EvaluationReport:
        twin = self._client
        report: EvaluationReport = run_batch(
            self._portal,
            lambda source, forward: twin._evaluate(source, options, forward),  # noqa: SLF001 - its twin
            items,
            options.batch.max_concurrency,
            on_progress,
            interrupted=evaluation.report.EvaluationInterruptedError.by,
        )
        return report

    def get_run_test(self, run_test_id: UUID | str) -> RunTest:
        """Read a run test; see `AsyncFutureAGI.get_run_test`."""
        return self.send(endpoints.get_run_test.GetRunTest(run_test_id))

    def get_eval_summary(
        self, run_test_id: UUID | str, execution_id: UUID | str | None = None
    ) -> EvalSummary:
        """Read the scores of a run test.

        See `AsyncFutureAGI.get_eval_summary`.
        """
        return self.send(
            endpoints.get_eval_summary.GetEvalSummary(run_test_id, execution_id)
        )

    def update_eval_config(
        self,
        run_test_id: UUID | str,
        eval_config_id: UUID | str,
        *,
        name: str | None = None,
        template_id: UUID | str | None = None,
        config: Mapping[str, Any] | None = None,
        mapping: Mapping[str, Any] | None = None,
        filters: Sequence[Any] | Mapping[str, Any] | None = None,
        error_localizer: bool | None = None,
        model: str | None = None,
    ) -> UpdateEvalConfigResult:
        """Change an eval config; see `AsyncFutureAGI.update_eval_config`."""
        return self.send(
            endpoints.update_eval_config.UpdateEvalConfig(
                run_test_id,
                eval_config_id,
                name=name,
                template_id=template_id,
                config=config,
                mapping=mapping,
                filters=filters,
                error_localizer=error_localizer,
                model=model,
            )
        )

    def delete_eval_config(
        self, run_test_id: UUID | str, eval_config_id: UUID | str
    ) -> DeleteEvalConfigResult:
        """Delete an eval config; see `AsyncFutureAGI.delete_eval_config`."""
        return self.send(
            endpoints.delete_eval_config.DeleteEvalConfig(run_test_id, eval_config_id)
        )

    def get_run_test_many(
        self,
        run_test_ids: Iterable[UUID | str] | AsyncIterable[UUID | str],
        *,
        max_concurrency: int | None = None,
        timeout: float | timedelta | None = None,
        on_outcome: Callable[[Outcome[RunTest]], object] | None = None,
    ) -> Batch[RunTest]:
        """Read many run tests with their eval configs; see `send_many`."""
        return self.send_many(
            endpoints.get_run_test.requests_for(run_test_ids),
            max_concurrency=max_concurrency,
            timeout=timeout,
            on_outcome=on_outcome,
        )

    def get_eval_summary_many(
        self,
        run_test_ids: Iterable[UUID | str] | AsyncIterable[UUID | str],
        *,
        max_concurrency: int | None = None,
        timeout: float | timedelta | None = None,
        on_outcome: Callable[[Outcome[EvalSummary]], object] | None = None,
    ) -> Batch[EvalSummary]:
        """Read the scores of many run tests; see `send_many`."""
        return self.send_many(
            endpoints.get_eval_summary.requests_for(run_test_ids),
            max_concurrency=max_concurrency,
            timeout=timeout,
            on_outcome=on_outcome,
        )

    def list_run_tests(self, search: str | None = None) -> Iterator[RunTestEntry]:
        """Read all run tests; see `AsyncFutureAGI.list_run_tests`."""
        request = endpoints.list_run_tests.ListRunTests(search)
        return self._iterate(request)

    def list_test_executions(
        self, run_test_id: UUID | str, *, status: ExecutionStatus | str | None = None
    ) -> Iterator[TestExecution]:
        """Read all executions; see `AsyncFutureAGI.list_test_executions`."""
        request = endpoints.list_test_executions.ListTestExecutions(
            run_test_id, status=status
        )
        return self._iterate(request)

    def list_call_executions(self, run_test_id: UUID | str) -> Iterator[CallExecution]:
        """Read all calls; see `AsyncFutureAGI.list_call_executions`."""
        request = endpoints.list_call_executions.ListCallExecutions(run_test_id)
        return self._iterate(request)

    def list_eval_templates(self, search: str | None = None) -> Iterator[EvalTemplate]:
        """Read all templates; see `AsyncFutureAGI.list_eval_templates`."""
        return self._eval_templates(
            endpoints.list_eval_templates.validate_search(search)
        )

    def _eval_templates(self, search: str) -> Iterator[EvalTemplate]:
        templates = self.send(endpoints.list_eval_templates.ListEvalTemplates())
        yield from templates.named_like(search)

    def _iterate(self, request: PagedRequest[Any]) -> Iterator[Any]:
        paginator = Paginator[Any](self._client._read_page, request)  # noqa: SLF001 - its twin
        while entries := self._portal.call(paginator.next_entries):
            yield from entries

    def find_run_test(self, name: str) -> RunTestEntry:
        """Find a run test by name; see `AsyncFutureAGI.find_run_test`."""
        return self._portal.call(lambda: self._client.find_run_test(name))

    def find_eval_template(self, name: str) -> EvalTemplate:
        """Find a template by name; see `AsyncFutureAGI.find_eval_template`."""
        return self._portal.call(lambda: self._client.find_eval_template(name))

    def send(self, request: Operation[T]) -> T:
        """Send a request; see `AsyncFutureAGI.send`."""
        return self._portal.call(lambda: self._client.send(request))

    def send_many(
        self,
        requests: Requests[ResultT],
        *,
        max_concurrency: int | None = None,
        timeout: float | timedelta | None = None,
        journal: str | PathLike[str] | None = None,
        on_outcome: Callable[[Outcome[ResultT]], object] | None = None,
    ) -> Batch[ResultT]:
        """Send many requests, so many at a time; see `AsyncFutureAGI.send_many`.

        `requests` is read, and `on_outcome` called, in the calling thread.
        """
        twin = self._client
        options = twin._fan_out_options(max_concurrency, timeout, journal)  # noqa: SLF001 - its twin
        batch: Batch[ResultT] = run_batch(
            self._portal,
            lambda source, forward: twin._send_batch(source, options, forward),  # noqa: SLF001 - its twin
            validate_requests(requests),
            options.max_concurrency,
            validate_callback(on_outcome),
        )
        return batch

    def stream(
        self,
        requests: Requests[ResultT],
        *,
        max_concurrency: int | None = None,
        timeout: float | timedelta | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> BlockingOutcomeStream[ResultT]:
        """Send many requests and read their outcomes as they come, in flat memory.

        Use it as `with client.stream(requests) as outcomes:` and then
        `for outcome in outcomes:`; see `AsyncFutureAGI.stream`. `requests` is read in
        the calling thread.
        """
        twin, inbox = self._client, queue.SimpleQueue[Any]()
        options = twin._fan_out_options(max_concurrency, timeout, journal)  # noqa: SLF001 - its twin
        places = options.max_concurrency
        source = feed(validate_requests(requests), inbox, places)
        flow = twin._flow(source, options)  # noqa: SLF001 - its twin
        return BlockingOutcomeStream(self._portal, flow, source, inbox, places)

    def close(self) -> None:
        """Close the connections and end the thread.

        Calls under way in other threads end with `ClientClosedError`.
        """
        if not self._is_copy:
            self._portal.close()

    def __enter__(self) -> Self:
        self._portal.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._portal.closed else "open"
        return f"<FutureAGI {self._client._settings.base_url} {state}>"  # noqa: SLF001 - its twin

    def __reduce__(self) -> NoReturn:
        raise ConfigurationError(
            "a client holds keys and connections and cannot be pickled; make one in "
            "each process"
        )
