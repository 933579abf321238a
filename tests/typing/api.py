"""Uses the whole public API; it is type-checked and never run."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
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


def results(added: fa.AddEvalConfigsResult, started: fa.RunNewEvalsResult) -> None:
    assert_type(added.created_eval_configs, tuple[fa.CreatedEvalConfig, ...])
    assert_type(added.created_eval_configs[0].config, dict[str, Any] | None)
    assert_type(added.created_eval_configs[0].eval_group, str | None)
    assert_type(added.warnings, tuple[str, ...])
    assert_type(added.raw, dict[str, Any])
    assert_type(added.request_id, str | None)
    assert_type(started.call_execution_count, int)
    assert_type(fa.RunNewEvals.from_added(added, partial="run"), fa.RunNewEvals)


async def ids() -> AsyncIterator[str]:
    yield "id"


async def asynchronous(text: str, uuid: UUID) -> None:
    async with fa.AsyncFutureAGI() as client:
        added = await client.add_eval_configs(text, [fa.EvalConfig(uuid)])
        assert_type(added, fa.AddEvalConfigsResult)
        started = await client.run_new_evals(
            uuid, eval_config_ids=[text], select_all=True
        )
        assert_type(started, fa.RunNewEvalsResult)

        batch = await client.add_eval_configs_many(
            [text, uuid], [{"template_id": text}]
        )
        assert_type(batch, fa.Batch[fa.AddEvalConfigsResult])
        await client.add_eval_configs_many(ids(), [fa.EvalConfig(text)])
        runs = fa.RunNewEvals.from_added(batch)
        assert_type(runs, list[fa.RunNewEvals])
        assert_type(await client.send(runs[0]), fa.RunNewEvalsResult)
        assert_type(
            await client.send_many(runs, max_concurrency=8, on_outcome=print),
            fa.Batch[fa.RunNewEvalsResult],
        )
        by_text = {text: [text]}
        by_uuid = {uuid: [uuid]}
        await client.run_new_evals_many(by_text, select_all=True)
        await client.run_new_evals_many(by_uuid, test_execution_ids=by_uuid)
        await client.run_new_evals_many([(text, [uuid])], select_all=True)

        async with client.stream(runs, max_concurrency=4) as outcomes:
            assert_type(outcomes, fa.OutcomeStream[fa.RunNewEvalsResult])
            async for outcome in outcomes:
                one_outcome(outcome)
        quick = client.with_options(timeout=5, retry=fa.RetryPolicy(max_attempts=1))
        assert_type(quick, fa.AsyncFutureAGI)
    await client.aclose()


def blocking(text: str, uuid: UUID) -> None:
    with fa.FutureAGI() as client:
        added = client.add_eval_configs(text, [fa.EvalConfig(uuid)])
        assert_type(added, fa.AddEvalConfigsResult)
        started = client.run_new_evals(uuid, eval_config_ids=[text], select_all=True)
        assert_type(started, fa.RunNewEvalsResult)
        batch = client.add_eval_configs_many([text, uuid], [{"template_id": text}])
        assert_type(batch, fa.Batch[fa.AddEvalConfigsResult])
        runs = fa.RunNewEvals.from_added(batch)
        assert_type(client.send(runs[0]), fa.RunNewEvalsResult)
        assert_type(client.send_many(runs), fa.Batch[fa.RunNewEvalsResult])
        client.run_new_evals_many({text: [uuid]}, select_all=True)
        with client.stream(runs) as outcomes:
            assert_type(outcomes, fa.BlockingOutcomeStream[fa.RunNewEvalsResult])
            for outcome in outcomes:
                one_outcome(outcome)
        assert_type(client.with_options(timeout=5), fa.FutureAGI)
    client.close()


def one_outcome(outcome: fa.Outcome[fa.RunNewEvalsResult]) -> None:
    assert_type(outcome.run_test_id, str | None)
    assert_type(outcome.attempts, int)
    assert_type(outcome.elapsed, float)
    assert_type(outcome.request, fa.Request[fa.RunNewEvalsResult])
    match outcome:
        case fa.Success(result=result):
            assert_type(result, fa.RunNewEvalsResult)
        case fa.Failure(error=error):
            assert_type(error, fa.FutureAGIError)
        case fa.NotAttempted(error=why):
            assert_type(why, fa.NotAttemptedError)
        case _:
            assert_never(outcome)


def batches(batch: fa.Batch[fa.RunNewEvalsResult]) -> None:
    assert_type(batch.successes, list[fa.Success[fa.RunNewEvalsResult]])
    assert_type(batch.failures, list[fa.Failure[fa.RunNewEvalsResult]])
    assert_type(batch.unknown, list[fa.Failure[fa.RunNewEvalsResult]])
    assert_type(batch.partial, list[fa.Success[fa.RunNewEvalsResult]])
    assert_type(batch.not_attempted, list[fa.NotAttempted[fa.RunNewEvalsResult]])
    assert_type(batch[0], fa.Outcome[fa.RunNewEvalsResult])
    assert_type(batch[1:], fa.Batch[fa.RunNewEvalsResult])
    assert_type(iter(batch), Iterator[fa.Outcome[fa.RunNewEvalsResult]])
    assert_type(batch.raise_for_failures(), fa.Batch[fa.RunNewEvalsResult])


def journals(outcome: fa.Outcome[fa.RunNewEvalsResult]) -> None:
    with fa.Journal.open("evals.db") as journal:
        assert_type(journal, fa.Journal)
        assert_type(len(journal), int)
        summary = journal.summary()
        assert_type(summary, fa.JournalSummary)
        assert_type(summary.settled, int)
        for entry in journal:
            assert_type(entry, fa.JournalEntry)
            assert_type(entry.answer, bytes | None)
            assert_type(entry.delivery, fa.Delivery | None)
            journal.resolve(entry, done=True)
        journal.resolve(outcome, done=False)
    journal.close()


def errors(error: fa.FutureAGIError) -> None:
    assert_type(error.delivery, fa.Delivery)
    match error:
        case fa.NameConflictError() | fa.ExecutionsNotCompletedError():
            assert_type(error.code, str | None)
        case fa.APIStatusError():
            assert_type(error.status_code, int)
            assert_type(error.details, dict[str, tuple[str, ...]])
            assert_type(error.item_errors, tuple[fa.ItemError, ...])
            assert_type(error.body, bytes)
        case fa.EvalDispatchError() | fa.UnexpectedResponseError():
            assert_type(error.status_code, int)
        case fa.AnsweredError() | fa.APIConnectionError() | fa.APIError():
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
    fa.InvalidRequestError,
    fa.JournalError,
    fa.NotFoundError,
    fa.PaymentRequiredError,
    fa.PermissionDeniedError,
    fa.RateLimitError,
    fa.ServerError,
]


async def emulator() -> None:
    world = World.synthetic(run_tests=10)
    with Emulator(world) as running:
        assert_type(running.url, str)
    async with Emulator(world, latency=0.1, dispatch="run") as served:
        assert_type(served.api_key, str)


class Ping(fa.Request[fa.Result]):
    """A request of one's own."""

    method = "GET"
    result_type = fa.Result
    safe_to_repeat = True

    @property
    def run_test_id(self) -> str | None:
        return None

    @property
    def path(self) -> str:
        return "/health/"

    @property
    def body(self) -> bytes | None:
        return None
