"""What a view is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.emulator.rules.content import data_of, query_of
from futureagi_async.emulator.rules.envelope import RefusedError, error, invalid
from futureagi_async.emulator.rules.fields import Form, FormError


if TYPE_CHECKING:
    from futureagi_async.emulator.rows import ApiKey, RunTest
    from futureagi_async.emulator.rules.evaluations import Evaluations
    from futureagi_async.emulator.rules.exchange import Request
    from futureagi_async.emulator.world import World


@attrs.define
class Work:
    """What a request changed, whatever the answer said.

    Args:
        configs: How many eval configs it created.
        runs: How often it started evaluations.
    """

    configs: int = 0
    runs: int = 0


@attrs.define
class Context:
    """One request on its way through a view.

    Args:
        request: What arrived.
        key: The key it came with.
        ids: The ids in its path.
        world: The state.
        evaluations: Where evaluations are handed over.
        now: The time in seconds.
        work: What the view notes down about what it did.
    """

    request: Request
    key: ApiKey
    ids: tuple[str, ...]
    world: World
    evaluations: Evaluations
    now: float
    work: Work = attrs.field(factory=Work)

    def body(self, form: Form) -> dict[str, Any]:
        """The cleaned body."""
        return cleaned(form, data_of(self.request))

    def query(self, form: Form) -> dict[str, Any]:
        """The cleaned query."""
        return cleaned(form, query_of(self.request))

    def run_test(self, message: str = "Run test not found") -> RunTest:
        """The run test of the path.

        Unknown, deleted and foreign ones are alike.
        """
        found = self.world.run_test(self.ids[0], self.key)
        if found is None:
            raise RefusedError(error(404, message))
        return found


def cleaned(form: Form, data: Any) -> dict[str, Any]:
    """The cleaned data of a form.

    Raises:
        RefusedError: With all the problems of the first kind that was met.
    """
    try:
        return form.root(data)
    except FormError as refusal:
        raise RefusedError(invalid(refusal.by_field)) from None
