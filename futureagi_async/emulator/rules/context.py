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

    from futureagi_async.emulator.rows import ApiKey, RunTest
    from futureagi_async.emulator.rules.evaluations import Evaluations
    from futureagi_async.emulator.rules.exchange import Request
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
        evaluations: where evaluations are submitted.
        now: the time in seconds since 1970.
        effects: where the view counts what it changed.
    """

    request: Request
    key: ApiKey
    ids: tuple[str, ...]
    world: World
    evaluations: Evaluations
    now: float
    effects: Effects = attrs.field(factory=Effects)

    def stamp(self) -> dt.datetime:
        """Return the time of a change, later than that of any change before."""
        return self.world.clock.stamp(self.now)

    def body(self, form: Form) -> dict[str, Any]:
        """Return the validated body."""
        return _validate(form, parse_body(self.request))

    def query(self, form: Form) -> dict[str, Any]:
        """Return the validated query."""
        return _validate(form, parse_query(self.request))

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


def _validate(form: Form, data: Any) -> dict[str, Any]:
    """Return the validated data of a form.

    Raises:
        RejectedError: with all problems of the first kind that was met.
    """
    try:
        return form.parse(data)
    except FormError as error:
        raise RejectedError(validation_error(error.by_field)) from None
