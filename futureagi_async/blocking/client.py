"""The blocking client: the methods of the asynchronous one, run in its portal."""

from __future__ import annotations

import importlib
from types import TracebackType
from typing import Final, NoReturn, Self

from futureagi_async.blocking.methods import (
    blocking_batch,
    blocking_list,
    blocking_method,
    copying_method,
    evaluation_stream,
    mirror_constructor,
    outcome_stream,
)
from futureagi_async.blocking.portal import Portal
from futureagi_async.client import AsyncFutureAGI


def _preload_aiohttp() -> None:
    # Loading aiohttp takes long; in the loop, everything would wait for it.
    importlib.import_module("futureagi_async.transport.aiohttp_backend")


class FutureAGI:
    """Client that adds and runs evaluations on simulation run tests; it blocks.

    It works in plain scripts, in many threads at once, and inside a running event loop
    (which it blocks). Iterables are read, and callbacks called, in the calling thread.
    Ctrl-C cancels the call that waits. Close it with `with` or `close`; otherwise it is
    closed when it is garbage, or when the program ends.

    The arguments are those of `AsyncFutureAGI`, and so are the errors.
    """

    @mirror_constructor(AsyncFutureAGI)
    def __init__(self, client: AsyncFutureAGI) -> None:
        self._client = client
        self._portal = Portal(client.aclose, _preload_aiohttp)
        self._is_copy = False

    # `Final` has type checkers take the inferred types as declared (PEP 591).
    with_options: Final = copying_method(AsyncFutureAGI.with_options)

    add_eval_configs: Final = blocking_method(AsyncFutureAGI.add_eval_configs)
    add_eval_configs_many: Final = blocking_batch(AsyncFutureAGI.add_eval_configs_many)
    ensure_eval_configs: Final = blocking_method(AsyncFutureAGI.ensure_eval_configs)
    update_eval_config: Final = blocking_method(AsyncFutureAGI.update_eval_config)
    delete_eval_config: Final = blocking_method(AsyncFutureAGI.delete_eval_config)

    run_new_evals: Final = blocking_method(AsyncFutureAGI.run_new_evals)
    run_new_evals_many: Final = blocking_batch(AsyncFutureAGI.run_new_evals_many)
    evaluate: Final = blocking_batch(AsyncFutureAGI.evaluate)
    stream_evaluations: Final = evaluation_stream(AsyncFutureAGI.stream_evaluations)
    wait_for_evals: Final = blocking_batch(AsyncFutureAGI.wait_for_evals)

    execute_run_test: Final = blocking_method(AsyncFutureAGI.execute_run_test)
    get_execution_status: Final = blocking_method(AsyncFutureAGI.get_execution_status)
    cancel_execution: Final = blocking_method(AsyncFutureAGI.cancel_execution)
    rerun_executions: Final = blocking_method(AsyncFutureAGI.rerun_executions)
    rerun_calls: Final = blocking_method(AsyncFutureAGI.rerun_calls)

    ping: Final = blocking_method(AsyncFutureAGI.ping)
    get_run_test: Final = blocking_method(AsyncFutureAGI.get_run_test)
    get_eval_summary: Final = blocking_method(AsyncFutureAGI.get_eval_summary)
    compare_executions: Final = blocking_method(AsyncFutureAGI.compare_executions)
    get_simulation_metrics: Final = blocking_method(
        AsyncFutureAGI.get_simulation_metrics
    )
    get_simulation_runs: Final = blocking_method(AsyncFutureAGI.get_simulation_runs)
    get_call_execution: Final = blocking_method(AsyncFutureAGI.get_call_execution)
    list_run_tests: Final = blocking_list(AsyncFutureAGI.list_run_tests)
    list_test_executions: Final = blocking_list(AsyncFutureAGI.list_test_executions)
    list_call_executions: Final = blocking_list(AsyncFutureAGI.list_call_executions)
    list_eval_templates: Final = blocking_list(AsyncFutureAGI.list_eval_templates)
    find_run_test: Final = blocking_method(AsyncFutureAGI.find_run_test)
    find_eval_template: Final = blocking_method(AsyncFutureAGI.find_eval_template)

    send: Final = blocking_method(AsyncFutureAGI.send)
    send_many: Final = blocking_batch(AsyncFutureAGI.send_many)
    stream: Final = outcome_stream(AsyncFutureAGI.stream)

    def close(self) -> None:
        """Close the connections and end the thread.

        Running calls of other threads fail with `ClientClosedError`.
        """
        if not self._is_copy:
            self._portal.close()

    def _copy(self, client: AsyncFutureAGI) -> Self:
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__, _client=client, _is_copy=True)
        return copy

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
        return f"<FutureAGI {self._client._settings.base_url} {state}>"  # noqa: SLF001 - its own client

    def __reduce__(self) -> NoReturn:
        self._client.__reduce__()
