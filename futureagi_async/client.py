"""The asynchronous client: lifetime, one method an endpoint, and fan-out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Self

from futureagi_async.config import (
    UNSET,
    RateLimit,
    RetryPolicy,
    Settings,
    Timeout,
    Unset,
    checked_retry,
)
from futureagi_async.endpoints import add_eval_configs, run_new_evals
from futureagi_async.errors import ConfigurationError
from futureagi_async.sending import (
    Carrier,
    FanOutOptions,
    Flow,
    OutcomeStream,
    checked_callback,
    checked_request,
    checked_requests,
    send_batch,
)
from futureagi_async.transport.call import CallOptions
from futureagi_async.transport.transport import Transport


if TYPE_CHECKING:
    import ssl as tls
    from collections.abc import AsyncIterable, Callable, Iterable, Mapping
    from os import PathLike
    from types import TracebackType
    from uuid import UUID

    from futureagi_async.endpoints.add_eval_configs import AddEvalConfigsResult
    from futureagi_async.endpoints.eval_config import EvalConfig
    from futureagi_async.endpoints.run_new_evals import (
        IdsByRunTest,
        PairsByRunTest,
        RunNewEvalsResult,
    )
    from futureagi_async.outcomes import Batch, Outcome
    from futureagi_async.request import Request, Requests, ResultT
    from futureagi_async.transport.sender import Sender


def _opener(settings: Settings) -> Callable[[], Sender]:
    def open_sender() -> Sender:
        # Imported when the first request is sent: aiohttp takes its time.
        from futureagi_async.transport.session import AiohttpSender  # noqa: PLC0415

        return AiohttpSender(settings)

    return open_sender


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
        self._options = CallOptions(self._settings.timeout, self._settings.retry)
        self._transport = Transport(
            _opener(self._settings), rate_limit=self._settings.rate_limit
        )
        self._is_copy = False

    def with_options(
        self,
        *,
        timeout: Timeout | float | Unset = UNSET,
        retry: RetryPolicy | Unset = UNSET,
    ) -> Self:
        """Make a copy with other options on the same connections.

        Closing the copy does nothing; it works until the original is closed.

        Raises:
            ConfigurationError: an option cannot work.
        """
        options = self._options
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._options = CallOptions(
            options.timeout if isinstance(timeout, Unset) else Timeout.of(timeout),
            options.retry if isinstance(retry, Unset) else checked_retry(retry),
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
            add_eval_configs.AddEvalConfigs(run_test_id, evaluations_config)
        )

    async def run_new_evals(
        self,
        run_test_id: UUID | str,
        *,
        eval_config_ids: Iterable[UUID | str],
        test_execution_ids: Iterable[UUID | str] | None = None,
        select_all: bool = False,
        enable_tool_evaluation: bool | None = None,
    ) -> RunNewEvalsResult:
        """Start evaluations of a run test's executions; `RunNewEvals` explains each.

        Raises:
            InvalidRequestError: a value could never be accepted; nothing was sent.
            ExecutionsNotCompletedError: an execution is still running or evaluating.
            EvalDispatchError: the service took the request and could not start it.
            APIError: it failed otherwise; see its `delivery`.
        """
        return await self.send(
            run_new_evals.RunNewEvals(
                run_test_id,
                eval_config_ids,
                test_execution_ids,
                select_all,
                enable_tool_evaluation,
            )
        )

    async def add_eval_configs_many(
        self,
        run_test_ids: Iterable[UUID | str] | AsyncIterable[UUID | str],
        evaluations_config: Iterable[EvalConfig | Mapping[str, Any]],
        *,
        max_concurrency: int | None = None,
        deadline: float | None = None,
        journal: str | PathLike[str] | None = None,
        on_outcome: Callable[[Outcome[AddEvalConfigsResult]], object] | None = None,
    ) -> Batch[AddEvalConfigsResult]:
        """Add the same evaluations to many run tests; see `send_many`."""
        return await self.send_many(
            add_eval_configs.for_run_tests(run_test_ids, evaluations_config),
            max_concurrency=max_concurrency,
            deadline=deadline,
            journal=journal,
            on_outcome=on_outcome,
        )

    async def run_new_evals_many(
        self,
        eval_config_ids: IdsByRunTest | PairsByRunTest,
        *,
        select_all: bool = False,
        test_execution_ids: IdsByRunTest | None = None,
        enable_tool_evaluation: bool | None = None,
        max_concurrency: int | None = None,
        deadline: float | None = None,
        journal: str | PathLike[str] | None = None,
        on_outcome: Callable[[Outcome[RunNewEvalsResult]], object] | None = None,
    ) -> Batch[RunNewEvalsResult]:
        """Start evaluations on many run tests; see `RunNewEvals` and `send_many`.

        Args:
            eval_config_ids: for each run test its own eval configs: a mapping, or an
                iterable of pairs.
            select_all: evaluate every execution.
            test_execution_ids: otherwise, for each run test its executions.
            enable_tool_evaluation: whether the use of tools is evaluated as well.
            max_concurrency: as for `send_many`.
            deadline: as for `send_many`.
            journal: as for `send_many`.
            on_outcome: as for `send_many`.
        """
        return await self.send_many(
            run_new_evals.for_run_tests(
                eval_config_ids,
                select_all=select_all,
                test_execution_ids=test_execution_ids,
                enable_tool_evaluation=enable_tool_evaluation,
            ),
            max_concurrency=max_concurrency,
            deadline=deadline,
            journal=journal,
            on_outcome=on_outcome,
        )

    async def send(self, request: Request[ResultT]) -> ResultT:
        """Send a request.

        Raises:
            InvalidRequestError: it is none.
            ClientClosedError: the client is closed.
            APIError: it failed; see its `delivery`.
        """
        checked_request(request)
        result, _ = await self._transport.call(request, self._options)
        return result

    async def send_many(
        self,
        requests: Requests[ResultT],
        *,
        max_concurrency: int | None = None,
        deadline: float | None = None,
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
            deadline: seconds after which nothing more is begun: what was not begun is
                `NotAttempted`, and what is in flight has its own time limit.
            journal: the path of a file in which requests and outcomes are written, so
                that the same fan-out can be begun again after whatever happened: what
                was done is answered from it (`outcome.from_journal`), what failed is
                sent again, and what was in flight is settled, or stays unknown.
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
            checked_requests(requests),
            self._fan_out_options(max_concurrency, deadline, journal),
            checked_callback(on_outcome),
        )

    async def _send_batch(
        self,
        requests: Requests[ResultT],
        options: FanOutOptions,
        on_outcome: Callable[[Outcome[ResultT]], object] | None,
    ) -> Batch[ResultT]:
        return await send_batch(self._carrier(), requests, options, on_outcome)

    def stream(
        self,
        requests: Requests[ResultT],
        *,
        max_concurrency: int | None = None,
        deadline: float | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> OutcomeStream[ResultT]:
        """Send many requests and read their outcomes as they come, in flat memory.

        Use it as `async with client.stream(requests) as outcomes:` and then
        `async for outcome in outcomes:`. Leaving the block cancels what is in flight.

        The arguments are those of `send_many`, and so are the errors.
        """
        options = self._fan_out_options(max_concurrency, deadline, journal)
        return OutcomeStream(self._flow(checked_requests(requests), options))

    def _flow(
        self, requests: Requests[ResultT], options: FanOutOptions
    ) -> Flow[ResultT]:
        return Flow(self._carrier(), requests, options)

    def _carrier(self) -> Carrier:
        return Carrier(self._transport, self._options, self._settings)

    def _fan_out_options(
        self,
        max_concurrency: int | None,
        deadline: float | None,
        journal: str | PathLike[str] | None,
    ) -> FanOutOptions:
        return FanOutOptions.of(self._settings, max_concurrency, deadline, journal)

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
