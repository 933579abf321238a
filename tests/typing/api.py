"""Uses the whole public API; it is type-checked and never run."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any, assert_never, assert_type
from uuid import UUID

import futureagi_async as fa
from futureagi_async.emulator import Emulator, World


def settings() -> None:
    fa.AsyncFutureAGI()
    fa.FutureAGI("key", "secret", timeout=30)
    for client in (fa.AsyncFutureAGI, fa.FutureAGI):
        client(
            api_key="key",
            secret_key="secret",
            base_url="https://example.com/prefix",
            workspace_id=UUID(int=1),
            timeout=fa.Timeout(connect=1, read=None, total=10.5),
            retry=fa.RetryPolicy(max_attempts=5, retry_unknown=True),
            rate_limit=fa.RateLimit(100),
            max_connections=10,
            proxy="http://localhost:3128",
            ssl=ssl.create_default_context(),
            headers={"X-Team": "evals"},
            allow_http=True,
        )


def requests_and_results(text: str, uuid: UUID) -> None:
    config = fa.EvalConfig(
        uuid,
        name="tone",
        config={"params": {"keyword": "order"}},
        mapping={"text": "transcript"},
        filters=[{"column_id": "status"}],
        error_localizer=True,
        model="turing_large",
    )
    assert_type(config.template_id, str)
    assert_type(config.filters, list[Any] | dict[str, Any] | None)
    assert_type(fa.EvalConfig.from_dict({"template_id": text}), fa.EvalConfig)
    add = fa.AddEvalConfigs(uuid, [config, {"template_id": text}])
    assert_type(add.evaluations_config[0], fa.EvalConfig)
    run = fa.RunNewEvals(text, [uuid, text], select_all=True)
    fa.RunNewEvals(
        run_test_id=text,
        eval_config_ids=(uuid,),
        test_execution_ids=[text],
        enable_tool_evaluation=False,
    )
    assert_type(run.eval_config_ids, tuple[str, ...])
    assert_type(run.body, bytes)


def results(
    added: fa.types.AddEvalConfigsResult, started: fa.types.RunNewEvalsResult
) -> None:
    assert_type(added.created_eval_configs, tuple[fa.types.CreatedEvalConfig, ...])
    assert_type(added.created_eval_configs[0].config, dict[str, Any] | None)
    assert_type(added.created_eval_configs[0].eval_group, str | None)
    assert_type(added.warnings, tuple[str, ...])
    assert_type(added.raw, dict[str, Any])
    assert_type(added.body, bytes)
    assert_type(added.request_id, str | None)
    assert_type(started.call_execution_count, int)
    assert_type(fa.RunNewEvals.from_added(added, partial="run"), fa.RunNewEvals)


def reading_and_changing(
    text: str, uuid: UUID, kept: fa.types.CreatedEvalConfig
) -> None:
    fa.GetRunTest(uuid)
    fa.GetEvalSummary(text, execution_id=uuid)
    fa.types.ListRunTests("support", page=2, limit=10)
    fa.types.ListRunTests()
    fa.types.ListTestExecutions(
        text, status=fa.types.ExecutionStatus.EVALUATING, limit=1
    )
    fa.types.ListTestExecutions(uuid, status="Completed")
    fa.types.ListCallExecutions(uuid, 1, 50)
    fa.types.ListEvalTemplates()
    change = fa.UpdateEvalConfig(
        text,
        uuid,
        name="tone",
        template_id=uuid,
        config={"params": {"keyword": "order"}},
        mapping={"text": "transcript"},
        filters=[],
        error_localizer=True,
        model="turing_large",
    )
    assert_type(change.template_id, str | None)
    wanted = fa.EvalConfig(text)
    assert_type(fa.UpdateEvalConfig.to_match(uuid, kept, wanted), fa.UpdateEvalConfig)
    fa.DeleteEvalConfig(run_test_id=uuid, eval_config_id=text)


def pages(
    run_tests: fa.types.RunTestsPage,
    executions: fa.types.TestExecutionsPage,
    calls: fa.types.CallExecutionsPage,
    templates: fa.types.EvalTemplates,
) -> None:
    assert_type(run_tests.results, tuple[fa.types.RunTestEntry, ...])
    assert_type(executions.results, tuple[fa.types.TestExecution, ...])
    assert_type(calls.results, tuple[fa.types.CallExecution, ...])
    assert_type(templates.result, tuple[fa.types.EvalTemplate, ...])
    following = fa.types.ListRunTests().next_after(run_tests)
    assert_type(following, fa.types.ListRunTests | None)


def entries(
    run_test: fa.types.RunTestEntry,
    execution: fa.types.TestExecution,
    call: fa.types.CallExecution,
    template: fa.types.EvalTemplate,
) -> None:
    assert_type(run_test.simulate_eval_configs, tuple[str, ...])
    assert_type(execution.status, fa.types.ExecutionStatus)
    assert_type(execution.status.is_known, bool)
    assert_type(fa.types.ExecutionStatus("Completed"), fa.types.ExecutionStatus)
    assert_type(execution.start_time, datetime | None)
    assert_type(call.eval_outputs, dict[str, fa.types.EvalOutput])
    assert_type(call.eval_outputs[""].status, fa.types.EvalOutputStatus)
    assert_type(template.required_keys, tuple[str, ...] | None)


def summaries(summary: fa.types.EvalSummary) -> None:
    assert_type(summary.result, tuple[fa.types.TemplateSummary, ...])
    assert_type(summary.result[0].result, tuple[fa.types.ConfigSummary, ...])
    match summary.configs[0].scores:
        case fa.types.PassFailScores(pass_rate=rate, pass_count=count):
            assert_type((rate, count), tuple[float, int])
        case fa.types.NumericScores(average=average, percentiles=percentiles):
            assert_type(average, float)
            assert_type(percentiles, dict[int, float])
        case fa.types.ChoiceScores(shares=shares):
            assert_type(shares, dict[str, float])
        case None:
            pass
        case never:
            assert_never(never)


async def reading(text: str, uuid: UUID) -> None:
    async with fa.AsyncFutureAGI() as client:
        assert_type(await client.get_run_test(uuid), fa.types.RunTest)
        assert_type(await client.get_eval_summary(text, uuid), fa.types.EvalSummary)
        updated = await client.update_eval_config(text, uuid, name="tone")
        assert_type(updated, fa.types.UpdateEvalConfigResult)
        deleted = await client.delete_eval_config(text, uuid)
        assert_type(deleted, fa.types.DeleteEvalConfigResult)
        reads = [fa.GetRunTest(text), fa.GetRunTest(uuid)]
        assert_type(
            await client.send_many(reads, timeout=60), fa.Batch[fa.types.RunTest]
        )
        async for run_test in client.list_run_tests("support"):
            assert_type(run_test, fa.types.RunTestEntry)
        async for execution in client.list_test_executions(
            text, status=fa.types.ExecutionStatus.COMPLETED
        ):
            assert_type(execution, fa.types.TestExecution)
        async for call in client.list_call_executions(
            uuid, execution=text, status=fa.types.ExecutionStatus.FAILED
        ):
            assert_type(call, fa.types.CallExecution)
            assert_type(call.transcript, tuple[fa.types.TranscriptTurn, ...])
            assert_type(call.eval_outputs, dict[str, fa.types.EvalOutput])
            again = await client.get_call_execution(call)
            assert_type(again, fa.types.CallExecution)
        runs = await client.get_simulation_runs(uuid, limit=10, eval_names=["tone"])
        assert_type(runs, fa.types.SimulationRuns)
        assert_type(runs.calls, tuple[fa.types.SimulationCall, ...])
        metrics = await client.get_simulation_metrics(text)
        assert_type(metrics, fa.types.SimulationMetrics)
        assert_type(metrics.calls, fa.types.CallCounts)
        comparison = await client.compare_executions(text, [uuid, text])
        assert_type(comparison, fa.types.ExecutionComparison)
        assert_type(comparison.configs(uuid), tuple[fa.types.ConfigSummary, ...])
        async for template in client.list_eval_templates(search="tone"):
            assert_type(template, fa.types.EvalTemplate)
        assert_type(await client.find_run_test(text), fa.types.RunTestEntry)
        try:
            assert_type(await client.find_eval_template(text), fa.types.EvalTemplate)
        except fa.NameLookupError as error:
            assert_type(error.matches, tuple[str, ...])


def reading_and_blocking(text: str, uuid: UUID) -> None:
    with fa.FutureAGI() as client:
        assert_type(client.get_run_test(uuid), fa.types.RunTest)
        assert_type(client.get_eval_summary(text), fa.types.EvalSummary)
        updated = client.update_eval_config(text, uuid, mapping={}, model="m")
        assert_type(updated, fa.types.UpdateEvalConfigResult)
        deleted = client.delete_eval_config(text, uuid)
        assert_type(deleted, fa.types.DeleteEvalConfigResult)
        summaries = (fa.GetEvalSummary(each) for each in (text, uuid))
        assert_type(client.send_many(summaries), fa.Batch[fa.types.EvalSummary])
        assert_type(client.list_run_tests(), Iterator[fa.types.RunTestEntry])
        assert_type(client.list_test_executions(text), Iterator[fa.types.TestExecution])
        calls = client.list_call_executions(uuid, snapshots=True)
        assert_type(calls, Iterator[fa.types.CallExecution])
        assert_type(client.get_call_execution(uuid), fa.types.CallExecution)
        assert_type(client.get_simulation_runs(uuid), fa.types.SimulationRuns)
        assert_type(client.get_simulation_metrics(uuid), fa.types.SimulationMetrics)
        comparison = client.compare_executions(text, [uuid])
        assert_type(comparison, fa.types.ExecutionComparison)
        assert_type(client.list_eval_templates(), Iterator[fa.types.EvalTemplate])
        assert_type(client.find_run_test(text), fa.types.RunTestEntry)
        assert_type(client.find_eval_template(text), fa.types.EvalTemplate)


async def simulating(text: str, uuid: UUID) -> None:
    async with fa.AsyncFutureAGI(workspace_id=uuid) as client:
        ping = await client.ping()
        assert_type(ping, fa.types.Ping)
        assert_type((ping.ok, ping.elapsed), tuple[bool, float])
        assert_type(ping.workspace_id, str | None)
        started = await client.execute_run_test(text, [text, uuid])
        assert_type(started, fa.types.ExecutionStarted)
        assert_type((started.id, started.execution_id), tuple[str, str])
        assert_type(started.total_scenarios, int | None)
        newest = await client.get_execution_status(uuid)
        assert_type(newest, fa.types.NewestExecution)
        assert_type((newest.is_over, newest.exists), tuple[bool, bool])
        cancelled = await client.cancel_execution(started, even_if_completed=True)
        assert_type(cancelled, fa.types.CancelExecutionResult)
        assert_type(cancelled.is_cancelling, bool)
        kind: fa.types.RerunType = "eval_only"
        again = await client.rerun_executions(text, kind, test_execution_ids=[started])
        assert_type(again, fa.types.RerunExecutionsResult)
        assert_type(again.results[0], fa.types.ExecutionRerun)
        assert_type(again.results[0].failed_reruns, tuple[fa.types.FailedRerun, ...])
        assert_type(again.left_out, tuple[str, ...])
        calls = await client.rerun_calls(
            uuid, started, "call_and_eval", call_execution_ids=[uuid]
        )
        assert_type(calls, fa.types.RerunCallsResult)
        batch = await client.send_many(
            [fa.types.ExecuteRunTest(each) for each in (text, uuid)], journal="a.db"
        )
        assert_type(batch, fa.Batch[fa.types.ExecutionStarted])


def simulating_and_blocking(text: str, uuid: UUID) -> None:
    with fa.FutureAGI() as client:
        assert_type(client.ping(), fa.types.Ping)
        started = client.execute_run_test(uuid)
        assert_type(started, fa.types.ExecutionStarted)
        assert_type(client.get_execution_status(text), fa.types.NewestExecution)
        cancelled = client.cancel_execution(uuid)
        assert_type(cancelled, fa.types.CancelExecutionResult)
        again = client.rerun_executions(text, "eval_only", select_all=True)
        assert_type(again, fa.types.RerunExecutionsResult)
        calls = client.rerun_calls(text, uuid, "eval_only", select_all=True)
        assert_type(calls, fa.types.RerunCallsResult)
        requests = [
            fa.types.CancelExecution(uuid),
            fa.types.CancelExecution(started, even_if_completed=True),
        ]
        assert_type(
            client.send_many(requests), fa.Batch[fa.types.CancelExecutionResult]
        )
        assert_type(
            client.send(fa.types.RerunExecutions(text, "eval_only", [uuid])),
            fa.types.RerunExecutionsResult,
        )
        assert_type(
            client.send(fa.types.RerunCalls(text, uuid, "eval_only", [text])),
            fa.types.RerunCallsResult,
        )
        assert_type(
            client.send(fa.types.GetExecutionStatus(text)), fa.types.NewestExecution
        )


def jobs(text: str, uuid: UUID) -> None:
    ensure = fa.EnsureEvalConfigs(uuid, [fa.EvalConfig(text)], on_conflict="keep")
    assert_type(ensure.configs[0], fa.EvalConfig)


def ensured(found: fa.types.EnsuredEvalConfigs) -> None:
    assert_type(found.eval_configs, tuple[fa.types.EnsuredEvalConfig, ...])
    assert_type(found.eval_configs[0].eval_config, fa.types.CreatedEvalConfig)
    assert_type(found.run_test_name, str)
    for config in (
        *found.created,
        *found.existing,
        *found.updated,
        *found.different,
    ):
        assert_type(config, fa.types.CreatedEvalConfig)
    match found.eval_configs[0].origin:
        case fa.types.EvalConfigOrigin.CREATED | fa.types.EvalConfigOrigin.EXISTING:
            pass
        case fa.types.EvalConfigOrigin.UPDATED | fa.types.EvalConfigOrigin.DIFFERENT:
            pass
        case never:
            assert_never(never)


def evaluated(report: fa.EvaluationReport) -> None:
    assert_type(report[0], fa.RunTestEvaluation)
    assert_type(report[1:], fa.EvaluationReport)
    assert_type(report.scored, list[fa.RunTestEvaluation])
    assert_type(report.unscored, list[fa.RunTestEvaluation])
    assert_type(report.failures, list[fa.RunTestEvaluation])
    assert_type(report.to_rows(), list[dict[str, Any]])
    assert_type(report.to_dict(), dict[str, Any])
    assert_type(report.to_markdown(), str)
    assert_type(report.counts(), dict[str, int])
    for each in report:
        assert_type(each.run_test_id, str | None)
        assert_type(each.status, fa.EvaluationStatus)
        assert_type(each.error, fa.FutureAGIError | None)
        assert_type(each.rows(), Iterator[dict[str, Any]])
        assert_type(each.to_dict(), dict[str, Any])
        assert_type((each.is_scored, each.is_complete), tuple[bool, bool])
        for config in each.configs:
            one_config(config)
    try:
        assert_type(report.raise_for_failures(), fa.EvaluationReport)
    except fa.EvaluationError as error:
        assert_type(error.report, fa.EvaluationReport)
    except fa.EvaluationInterruptedError as error:
        assert_type(error.report, fa.EvaluationReport)
    except fa.EvalConfigsDifferError as error:
        assert_type(error.names, tuple[str, ...])


def one_config(config: fa.types.ConfigScores) -> None:
    assert_type(config.eval_config_id, str | None)
    assert_type(config.origin, fa.types.EvalConfigOrigin | None)
    assert_type(config.pass_rate, float | None)
    assert_type(config.average, float | None)
    assert_type(config.choices, dict[str, float] | None)
    assert_type((config.score_text, config.is_created), tuple[str, bool])
    assert_type(config.evaluated + config.failed, int)
    assert_type(config.skipped + config.pending, int)
    assert_type(
        config.scores,
        fa.types.PassFailScores | fa.types.NumericScores | fa.types.ChoiceScores | None,
    )


def progress(told: fa.EvaluationProgress) -> None:
    assert_type(told.read + told.waiting + told.finished + told.scored, int)
    assert_type(told.latest, fa.RunTestEvaluation | None)


async def whole_job(text: str, uuid: UUID, moment: datetime) -> None:
    configs: list[fa.EvalConfig | dict[str, str]] = [
        fa.EvalConfig(uuid),
        {"template_id": text},
    ]
    async with fa.AsyncFutureAGI() as client:
        one = await client.ensure_eval_configs(uuid, configs, on_conflict="update")
        assert_type(one, fa.types.EnsuredEvalConfigs)
        operations = [fa.EnsureEvalConfigs(text, configs)]
        many = await client.send_many(operations, journal="a.db")
        assert_type(many, fa.Batch[fa.types.EnsuredEvalConfigs])
        report = await client.evaluate(
            client.list_run_tests("support"),
            configs,
            timeout=600,
            rerun=True,
            on_conflict="keep",
            latest_executions=3,
            started_after=moment,
            enable_tool_evaluation=False,
            poll_interval=1,
            max_concurrency=8,
            max_in_progress=100,
            journal="a.db",
            on_progress=progress,
        )
        assert_type(report, fa.EvaluationReport)
        await client.evaluate([text, uuid], configs, timeout=None, wait=False)
        async with client.stream_evaluations(ids(), configs, timeout=60) as ends:
            assert_type(ends, fa.EvaluationStream)
            async for end in ends:
                assert_type(end, fa.RunTestEvaluation)
        waited = await client.wait_for_evals(
            [await client.get_run_test(text)], timeout=60, poll_interval=0.5
        )
        assert_type(waited, fa.EvaluationReport)


def whole_job_blocking(text: str, uuid: UUID, moment: datetime) -> None:
    configs: list[fa.EvalConfig | dict[str, str]] = [
        fa.EvalConfig(uuid),
        {"template_id": text},
    ]
    with fa.FutureAGI() as client:
        one = client.ensure_eval_configs(uuid, configs, on_conflict="raise")
        assert_type(one, fa.types.EnsuredEvalConfigs)
        many = client.send_many([fa.EnsureEvalConfigs(text, configs)])
        assert_type(many, fa.Batch[fa.types.EnsuredEvalConfigs])
        report = client.evaluate(
            client.list_run_tests(),
            configs,
            timeout=600,
            rerun=False,
            started_after=moment,
            on_progress=progress,
        )
        assert_type(report, fa.EvaluationReport)
        with client.stream_evaluations([text], configs, timeout=60) as ends:
            assert_type(ends, fa.BlockingEvaluationStream)
            for end in ends:
                assert_type(end, fa.RunTestEvaluation)
        waited = client.wait_for_evals([text, uuid], timeout=60)
        assert_type(waited, fa.EvaluationReport)


async def ids() -> AsyncIterator[str]:
    yield "id"


async def asynchronous(text: str, uuid: UUID) -> None:
    async with fa.AsyncFutureAGI() as client:
        added = await client.add_eval_configs(text, [fa.EvalConfig(uuid)])
        assert_type(added, fa.types.AddEvalConfigsResult)
        started = await client.run_new_evals(
            uuid, eval_config_ids=[text], select_all=True
        )
        assert_type(started, fa.types.RunNewEvalsResult)

        batch = await client.add_eval_configs_many(
            [text, uuid], [{"template_id": text}]
        )
        assert_type(batch, fa.Batch[fa.types.AddEvalConfigsResult])
        await client.add_eval_configs_many(ids(), [fa.EvalConfig(text)])
        runs = fa.RunNewEvals.from_added(batch)
        assert_type(runs, list[fa.RunNewEvals])
        assert_type(await client.send(runs[0]), fa.types.RunNewEvalsResult)
        assert_type(
            await client.send_many(runs, max_concurrency=8, on_outcome=print),
            fa.Batch[fa.types.RunNewEvalsResult],
        )
        by_text = {text: [text]}
        by_uuid = {uuid: [uuid]}
        await client.run_new_evals_many(by_text, select_all=True)
        await client.run_new_evals_many(by_uuid, test_execution_ids=by_uuid)
        await client.run_new_evals_many([(text, [uuid])], select_all=True)

        async with client.stream(runs, max_concurrency=4) as outcomes:
            assert_type(outcomes, fa.OutcomeStream[fa.types.RunNewEvalsResult])
            async for outcome in outcomes:
                one_outcome(outcome)
        quick = client.with_options(timeout=5, retry=fa.RetryPolicy(max_attempts=1))
        assert_type(quick, fa.AsyncFutureAGI)
    await client.aclose()


def blocking(text: str, uuid: UUID) -> None:
    with fa.FutureAGI() as client:
        added = client.add_eval_configs(text, [fa.EvalConfig(uuid)])
        assert_type(added, fa.types.AddEvalConfigsResult)
        started = client.run_new_evals(uuid, eval_config_ids=[text], select_all=True)
        assert_type(started, fa.types.RunNewEvalsResult)
        batch = client.add_eval_configs_many([text, uuid], [{"template_id": text}])
        assert_type(batch, fa.Batch[fa.types.AddEvalConfigsResult])
        runs = fa.RunNewEvals.from_added(batch)
        assert_type(client.send(runs[0]), fa.types.RunNewEvalsResult)
        assert_type(client.send_many(runs), fa.Batch[fa.types.RunNewEvalsResult])
        client.run_new_evals_many({text: [uuid]}, select_all=True)
        with client.stream(runs) as outcomes:
            assert_type(outcomes, fa.BlockingOutcomeStream[fa.types.RunNewEvalsResult])
            for outcome in outcomes:
                one_outcome(outcome)
        assert_type(client.with_options(timeout=5), fa.FutureAGI)
    client.close()


def one_outcome(outcome: fa.Outcome[fa.types.RunNewEvalsResult]) -> None:
    assert_type(outcome.attempts, int)
    assert_type(outcome.elapsed, float)
    assert_type(outcome.run_test_id, str | None)
    match outcome:
        case fa.Success(result=result):
            assert_type(result, fa.types.RunNewEvalsResult)
        case fa.Failure(error=error):
            assert_type(error, fa.FutureAGIError)
        case fa.NotAttempted(error=why):
            assert_type(why, fa.NotAttemptedError)
        case _:
            assert_never(outcome)


def batches(batch: fa.Batch[fa.types.RunNewEvalsResult]) -> None:
    assert_type(batch.successes, list[fa.Success[fa.types.RunNewEvalsResult]])
    assert_type(batch.failures, list[fa.Failure[fa.types.RunNewEvalsResult]])
    assert_type(batch.unknown, list[fa.Failure[fa.types.RunNewEvalsResult]])
    assert_type(batch.partial, list[fa.Success[fa.types.RunNewEvalsResult]])
    assert_type(batch.not_attempted, list[fa.NotAttempted[fa.types.RunNewEvalsResult]])
    assert_type(batch[0], fa.Outcome[fa.types.RunNewEvalsResult])
    assert_type(batch[1:], fa.Batch[fa.types.RunNewEvalsResult])
    assert_type(iter(batch), Iterator[fa.Outcome[fa.types.RunNewEvalsResult]])
    assert_type(batch.raise_for_failures(), fa.Batch[fa.types.RunNewEvalsResult])


def journals(outcome: fa.Outcome[fa.types.RunNewEvalsResult]) -> None:
    with fa.Journal.open("evals.db") as journal:
        assert_type(journal, fa.Journal)
        assert_type(len(journal), int)
        summary = journal.summary()
        assert_type(summary, fa.types.JournalSummary)
        assert_type(summary.reconciled, int)
        for entry in journal:
            assert_type(entry, fa.types.JournalEntry)
            assert_type(entry.response, bytes | None)
            assert_type(entry.delivery, fa.Delivery | None)
            assert_type(entry.state, fa.types.JournalState)
            journal.resolve(entry, done=True)
        journal.resolve(outcome, done=False)
    journal.close()


def errors(error: fa.FutureAGIError) -> None:
    assert_type(error.delivery, fa.Delivery)
    match error:
        case fa.ExecutionStartError():
            assert_type(error.execution_id, str | None)
        case fa.ExecutionCompletedError():
            assert_type(error.execution_id, str)
        case fa.NameConflictError() | fa.ExecutionsNotCompletedError():
            assert_type(error.code, str | None)
        case fa.APIStatusError():
            assert_type(error.status_code, int)
            assert_type(error.details, dict[str, tuple[str, ...]])
            assert_type(error.item_errors, tuple[fa.types.ItemError, ...])
            assert_type(error.body, bytes)
        case (
            fa.EvalDispatchError()
            | fa.RerunDispatchError()
            | fa.UnexpectedResponseError()
        ):
            assert_type(error.status_code, int)
        case fa.APIResponseError() | fa.APIConnectionError() | fa.APIError():
            assert_type(error.request_id, str | None)
            assert_type(error.run_test_id, str | None)
            assert_type(error.retry_after, float | None)
            assert_type(error.earlier, tuple[fa.APIError, ...])
        case fa.BatchError():
            assert_type(error.batch, fa.Batch[Any])
            assert_type(
                error.exceptions,
                tuple[fa.FutureAGIError | ExceptionGroup[fa.FutureAGIError], ...],
            )
        case fa.BatchInterruptedError():
            assert_type(error.batch, fa.Batch[Any])


ERRORS: list[type[fa.FutureAGIError]] = [
    fa.APITimeoutError,
    fa.AuthenticationError,
    fa.BadRequestError,
    fa.ClientClosedError,
    fa.ConfigurationError,
    fa.ConflictError,
    fa.DeadlineExceededError,
    fa.EndpointMissingError,
    fa.FeatureNotIncludedError,
    fa.InvalidRequestError,
    fa.JournalError,
    fa.ListChangedError,
    fa.NotFoundError,
    fa.PaymentRequiredError,
    fa.PermissionDeniedError,
    fa.RateLimitError,
    fa.ResponseTooLargeError,
    fa.ServerError,
]


async def emulator() -> None:
    world = World.synthetic(run_tests=10)
    with Emulator(world) as running:
        assert_type(running.url, str)
    world.score("tone", "negative", reason="The caller was cut off.")
    lived_in = World.lived_in(20, executions=2, calls=5, seed=1)
    async with Emulator(lived_in, dispatch="run", rate_limit=250) as served:
        assert_type(served.api_key, str)
        served.change_rows([{"call": "id", "status": "completed"}])


class Ping(fa.types.Request[fa.types.Result]):
    """A request of one's own."""

    method = "GET"
    result_type = fa.types.Result
    idempotent = True

    @property
    def run_test_id(self) -> str | None:
        return None

    @property
    def path(self) -> str:
        return "/health/"

    @property
    def body(self) -> bytes | None:
        return None
