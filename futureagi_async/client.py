"""The asynchronous client: lifetime, one method an endpoint, and fan-out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from futureagi_async import endpoints, evaluation
from futureagi_async.batch import executor
from futureagi_async.batch.options import (
    validate_callback,
    validate_request,
    validate_requests,
)
from futureagi_async.errors import ConfigurationError
from futureagi_async.model.page import Paginator
from futureagi_async.transport.call import RequestOptions, ThrottleBudget
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


if TYPE_CHECKING:
    import ssl as tls
    from collections.abc import (
        AsyncIterable,
        AsyncIterator,
        Callable,
        Iterable,
        Mapping,
        Sequence,
    )
    from datetime import datetime, timedelta
    from os import PathLike
    from types import TracebackType
    from uuid import UUID

    from futureagi_async.batch.config import BatchConfig
    from futureagi_async.batch.stream import OutcomeProducer, OutcomeStream
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
    from futureagi_async.evaluation.stream import EvaluationProducer, EvaluationStream
    from futureagi_async.model.operation import Operation
    from futureagi_async.model.outcome import Batch, Outcome
    from futureagi_async.model.request import Request, Requests, ResultT
    from futureagi_async.transport.http import HTTPBackend


T = TypeVar("T")


def _backend_factory(settings: Settings) -> Callable[[], HTTPBackend]:
    def open_backend() -> HTTPBackend:
        # Imported when the first request is sent: aiohttp takes its time.
        from futureagi_async.transport.aiohttp_backend import AiohttpBackend  # noqa: PLC0415

        return AiohttpBackend(settings)

    return open_backend


class AsyncFutureAGI:
    """Adds and runs evaluations on simulation run tests; every method is awaited.

    It can be made anywhere, and works in the event loop that first uses it. Close it
    with `async with` or `aclose`; one that is forgotten is closed with its loop.

    Args:
        api_key: the API key; by default the environment variable `FI_API_KEY`.
        secret_key: the secret key; by default `FI_SECRET_KEY`.
        base_url: where the service is; by default `FI_BASE_URL`, or else
            `https://api.futureagi.com`. A path is kept.
        workspace_id: sent as `X-Workspace-Id`, for keys of several workspaces.
        timeout: a `Timeout`, or the seconds that a call may take in all.
        retry: what is tried again, and how often.
        rate_limit: how fast the client sends at most, its copies included.
        max_connections: how many connections are open at most.
        proxy: the address of a proxy; by default the one of the environment
            (`HTTPS_PROXY`, `NO_PROXY` ...), read now. An empty text means none.
        ssl: a context for TLS, for certificates of an own authority.
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
        timeout: Timeout | float = Timeout(),  # noqa: B008 - a frozen value
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - a frozen value
        rate_limit: RateLimit | None = None,
        max_connections: int = 100,
        proxy: str | None = None,
        ssl: tls.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
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
        options = self._options
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._options = RequestOptions(
            options.timeout if timeout is DEFAULT else Timeout.of(timeout),
            options.retry if retry is DEFAULT else validate_retry_policy(retry),
        )
        twin._is_copy = True
        return twin

    async def add_eval_configs(
        self,
        run_test_id: UUID | str,
        evaluations_config: Iterable[EvalConfig | Mapping[str, Any]],
    ) -> AddEvalConfigsResult:
        """Add evaluations to a run test.

        Not atomic: when a name is taken, the items before it stay created.

        Args:
            run_test_id: the run test.
            evaluations_config: `EvalConfig`s, or dicts as `EvalConfig.from_dict` takes.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            NameConflictError: the run test has an eval config of that name.
            APIError: it failed otherwise; see its `delivery`.
        """
        return await self.send(
            endpoints.add_eval_configs.AddEvalConfigs(run_test_id, evaluations_config)
        )

    async def run_new_evals(
        self,
        run_test_id: UUID | str,
        *,
        eval_config_ids: Iterable[UUID | str] | None = None,
        eval_config_names: Iterable[str] | None = None,
        test_execution_ids: Iterable[UUID | str] | None = None,
        select_all: bool = False,
        enable_tool_evaluation: bool | None = None,
    ) -> RunNewEvalsResult:
        """Start evaluations of a run test's executions; `RunNewEvals` explains each.

        The eval configs are given by their ids, or by their names, which costs a read.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            NameLookupError: the run test has no eval config of a name, or several.
            ExecutionsNotCompletedError: an execution is still running or evaluating.
            EvalDispatchError: the service took the request and could not start it.
            APIError: it failed otherwise; see its `delivery`.
        """
        return await self.send(
            evaluation.run_by_name.run_by_ids_or_names(
                run_test_id,
                eval_config_ids=eval_config_ids,
                eval_config_names=eval_config_names,
                test_execution_ids=test_execution_ids,
                select_all=select_all,
                enable_tool_evaluation=enable_tool_evaluation,
            )
        )

    async def add_eval_configs_many(
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
        return await self.send_many(
            endpoints.add_eval_configs.requests_for(run_test_ids, evaluations_config),
            max_concurrency=max_concurrency,
            timeout=timeout,
            journal=journal,
            on_outcome=on_outcome,
        )

    async def run_new_evals_many(
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
        """Start evaluations on many run tests; see `RunNewEvals` and `send_many`.

        Args:
            eval_config_ids: for each run test its own eval configs: a mapping, or an
                iterable of pairs.
            run_test_ids: instead, the run tests, for eval configs given by name.
            eval_config_names: the names that the eval configs have in each of them; the
                ids are read from the run test, which costs a read each.
            select_all: evaluate every execution.
            test_execution_ids: otherwise, for each run test its executions.
            enable_tool_evaluation: whether the use of tools is evaluated as well.
            max_concurrency: as for `send_many`.
            timeout: as for `send_many`.
            journal: as for `send_many`.
            on_outcome: as for `send_many`.
        """
        return await self.send_many(
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

    async def ensure_eval_configs(
        self,
        run_test_id: UUID | str,
        configs: Iterable[EvalConfig | Mapping[str, Any]],
        *,
        on_conflict: OnConflict = "raise",
    ) -> EnsuredEvalConfigs:
        """Have eval configs be on a run test, adding only what is missing.

        It can be repeated, and done from two places one after the other. What was there
        is compared by name and by the settings that are given here.

        Args:
            run_test_id: the run test.
            configs: as for `add_eval_configs`.
            on_conflict: what to do about an eval config of the same name with other
                content: `"raise"` before anything is changed, `"keep"` it, or
                `"update"` it.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            EvalConfigsDifferError: with `on_conflict="raise"`, one has other content.
            APIError: a call failed; its `hint` says what had been changed before.
        """
        return await self.send(
            evaluation.ensure_configs.EnsureEvalConfigs(
                run_test_id, configs, on_conflict=on_conflict
            )
        )

    async def ensure_eval_configs_many(
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

        See `ensure_eval_configs` and `send_many`. A journal records what is added or
        changed; what is read is not recorded.
        """
        return await self.send_many(
            evaluation.ensure_configs.operations_for(
                run_test_ids, evaluations_config, on_conflict=on_conflict
            ),
            max_concurrency=max_concurrency,
            timeout=timeout,
            journal=journal,
            on_outcome=on_outcome,
        )

    async def evaluate(
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
        """Evaluate many run tests: from eval configs to scores.

        Each run test goes its own way: its eval configs are ensured, its completed
        executions are read, what has no result yet is started, waited for, and summed
        up. What ends there, and why, stands in the report: an error of one run test
        hurts no other.

        Results that are there are neither erased nor paid again (`rerun=False`), so
        that this can be repeated, and goes on where it was left, by whomever. That goes
        by execution: an eval config is started on an execution of which no completed
        call has a result of it.

        Args:
            run_tests: ids, or what `list_run_tests` and `get_run_test` give. An
                iterator is read as the run tests come to their turn.
            configs: as for `add_eval_configs`.
            timeout: seconds after which nothing more is begun and nothing is waited
                for. What was started goes on at the service. `None` only without
                `wait`.
            rerun: `"skip"` results that are there, or `"rerun"` everything, which
                erases earlier results at once and is paid again.
            on_conflict: as for `ensure_eval_configs`.
            latest_executions: only so many of the completed executions of each run test, the
                newest.
            started_after: only executions that began after this moment, which has a time
                zone.
            enable_tool_evaluation: as for `RunNewEvals`; the service stores it.
            wait: whether to wait for the results, or only to start them.
            poll_interval: seconds until the first round of looking, which all run tests share;
                the pauses grow while nothing ends.
            max_concurrency: how many requests are in flight at a time, as for
                `send_many`.
            max_in_progress: how many run tests are under way at a time.
            journal: as for `send_many`; it knows of everything that was added, changed
                and started, so that what was in flight when a process died is reconciled,
                and `"rerun"` starts nothing a second time. Use another for another run.
            on_progress: called with the counts whenever they change.

        Returns:
            One entry a run test, in the order of the input.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            ConfigurationError: an option cannot work.
            JournalError: the journal cannot be used; nothing was sent.
            EvaluationInterruptedError: the iterable or `on_progress` raised; its
                `report` tells what was done until then.
        """
        items, options = self._asked(
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
        return await self._evaluate(
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
    ) -> EvaluationStream:
        """Evaluate many run tests and read their ends as they come, in flat memory.

        Use it as `async with client.stream_evaluations(...) as ends:` and then
        `async for end in ends:`. Leaving the block cancels what is in flight; what was
        started goes on at the service.

        The arguments are those of `evaluate`, and so are the errors. At most
        `max_in_progress` run tests are under way or wait to be read.
        """
        items, options = self._asked(
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
        return evaluation.stream.EvaluationStream(self._evaluation_flow(items, options))

    def _asked(
        self,
        run_tests: RunTests,
        configs: Iterable[EvalConfig | Mapping[str, Any]],
        *,
        timeout: float | timedelta | None,
        wait: bool,
        poll_interval: float,
        max_concurrency: int | None,
        max_in_progress: int,
        journal: str | PathLike[str] | None,
        **which: Any,
    ) -> tuple[Any, EvaluationOptions]:
        """Check what an evaluation is asked to do."""
        spec = evaluation.inputs.EvaluationSpec.of(configs, **which)
        items = evaluation.inputs.run_test_inputs(run_tests)
        options = evaluation.inputs.EvaluationOptions.of(
            self._fan_out_options(max_concurrency, timeout, journal),
            poll_interval=poll_interval,
            spec=spec,
            waits=wait,
            max_in_progress=positive_int(max_in_progress, "max_in_progress"),
        )
        return items, options

    async def wait_for_evals(
        self,
        run_tests: RunTests,
        *,
        timeout: float | timedelta,
        poll_interval: float = 1.0,
        max_concurrency: int | None = None,
        on_progress: Callable[[EvaluationProgress], object] | None = None,
    ) -> EvaluationReport:
        """Wait until nothing of these run tests is being evaluated; give their scores.

        It does not matter who started the evaluations. Those that can never finish, as
        an execution has no completed call, and those that were prepared and never
        started, are reported as such, and not waited for. Only what was prepared is
        known: a call for which an eval config was never run is not missed.

        Args:
            run_tests: as for `evaluate`.
            timeout: seconds after which what is still under way is reported so.
            poll_interval: as for `evaluate`.
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
        options = evaluation.inputs.EvaluationOptions.of(
            self._fan_out_options(max_concurrency, timeout, None),
            poll_interval=poll_interval,
        )
        return await self._evaluate(
            evaluation.inputs.run_test_inputs(run_tests),
            options,
            validate_callback(on_progress, "on_progress"),
        )

    async def _evaluate(
        self,
        items: Any,
        options: EvaluationOptions,
        on_progress: Callable[[EvaluationProgress], object] | None,
    ) -> EvaluationReport:
        return await evaluation.stream.evaluate(
            self._transport, self._options, items, options, on_progress
        )

    def _evaluation_flow(
        self, items: Any, options: EvaluationOptions
    ) -> EvaluationProducer:
        return evaluation.stream.EvaluationProducer(
            self._transport, self._options, items, options
        )

    async def get_run_test(self, run_test_id: UUID | str) -> RunTest:
        """Read a run test with its eval configs.

        Raises:
            InvalidRequestError: the id is none; nothing was sent.
            NotFoundError: the keys see no such run test.
            APIError: it failed otherwise.
        """
        return await self.send(endpoints.get_run_test.GetRunTest(run_test_id))

    async def get_eval_summary(
        self, run_test_id: UUID | str, execution_id: UUID | str | None = None
    ) -> EvalSummary:
        """Read the scores of a run test.

        Results that are pending or have failed are left out of it.

        Args:
            run_test_id: the run test.
            execution_id: the one execution to sum up; by default all of them.

        Raises:
            InvalidRequestError: an id is none; nothing was sent.
            NotFoundError: the keys see no such run test.
            APIError: it failed otherwise.
        """
        return await self.send(
            endpoints.get_eval_summary.GetEvalSummary(run_test_id, execution_id)
        )

    async def update_eval_config(
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
        """Change an eval config; `UpdateEvalConfig` explains each argument.

        What is `None` stays as it is. Results that it had stay until it is run again.

        Raises:
            InvalidRequestError: a value could never be accepted, or nothing is to
                change; nothing was sent.
            NotFoundError: there is no such eval config.
            APIError: it failed otherwise; see its `delivery`.
        """
        return await self.send(
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

    async def delete_eval_config(
        self, run_test_id: UUID | str, eval_config_id: UUID | str
    ) -> DeleteEvalConfigResult:
        """Delete an eval config of a run test.

        Raises:
            InvalidRequestError: an id is none; nothing was sent.
            BadRequestError: it is the last one of the run test, which has to stay.
            NotFoundError: there is no such eval config.
            APIError: it failed otherwise; see its `delivery`.
        """
        return await self.send(
            endpoints.delete_eval_config.DeleteEvalConfig(run_test_id, eval_config_id)
        )

    async def get_run_test_many(
        self,
        run_test_ids: Iterable[UUID | str] | AsyncIterable[UUID | str],
        *,
        max_concurrency: int | None = None,
        timeout: float | timedelta | None = None,
        on_outcome: Callable[[Outcome[RunTest]], object] | None = None,
    ) -> Batch[RunTest]:
        """Read many run tests with their eval configs; see `send_many`."""
        return await self.send_many(
            endpoints.get_run_test.requests_for(run_test_ids),
            max_concurrency=max_concurrency,
            timeout=timeout,
            on_outcome=on_outcome,
        )

    async def get_eval_summary_many(
        self,
        run_test_ids: Iterable[UUID | str] | AsyncIterable[UUID | str],
        *,
        max_concurrency: int | None = None,
        timeout: float | timedelta | None = None,
        on_outcome: Callable[[Outcome[EvalSummary]], object] | None = None,
    ) -> Batch[EvalSummary]:
        """Read the scores of many run tests; see `send_many`."""
        return await self.send_many(
            endpoints.get_eval_summary.requests_for(run_test_ids),
            max_concurrency=max_concurrency,
            timeout=timeout,
            on_outcome=on_outcome,
        )

    def list_run_tests(self, search: str | None = None) -> AsyncIterator[RunTestEntry]:
        """Read all run tests that the keys see, the newest first, page by page.

        Use it as `async for entry in client.list_run_tests():`. A page is read when its
        first entry is asked for. New entries push others onto the next page, which are
        not given again unless a whole page of new ones came; where entries are removed
        meanwhile, others can be missed. A page that is turned away (429, or 503 with
        `Retry-After`) is asked for again for up to ten minutes, as in a fan-out.

        Args:
            search: only those whose name, or whose agent's name, contains this text in
                any case.

        Raises:
            InvalidRequestError: it is no text; nothing was sent.
            APIError: a page could not be read; raised by the iterator.
        """
        request = endpoints.list_run_tests.ListRunTests(search)
        return Paginator(self._read_page, request)

    def list_test_executions(
        self, run_test_id: UUID | str, *, status: ExecutionStatus | str | None = None
    ) -> AsyncIterator[TestExecution]:
        """Read all executions of a run test, the newest first, page by page.

        Args:
            run_test_id: the run test.
            status: only those in this state, in any case.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            APIError: a page could not be read; raised by the iterator.
        """
        request = endpoints.list_test_executions.ListTestExecutions(
            run_test_id, status=status
        )
        return Paginator(self._read_page, request)

    def list_call_executions(
        self, run_test_id: UUID | str
    ) -> AsyncIterator[CallExecution]:
        """Read all calls of a run test with their results, the newest first.

        Raises:
            InvalidRequestError: the id is none; nothing was sent.
            APIError: a page could not be read; raised by the iterator.
        """
        request = endpoints.list_call_executions.ListCallExecutions(run_test_id)
        return Paginator(self._read_page, request)

    def list_eval_templates(
        self, search: str | None = None
    ) -> AsyncIterator[EvalTemplate]:
        """Read all eval templates that can be used, the newest first.

        Args:
            search: only those whose name contains this text in any case.

        Raises:
            InvalidRequestError: it is no text; nothing was sent.
            APIError: the list could not be read; raised by the iterator.
        """
        return self._eval_templates(
            endpoints.list_eval_templates.validate_search(search)
        )

    async def _eval_templates(self, search: str) -> AsyncIterator[EvalTemplate]:
        templates = await self.send(endpoints.list_eval_templates.ListEvalTemplates())
        for each in templates.named_like(search):
            yield each

    async def _read_page(self, request: Request[ResultT], /) -> ResultT:
        now = asyncio.get_running_loop().time()
        sender = executor.RequestExecutor(
            executor.RequestContext(self._transport, self._options, ThrottleBudget(now))
        )
        return await request.run(sender)

    async def find_run_test(self, name: str) -> RunTestEntry:
        """Find the run test that has exactly this name.

        Raises:
            InvalidRequestError: the name is no text, or blank; nothing was sent.
            NameLookupError: none has it, or several have; the message names close
                names, or the ids.
            APIError: the list could not be read.
        """
        return await endpoints.find_by_name.find_run_test(self.send, name)

    async def find_eval_template(self, name: str) -> EvalTemplate:
        """Find the eval template that has exactly this name.

        Raises:
            InvalidRequestError: the name is no text, or blank; nothing was sent.
            NameLookupError: none has it, or several have; the message names close
                names, or the ids.
            APIError: the list could not be read.
        """
        return await endpoints.find_by_name.find_eval_template(self.send, name)

    async def send(self, request: Operation[T]) -> T:
        """Send a request.

        Raises:
            InvalidRequestError: it is none.
            ClientClosedError: the client is closed.
            APIError: it failed; see its `delivery`.
        """
        sender = executor.RequestExecutor(
            executor.RequestContext(self._transport, self._options)
        )
        return await sender.send(validate_request(request))

    async def send_many(
        self,
        requests: Requests[ResultT],
        *,
        max_concurrency: int | None = None,
        timeout: float | timedelta | None = None,
        journal: str | PathLike[str] | None = None,
        on_outcome: Callable[[Outcome[ResultT]], object] | None = None,
    ) -> Batch[ResultT]:
        """Send many requests, so many at a time; failures are outcomes as well.

        Requests for one run test are sent one after the other. An error that would meet
        every request, as wrong keys, stops the batch: the rest is `NotAttempted`.

        Args:
            requests: an iterable or asynchronous iterable. A collection is checked
                before anything is sent; an iterator is read as workers become free.
            max_concurrency: how many are in flight at a time; by default 32, or
                `max_connections` if that is less.
            timeout: seconds after which nothing more is begun: what was not begun is
                `NotAttempted`, and what is in flight has its own time limit.
            journal: the path of a file in which requests and outcomes are written, so
                that the same fan-out can be begun again after whatever happened: what
                was done is answered from it (`outcome.from_journal`), what failed is
                sent again, and what was in flight is reconciled, or stays unknown.
            on_outcome: called with each outcome as it comes.

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
        return await self._send_batch(
            validate_requests(requests),
            self._fan_out_options(max_concurrency, timeout, journal),
            validate_callback(on_outcome),
        )

    async def _send_batch(
        self,
        requests: Requests[ResultT],
        options: BatchConfig,
        on_outcome: Callable[[Outcome[ResultT]], object] | None,
    ) -> Batch[ResultT]:

        from futureagi_async.batch import batch_executor  # noqa: PLC0415 - for batches only

        return await batch_executor.send_batch(
            self._transport, self._options, requests, options, on_outcome
        )

    def stream(
        self,
        requests: Requests[ResultT],
        *,
        max_concurrency: int | None = None,
        timeout: float | timedelta | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> OutcomeStream[ResultT]:
        """Send many requests and read their outcomes as they come, in flat memory.

        Use it as `async with client.stream(requests) as outcomes:` and then
        `async for outcome in outcomes:`. Leaving the block cancels what is in flight.

        The arguments are those of `send_many`, and so are the errors.
        """
        options = self._fan_out_options(max_concurrency, timeout, journal)

        from futureagi_async.batch import stream  # noqa: PLC0415 - for streams only

        return stream.OutcomeStream(self._flow(validate_requests(requests), options))

    def _flow(
        self, requests: Requests[ResultT], options: BatchConfig
    ) -> OutcomeProducer[ResultT]:

        from futureagi_async.batch import stream  # noqa: PLC0415 - for streams only

        return stream.OutcomeProducer(self._transport, self._options, requests, options)

    def _fan_out_options(
        self,
        max_concurrency: int | None,
        timeout: float | timedelta | None,
        journal: str | PathLike[str] | None,
    ) -> BatchConfig:

        from futureagi_async.batch import config  # noqa: PLC0415 - for batches only

        return config.BatchConfig.of(self._settings, max_concurrency, timeout, journal)

    async def aclose(self) -> None:
        """Close the connections; what is in flight ends with `ClientClosedError`."""
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
