"""The asynchronous client: lifetime, one method an operation, and batches."""

from __future__ import annotations

import asyncio
import ssl as tls
from collections import abc
from datetime import timedelta
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar, Unpack
from uuid import UUID

from futureagi_async import batch, endpoints, evaluation, model
from futureagi_async.batch.executor import RequestContext, RequestExecutor
from futureagi_async.batch.options import (
    BatchOptions,
    StreamOptions,
    complete_options,
    expand_options,
    validate_callback,
    validate_request,
    validate_requests,
)
from futureagi_async.errors import ConfigurationError
from futureagi_async.evaluation.options import EVALUATION_DEFAULTS, EvaluationOptions
from futureagi_async.model.operation import Operation
from futureagi_async.model.page import PagedRequest, Paginator
from futureagi_async.model.request import Request, Requests, ResultT
from futureagi_async.model.resource import (
    CallRef,
    EvalConfigRef,
    EvalTemplateRef,
    ExecutionRef,
    RunTestRef,
    RunTestRefs,
)
from futureagi_async.transport.call import RequestOptions, ThrottleBudget
from futureagi_async.transport.http import HTTPBackend
from futureagi_async.transport.settings import (
    DEFAULT,
    Default,
    RateLimit,
    RetryPolicy,
    Settings,
    Timeout,
    positive_int,
    validate_retry_policy,
)
from futureagi_async.transport.transport import Transport


T = TypeVar("T")


def _backend_factory(settings: Settings) -> abc.Callable[[], HTTPBackend]:
    def open_backend() -> HTTPBackend:
        # Imported when the first request is sent: loading aiohttp takes long.
        from futureagi_async.transport.aiohttp_backend import AiohttpBackend  # noqa: PLC0415

        return AiohttpBackend(settings)

    return open_backend


