"""The context of a view: its request, who sent it, and the state of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.emulator.rules.content import parse_body, parse_query
from futureagi_async.emulator.rules.envelope import (
    RejectedError,
    error_response,
    validation_error,
)
from futureagi_async.emulator.rules.fields import Form, FormError


if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    from futureagi_async.emulator.rows import ApiKey, Execution, RunTest
    from futureagi_async.emulator.rules.envelope import Errors
    from futureagi_async.emulator.rules.exchange import Request, Response
    from futureagi_async.emulator.rules.workers import Dispatch, Workers
    from futureagi_async.emulator.world import World


@attrs.define
class Effects:
    """Effects of a request, whatever its response.

    Args:
        configs: how many eval configs it created.
        runs: how often it started evaluations.
    """

    configs: int = 0
    runs: int = 0


@attrs.define
class Context:
    """One request on its way through a view.

    Args:
        request: the request.
        key: the key that it was sent with.
        ids: the ids in its path.
        world: the state.
        workers: to whom work is handed over.
        dispatch: what becomes of it.
        effects: where the view counts what it changed.
    """

    request: Request
    key: ApiKey
    ids: tuple[str, ...]
    world: World
    workers: Workers
    dispatch: Dispatch
    effects: Effects = attrs.field(factory=Effects)

    def stamp(self) -> dt.datetime:
        """Return the time of a change, later than that of any change before."""
        return self.workers.stamp()

    def body(self, form: Form) -> dict[str, Any]:
        """Return the validated body."""
        return _validate(form, parse_body(self.request), validation_error)

    def query(
        self,
        form: Form,
        reject: Callable[[Mapping[str, Errors]], Response] = validation_error,
    ) -> dict[str, Any]:
        """Return the validated query; `reject` builds the response to a bad one."""
        return _validate(form, parse_query(self.request), reject)

    def run_test(self, message: str = "Run test not found") -> RunTest:
        """Return the run test of the path.

        Raises:
            RejectedError: it is unknown, deleted or in another workspace, which
                clients cannot distinguish.
        """
        run_test = self.world.run_test(self.ids[0], self.key)
        if run_test is None:
            raise RejectedError(error_response(404, message))
        return run_test

    def execution(self) -> tuple[RunTest, Execution]:
        """Return the execution of the path, with its run test.

        Raises:
            RejectedError: as for a run test.
        """
        (execution_id,) = self.ids
        run_test = self.world.run_tests.of_execution(execution_id)
        if run_test and run_test.is_visible_to(self.key):
            execution = run_test.execution(execution_id)
            if execution:
                return run_test, execution
        raise RejectedError(error_response(404, "Test execution not found"))


def _validate(
    form: Form, data: Any, reject: Callable[[Mapping[str, Errors]], Response]
) -> dict[str, Any]:
    """Return the validated data of a form.

    Raises:
        RejectedError: with all problems of the first kind that was met.
    """
    try:
        return form.parse(data)
    except FormError as error:
        raise RejectedError(reject(error.by_field)) from None