class AsyncFutureAGI:
    """Client that adds and runs evaluations on simulation run tests; it is awaited.

    It can be created anywhere, and works in the event loop that first uses it. Close it
    with `async with` or `aclose`; otherwise it is closed with its loop.

    Args:
        api_key: the API key; by default the environment variable `FI_API_KEY`.
        secret_key: the secret key; by default `FI_SECRET_KEY`.
        base_url: address of the service, with any path; by default `FI_BASE_URL`, or
            else `https://api.futureagi.com`.
        workspace_id: sent as `X-Workspace-Id`, for keys of several workspaces.
        timeout: a `Timeout`, or the seconds that a call may take in all.
        retry: what is retried, and how often.
        rate_limit: how fast the client sends at most, its copies included.
        max_connections: how many connections are open at most.
        proxy: address of a proxy; by default the one of the environment (`HTTPS_PROXY`,
            `NO_PROXY` ...), read now. An empty text disables it.
        ssl: TLS context, e.g. to trust a private CA.
        headers: further headers for every request.
        allow_http: allow `http://` to other machines, which sends the keys unencrypted.

    Raises:
        ConfigurationError: a setting is missing or cannot work.
    """

    def __init__(
        self,
        api_key: str | None = None,
        secret_key: str | None = None,
        *,
        base_url: str | None = None,
        workspace_id: UUID | str | None = None,
        timeout: Timeout | timedelta | float = Timeout(),  # noqa: B008 - a frozen value
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - a frozen value
        rate_limit: RateLimit | None = None,
        max_connections: int = 100,
        proxy: str | None = None,
        ssl: tls.SSLContext | None = None,
        headers: abc.Mapping[str, str] | None = None,
        allow_http: bool = False,
    ) -> None:
        self._settings = Settings.resolve(
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
        self._options = RequestOptions(self._settings.timeout, self._settings.retry)
        self._transport = Transport(
            _backend_factory(self._settings), rate_limit=self._settings.rate_limit
        )
        self._is_copy = False
        self._templates: dict[str, endpoints.list_eval_templates.EvalTemplate] = {}

    def with_options(
        self,
        *,
        timeout: Timeout | timedelta | float | Default = DEFAULT,
        retry: RetryPolicy | Default = DEFAULT,
    ) -> Self:
        """Return a copy with other options on the same connections.

        Closing the copy does nothing; it works until the original is closed.

        Raises:
            ConfigurationError: an option cannot work.
        """
        options = self._options
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy._options = RequestOptions(
            options.timeout if timeout is DEFAULT else Timeout.of(timeout),
            options.retry if retry is DEFAULT else validate_retry_policy(retry),
        )
        copy._is_copy = True
        return copy

    async def add_eval_configs(
        self,
        run_test: RunTestRef,
        configs: abc.Iterable[endpoints.eval_config.EvalConfig | abc.Mapping[str, Any]],
    ) -> endpoints.add_eval_configs.AddEvalConfigsResult:
        """Add evaluations to a run test.

        Not atomic: when a name is taken, the configs before it stay created.

        Args:
            run_test: the run test, or its id.
            configs: `EvalConfig`s, or dicts as `EvalConfig.from_dict` takes.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            NameConflictError: the run test has an eval config of that name.
            APIError: it failed otherwise; see its `delivery`.
        """
        return await self.send(
            endpoints.add_eval_configs.AddEvalConfigs(run_test, configs)
        )

    @expand_options(BatchOptions)
    async def add_eval_configs_many(
        self,
        run_tests: RunTestRefs,
        configs: abc.Iterable[endpoints.eval_config.EvalConfig | abc.Mapping[str, Any]],
        **options: Unpack[BatchOptions],
    ) -> model.outcome.Batch[endpoints.add_eval_configs.AddEvalConfigsResult]:
        """Add the same evaluations to many run tests; see `send_many`."""
        requests = endpoints.add_eval_configs.requests_for(run_tests, configs)
        return await self.send_many(requests, **options)

    async def run_new_evals(
        self,
        run_test: RunTestRef,
        *,
        eval_config_ids: abc.Iterable[EvalConfigRef],
        test_execution_ids: abc.Iterable[ExecutionRef] | None = None,
        select_all: bool = False,
        enable_tool_evaluation: bool | None = None,
    ) -> endpoints.run_new_evals.RunNewEvalsResult:
        """Start evaluations of a run test's executions; `RunNewEvals` explains each.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            ExecutionsNotCompletedError: an execution is still running or evaluating.
            EvalDispatchError: the service accepted the request and could not start it.
            APIError: it failed otherwise; see its `delivery`.
        """
        return await self.send(
            endpoints.run_new_evals.RunNewEvals(
                run_test,
                eval_config_ids,
                test_execution_ids,
                select_all,
                enable_tool_evaluation,
            )
        )

    @expand_options(BatchOptions)
    async def run_new_evals_many(
        self,
        eval_config_ids: endpoints.run_new_evals.IdsByRunTest
        | endpoints.run_new_evals.PairsByRunTest,
        *,
        select_all: bool = False,
        test_execution_ids: endpoints.run_new_evals.IdsByRunTest | None = None,
        enable_tool_evaluation: bool | None = None,
        **options: Unpack[BatchOptions],
    ) -> model.outcome.Batch[endpoints.run_new_evals.RunNewEvalsResult]:
        """Start evaluations on many run tests; see `RunNewEvals` and `send_many`.

        Args:
            eval_config_ids: the eval configs of each run test: a mapping, or an iterable
                of pairs.
            select_all: evaluate every execution.
            test_execution_ids: otherwise, the executions of each run test.
            enable_tool_evaluation: whether the use of tools is evaluated as well.
            **options: see `BatchOptions`.
        """
        requests = endpoints.run_new_evals.requests_for(
            eval_config_ids,
            select_all=select_all,
            test_execution_ids=test_execution_ids,
            enable_tool_evaluation=enable_tool_evaluation,
        )
        return await self.send_many(requests, **options)

    async def ensure_eval_configs(
        self,
        run_test: RunTestRef,
        configs: abc.Iterable[endpoints.eval_config.EvalConfig | abc.Mapping[str, Any]],
        *,
        on_conflict: evaluation.ensure_configs.OnConflict = "raise",
    ) -> evaluation.ensure_configs.EnsuredEvalConfigs:
        """Create the eval configs that a run test does not have yet.

        Idempotent, also from two places one after the other. Existing eval configs are
        compared by name and by the settings that `configs` contains.

        Args:
            run_test: the run test, or its id.
            configs: as for `add_eval_configs`.
            on_conflict: what to do about an eval config of the same name with other
                content: `"raise"` before anything is changed, `"keep"` it, or
                `"update"` it.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            EvalConfigsDifferError: with `on_conflict="raise"`, one has other content.
            APIError: a call failed; its `hint` lists what had been changed before.
        """
        return await self.send(
            evaluation.ensure_configs.EnsureEvalConfigs(
                run_test, configs, on_conflict=on_conflict
            )
        )

    @expand_options(EvaluationOptions, EVALUATION_DEFAULTS)
    async def evaluate(
        self,
        run_tests: RunTestRefs,
        configs: abc.Iterable[endpoints.eval_config.EvalConfig | abc.Mapping[str, Any]],
        *,
        on_progress: abc.Callable[[evaluation.report.EvaluationProgress], object]
        | None = None,
        **options: Unpack[EvaluationOptions],
    ) -> evaluation.report.EvaluationReport:
        """Evaluate many run tests: from eval configs to scores.

        Run tests are independent of each other: the eval configs of each are ensured,
        its completed executions are read, evaluations without a result are started,
        waited for, and summed up. The report has the status of each and its reason: an
        error of one run test does not affect the others.

        With `rerun=False` existing results are neither erased nor charged again, so
        that this can be repeated, by anyone, and continues where it stopped. The unit is
        the execution: an eval config is started on an execution if no completed call of
        it has a result.

        Args:
            run_tests: run tests or ids. An iterator is read as they are worked on.
            configs: as for `add_eval_configs`.
            on_progress: called with the counts whenever they change.
            **options: see `EvaluationOptions`.

        Returns:
            One entry a run test, in the order of the input.

        Raises:
            InvalidRequestError: a value could never be accepted, or a mapping does not
                fit its template; nothing was changed or started.
            ConfigurationError: an option cannot work.
            JournalError: the journal cannot be used; nothing was sent.
            EvaluationInterruptedError: the iterable or `on_progress` raised; its
                `report` has the results until then.
        """
        operations, settings = self._prepare_evaluation(run_tests, configs, options)
        return await self._evaluate(operations, settings, on_progress)

    @expand_options(EvaluationOptions, EVALUATION_DEFAULTS)
    def stream_evaluations(
        self,
        run_tests: RunTestRefs,
        configs: abc.Iterable[endpoints.eval_config.EvalConfig | abc.Mapping[str, Any]],
        **options: Unpack[EvaluationOptions],
    ) -> evaluation.stream.EvaluationStream:
        """Evaluate many run tests and yield the result of each when it is there.

        Use it as `async with client.stream_evaluations(...) as evaluations:` and then
        `async for evaluation in evaluations:`. Leaving the block cancels requests in
        flight; evaluations that were started go on at the service. The memory that it
        needs does not grow: at most `max_in_progress` run tests are in progress or
        unread.

        Args:
            run_tests: as for `evaluate`.
            configs: as for `add_eval_configs`.
            **options: see `EvaluationOptions`.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            ConfigurationError: an option cannot work.
        """
        return evaluation.stream.EvaluationStream(
            evaluation.stream.EvaluationProducer(
                self._transport,
                self._options,
                *self._prepare_evaluation(run_tests, configs, options),
            )
        )

    async def wait_for_evals(
        self,
        run_tests: RunTestRefs,
        *,
        timeout: float | timedelta,
        poll_interval: float | timedelta = 1.0,
        stuck_after: float | timedelta = 60.0,
        include_calls: bool = False,
        max_concurrency: int | None = None,
        on_progress: abc.Callable[[evaluation.report.EvaluationProgress], object]
        | None = None,
    ) -> evaluation.report.EvaluationReport:
        """Wait until no evaluation of these run tests is running; return their scores.

        It does not matter who started the evaluations: a person, or the service after
        an execution or a rerun. They are under way in every execution that has the
        status "evaluating"; one that is still running is left out, with a warning. Those
        that can never finish, because an execution has no completed call, and those
        that were prepared and never started, are reported as such when nothing has
        changed for `stuck_after` seconds. An eval config that was never run is not
        missed once the execution is completed.

        Args:
            run_tests: as for `evaluate`.
            timeout: seconds after which unfinished evaluations are reported so.
            poll_interval: as for `evaluate`.
            stuck_after: as for `evaluate`.
            include_calls: as for `evaluate`.
            max_concurrency: as for `evaluate`.
            on_progress: as for `evaluate`.

        Returns:
            One entry a run test, in the order of the input, with the scores of every
            eval config that has results.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            ConfigurationError: an option cannot work.
            EvaluationInterruptedError: the iterable or `on_progress` raised.
        """
        settings = evaluation.inputs.EvaluationSettings.of(
            self._batch_config(
                {"timeout": timeout, "max_concurrency": max_concurrency}
            ),
            poll_interval=poll_interval,
            stuck_after=stuck_after,
            includes_calls=include_calls,
        )
        operations = evaluation.inputs.run_test_inputs(run_tests)
        return await self._evaluate(operations, settings, on_progress)

    async def get_run_test(
        self, run_test: RunTestRef
    ) -> endpoints.get_run_test.RunTest:
        """Read a run test with its eval configs.

        Args:
            run_test: the run test, or its id.

        Raises:
            InvalidRequestError: the id is not one; nothing was sent.
            NotFoundError: the keys see no such run test.
            APIError: it failed otherwise.
        """
        return await self.send(endpoints.get_run_test.GetRunTest(run_test))

    async def get_eval_summary(
        self,
        run_test: RunTestRef,
        execution: ExecutionRef | None = None,
    ) -> endpoints.get_eval_summary.EvalSummary:
        """Read the scores of a run test.

        Results that are pending or have failed are left out of it.

        Args:
            run_test: the run test, or its id.
            execution: the one execution to sum up, or its id; by default all of them.

        Raises:
            InvalidRequestError: an id is not one; nothing was sent.
            NotFoundError: the keys see no such run test.
            APIError: it failed otherwise.
        """
        return await self.send(
            endpoints.get_eval_summary.GetEvalSummary(run_test, execution)
        )

    async def compare_executions(
        self, run_test: RunTestRef, executions: abc.Iterable[ExecutionRef]
    ) -> endpoints.compare_executions.ExecutionComparison:
        """Read the scores of several executions of a run test side by side.

        Args:
            run_test: the run test, or its id.
            executions: the executions, or their ids. One that does not exist is no
                error of the service: it has no results.

        Raises:
            InvalidRequestError: an id is not one, or there are none; nothing was sent.
            NotFoundError: the keys see no such run test.
            APIError: it failed otherwise.
        """
        return await self.send(
            endpoints.compare_executions.CompareExecutions(run_test, executions)
        )

    async def get_simulation_metrics(
        self, execution: ExecutionRef
    ) -> endpoints.get_simulation_metrics.SimulationMetrics:
        """Read the state of an execution, and how many calls it has in which state.

        It is the cheapest read: under 1 kB, whatever the number of calls.

        Args:
            execution: the execution, or its id.

        Raises:
            InvalidRequestError: the id is not one; nothing was sent.
            NotFoundError: the keys see no such execution, or (`EndpointMissingError`)
                this instance of the service has no such endpoint.
            APIError: it failed otherwise.
        """
        return await self.send(
            endpoints.get_simulation_metrics.GetSimulationMetrics(execution)
        )

    async def get_simulation_runs(
        self,
        execution: ExecutionRef,
        *,
        page: int = 1,
        limit: int = 1000,
        eval_names: abc.Iterable[str] | None = None,
    ) -> endpoints.get_simulation_runs.SimulationRuns:
        """Read an execution with its scores, and a page of its calls with results.

        The calls have no transcripts: 100 calls are 0.25 MB, where the pages of
        `list_call_executions` have 4 MB and more.

        Args:
            execution: the execution, or its id.
            page: number of the page, counted from 1; past `total_pages` it is a 500.
            limit: calls on a page.
            eval_names: only results of eval configs with these names.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            NotFoundError: the keys see no such execution, or (`EndpointMissingError`)
                this instance of the service has no such endpoint.
            ServerError: a result is of a template of numbers or reasons, or the page
                is past the end.
            APIError: it failed otherwise.
        """
        request = endpoints.get_simulation_runs.GetSimulationRuns(
            execution, page, limit, eval_names
        )
        return await self.send(request)

    async def get_call_execution(
        self, call: CallRef
    ) -> endpoints.list_call_executions.CallExecution:
        """Read one call with its transcript and results.

        Results of deleted eval configs are left out, unlike in lists.

        Args:
            call: the call, or its id; a snapshot is no call.

        Raises:
            InvalidRequestError: the id is not one; nothing was sent.
            NotFoundError: the keys see no such call.
            APIError: it failed otherwise.
        """
        return await self.send(endpoints.get_call_execution.GetCallExecution(call))

    async def update_eval_config(
        self,
        run_test: RunTestRef,
        eval_config: EvalConfigRef,
        *,
        name: str | None = None,
        template_id: EvalTemplateRef | None = None,
        config: abc.Mapping[str, Any] | None = None,
        mapping: abc.Mapping[str, Any] | None = None,
        filters: abc.Sequence[Any] | abc.Mapping[str, Any] | None = None,
        error_localizer: bool | None = None,
        model: str | None = None,
    ) -> endpoints.update_eval_config.UpdateEvalConfigResult:
        """Change an eval config; `UpdateEvalConfig` explains each argument.

        `None` leaves a setting as it is. Earlier results stay until it is run again.

        Raises:
            InvalidRequestError: a value could never be accepted, or nothing is to
                change; nothing was sent.
            NotFoundError: there is no such eval config.
            APIError: it failed otherwise; see its `delivery`.
        """
        return await self.send(
            endpoints.update_eval_config.UpdateEvalConfig(
                run_test,
                eval_config,
                name=name,
                template_id=template_id,
                config=config,
                mapping=mapping,
                filters=filters,
                error_localizer=error_localizer,
                model=model,
            )
        )

    async def delete_eval_config(
        self, run_test: RunTestRef, eval_config: EvalConfigRef
    ) -> endpoints.delete_eval_config.DeleteEvalConfigResult:
        """Delete an eval config of a run test.

        Args:
            run_test: the run test, or its id.
            eval_config: the eval config, or its id.

        Raises:
            InvalidRequestError: an id is not one; nothing was sent.
            BadRequestError: it is the last one of the run test, which has to stay.
            NotFoundError: there is no such eval config.
            APIError: it failed otherwise; see its `delivery`.
        """
        return await self.send(
            endpoints.delete_eval_config.DeleteEvalConfig(run_test, eval_config)
        )

    async def execute_run_test(
        self,
        run_test: RunTestRef,
        scenario_ids: abc.Iterable[UUID | str] | None = None,
    ) -> endpoints.execute_run_test.ExecutionStarted:
        """Start an execution of a run test, whose calls are simulated and evaluated.

        Each call of this method starts another one: the service recognizes no
        repetition. After an unknown outcome the executions are read, and nothing is sent
        again on a guess; `ExecuteRunTest` explains what they prove.

        Args:
            run_test: the run test, or its id.
            scenario_ids: the scenarios to execute; by default all of the run test.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            ExecutionStartError: it could not be started; a pending execution that nobody
                runs is left behind.
            FeatureNotIncludedError: the plan has no voice simulation.
            APIError: it failed otherwise; see its `delivery`.
        """
        return await self.send(
            endpoints.execute_run_test.ExecuteRunTest(run_test, scenario_ids)
        )

    async def get_execution_status(
        self, run_test: RunTestRef
    ) -> endpoints.get_execution_status.NewestExecution:
        """Read the state of the newest execution of a run test.

        Args:
            run_test: the run test, or its id.

        Raises:
            InvalidRequestError: the id is not one; nothing was sent.
            NotFoundError: the keys see no such run test.
            APIError: it failed otherwise.
        """
        return await self.send(
            endpoints.get_execution_status.GetExecutionStatus(run_test)
        )

    async def cancel_execution(
        self, execution: ExecutionRef, *, even_if_completed: bool = False
    ) -> endpoints.cancel_execution.CancelExecutionResult:
        """Cancel an execution; its calls that have not ended are cancelled.

        Its state is read first, since the service cancels a completed one as well. That
        one accepts no new evaluations. It can still be completed in between.

        Args:
            execution: the execution, or its id.
            even_if_completed: cancel it without reading its state first.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            ExecutionCompletedError: it is completed; it was not cancelled.
            NotFoundError: the keys see no such execution.
            APIError: it failed otherwise; see its `delivery`.
        """
        return await self.send(
            endpoints.cancel_execution.CancelExecution(
                execution, even_if_completed=even_if_completed
            )
        )

    async def rerun_executions(
        self,
        run_test: RunTestRef,
        rerun_type: endpoints.rerun.RerunType,
        *,
        test_execution_ids: abc.Iterable[ExecutionRef] | None = None,
        select_all: bool = False,
    ) -> endpoints.rerun_executions.RerunExecutionsResult:
        """Run evaluations, or calls and evaluations, of executions again.

        Earlier results of **all** eval configs on these executions are erased at once.
        `RerunExecutions` explains what else happens to them.

        Args:
            run_test: the run test, or its id.
            rerun_type: `"eval_only"`, or for agents with a voice `"call_and_eval"`.
            test_execution_ids: the executions, or their ids.
            select_all: run every execution again.

        Returns:
            What became of each execution. Its `warnings` and `left_out` have what is not
            run again.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            EvalDispatchError: no evaluation could be started; results are as before.
            RerunDispatchError: no call could be started; the executions are failed now.
            APIError: it failed otherwise; see its `delivery`.
        """
        return await self.send(
            endpoints.rerun_executions.RerunExecutions(
                run_test, rerun_type, test_execution_ids, select_all
            )
        )

    async def rerun_calls(
        self,
        run_test: RunTestRef,
        execution: ExecutionRef,
        rerun_type: endpoints.rerun.RerunType,
        *,
        call_execution_ids: abc.Iterable[CallRef] | None = None,
        select_all: bool = False,
    ) -> endpoints.rerun_calls.RerunCallsResult:
        """Run evaluations of calls, or the calls as well, again.

        Earlier results of **all** eval configs on these calls are erased at once.

        Args:
            run_test: the run test, or its id.
            execution: the execution that the calls belong to, or its id.
            rerun_type: as for `rerun_executions`.
            call_execution_ids: the calls, or their ids.
            select_all: run every call of the execution again.

        Returns:
            What became of the calls. Its `warnings` and `left_out` have what is not run
            again.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            EvalDispatchError: no evaluation could be started; results are as before.
            RerunDispatchError: no call could be started; the execution is failed now.
            APIError: it failed otherwise; see its `delivery`.
        """
        return await self.send(
            endpoints.rerun_calls.RerunCalls(
                run_test, execution, rerun_type, call_execution_ids, select_all
            )
        )

    async def ping(self) -> endpoints.ping.Ping:
        """Check by one small request whether the service accepts the keys.

        The service ignores an unknown `workspace_id` without a word, so that the result
        has the workspace that has answered, as far as its newest run test shows it.

        Raises:
            AuthenticationError: the keys are wrong or disabled.
            PermissionDeniedError: the workspace is not among those of the keys' user.
            APIError: it failed otherwise; a key whose user is gone is a `ServerError`.
        """
        return await endpoints.ping.ping(self.send, self._settings.workspace_id)

    def list_run_tests(
        self, search: str | None = None
    ) -> abc.AsyncIterator[endpoints.list_run_tests.RunTestEntry]:
        """Read all run tests that the keys see, the newest first, page by page.

        Use it as `async for entry in client.list_run_tests():`. A page is read when its
        first entry is needed. No entry comes twice, and none is missed: where the list
        became shorter meanwhile, or entries have moved, it is read again from its start
        (three times at most), and what had come before is left out. A throttled page
        (429, or 503 with `Retry-After`) is retried for up to ten minutes, as in a batch.

        Args:
            search: only those whose name, or whose agent's name, contains this text in
                any case.

        Raises:
            InvalidRequestError: it is not text; nothing was sent.
            APIError: a page could not be read; raised by the iterator.
        """
        return self._paginate(endpoints.list_run_tests.ListRunTests(search))

    def list_test_executions(
        self,
        run_test: RunTestRef,
        *,
        status: endpoints.status.ExecutionStatus | str | None = None,
    ) -> abc.AsyncIterator[endpoints.list_test_executions.TestExecution]:
        """Read all executions of a run test, the newest first, page by page.

        Args:
            run_test: the run test, or its id.
            status: only those with this status, in any case.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            APIError: a page could not be read; raised by the iterator.
        """
        return self._paginate(
            endpoints.list_test_executions.ListTestExecutions(run_test, status=status)
        )

    def list_call_executions(
        self,
        run_test: RunTestRef,
        *,
        execution: ExecutionRef | None = None,
        status: endpoints.status.ExecutionStatus | str | None = None,
        snapshots: bool = False,
    ) -> abc.AsyncIterator[endpoints.list_call_executions.CallExecution]:
        """Read all calls of a run test with their results, the last changed first.

        Each has its transcript, of 12 to 160 kB. Pages that are too large, or take too
        long, are read in smaller ones. `GetSimulationRuns` reads the results of one
        execution without transcripts.

        Args:
            run_test: the run test, or its id.
            execution: only calls of this execution. The service has no such filter: the
                calls of the others are read too, and left out here.
            status: only those with this status, in any case.
            snapshots: whether to include what calls were before they were made again;
                see `CallExecution.is_snapshot`.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            APIError: a page could not be read; raised by the iterator.
            ListChangedError: the calls changed each time they were read; raised by the
                iterator.
        """
        lists = endpoints.list_call_executions
        return self._paginate(
            lists.ListCallExecutions(run_test, status=status),
            lists.call_filter(execution, snapshots=snapshots),
        )

    def list_eval_templates(
        self, search: str | None = None
    ) -> abc.AsyncIterator[endpoints.list_eval_templates.EvalTemplate]:
        """Read all eval templates that can be used, the newest first.

        Args:
            search: only those whose name contains this text in any case.

        Raises:
            InvalidRequestError: it is not text; nothing was sent.
            APIError: the list could not be read; raised by the iterator.
        """
        return self._eval_templates(
            endpoints.list_eval_templates.validate_search(search)
        )

    async def find_run_test(self, name: str) -> endpoints.list_run_tests.RunTestEntry:
        """Find the run test that has exactly this name.

        Raises:
            InvalidRequestError: the name is not text, or blank; nothing was sent.
            NameLookupError: none has it, or several have; the message names close
                names, or the ids.
            APIError: the list could not be read.
        """
        return await endpoints.find_by_name.find_run_test(self.send, name)

    async def find_eval_template(
        self, name: str
    ) -> endpoints.list_eval_templates.EvalTemplate:
        """Find the eval template that has exactly this name.

        Raises:
            InvalidRequestError: the name is not text, or blank; nothing was sent.
            NameLookupError: none has it, or several have; the message names close
                names, or the ids.
            APIError: the list could not be read.
        """
        return await endpoints.find_by_name.find_eval_template(self.send, name)

    async def send(self, request: Operation[T]) -> T:
        """Send a request, or run an operation.

        Raises:
            InvalidRequestError: it is not a request.
            ClientClosedError: the client is closed.
            APIError: it failed; see its `delivery`.
        """
        context = RequestContext(self._transport, self._options)
        return await RequestExecutor(context).send(validate_request(request))

    @expand_options(BatchOptions)
    async def send_many(
        self, requests: Requests[ResultT], **options: Unpack[BatchOptions]
    ) -> model.outcome.Batch[ResultT]:
        """Send many requests with bounded concurrency; failures are outcomes as well.

        Requests for one run test are sent one after the other. An error that would meet
        every request, such as invalid keys, stops the batch: requests that were not
        sent are `NotAttempted`.

        Args:
            requests: an iterable or asynchronous iterable. A collection is validated
                before anything is sent; an iterator is read as workers become free.
            **options: see `BatchOptions`.

        Returns:
            One outcome a request, in the order of the input.

        Raises:
            InvalidRequestError: not an iterable, or a collection with something else
                than requests in it; nothing was sent.
            ConfigurationError: an option cannot work.
            JournalError: the journal cannot be used; nothing was sent.
            BatchInterruptedError: the iterable or `on_outcome` raised; its `batch` has
                the outcomes until then.
        """
        completed = complete_options(options, BatchOptions)
        on_outcome = validate_callback(completed.pop("on_outcome"))
        return await batch.batch_executor.send_batch(
            self._transport,
            self._options,
            validate_requests(requests),
            self._batch_config(completed),
            on_outcome,
        )

    @expand_options(StreamOptions)
    def stream(
        self, requests: Requests[ResultT], **options: Unpack[StreamOptions]
    ) -> batch.stream.OutcomeStream[ResultT]:
        """Send many requests and yield each outcome when it is there.

        Use it as `async with client.stream(requests) as outcomes:` and then
        `async for outcome in outcomes:`. Leaving the block cancels requests in flight.
        The memory that it needs does not grow with the number of requests.

        Args:
            requests: as for `send_many`.
            **options: see `StreamOptions`.

        Raises:
            InvalidRequestError: as for `send_many`.
            ConfigurationError: an option cannot work.
        """
        config = self._batch_config(complete_options(options, StreamOptions))
        return batch.stream.OutcomeStream(
            batch.stream.OutcomeProducer(
                self._transport, self._options, validate_requests(requests), config
            )
        )

    async def aclose(self) -> None:
        """Close the connections; running calls fail with `ClientClosedError`."""
        if not self._is_copy:
            await self._transport.aclose()

    async def __aenter__(self) -> Self:
        if not self._is_copy:
            await self._transport.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "closed" if self._transport.closed else "open"
        return f"<AsyncFutureAGI {self._settings.base_url} {state}>"

    def __reduce__(self) -> NoReturn:
        raise ConfigurationError(
            "a client holds keys and connections and cannot be pickled; make one in "
            "each process"
        )

    # How the methods above reach the rooms below.

    def _batch_config(self, options: abc.Mapping[str, Any]) -> batch.config.BatchConfig:
        return batch.config.BatchConfig.of(
            self._settings,
            options["max_concurrency"],
            options["timeout"],
            options.get("journal"),
        )

    def _paginate(
        self,
        request: PagedRequest[Any],
        keep: abc.Callable[[Any], bool] | None = None,
    ) -> Paginator[Any]:
        return Paginator(self._read_page, request, keep)

    async def _read_page(self, request: Request[ResultT], /) -> ResultT:
        throttle = ThrottleBudget(asyncio.get_running_loop().time())
        context = RequestContext(self._transport, self._options, throttle)
        return await RequestExecutor(context).send(request)

    async def _eval_templates(
        self, search: str
    ) -> abc.AsyncIterator[endpoints.list_eval_templates.EvalTemplate]:
        templates = await self.send(endpoints.list_eval_templates.ListEvalTemplates())
        for template in templates.named_like(search):
            yield template

    def _prepare_evaluation(
        self,
        run_tests: RunTestRefs,
        configs: abc.Iterable[endpoints.eval_config.EvalConfig | abc.Mapping[str, Any]],
        options: abc.Mapping[str, Any],
    ) -> tuple[Any, evaluation.inputs.EvaluationSettings]:
        given = complete_options(options, EvaluationOptions, EVALUATION_DEFAULTS)
        spec = evaluation.inputs.EvaluationSpec.of(
            configs,
            on_conflict=given["on_conflict"],
            rerun=given["rerun"],
            latest_executions=given["latest_executions"],
            started_after=given["started_after"],
            enable_tool_evaluation=given["enable_tool_evaluation"],
            execute=given["execute"],
            check_mappings=given["check_mappings"],
        )
        operations = evaluation.inputs.run_test_inputs(run_tests)
        settings = evaluation.inputs.EvaluationSettings.of(
            self._batch_config(given),
            poll_interval=given["poll_interval"],
            spec=spec,
            waits=given["wait"],
            max_in_progress=positive_int(given["max_in_progress"], "max_in_progress"),
            stuck_after=given["stuck_after"],
            includes_calls=given["include_calls"],
            templates=self._templates,
        )
        return operations, settings

    async def _evaluate(
        self,
        operations: Any,
        settings: evaluation.inputs.EvaluationSettings,
        on_progress: abc.Callable[[evaluation.report.EvaluationProgress], object]
        | None,
    ) -> evaluation.report.EvaluationReport:
        callback = validate_callback(on_progress, "on_progress")
        return await evaluation.stream.evaluate(
            self._transport, self._options, operations, settings, callback
        )
