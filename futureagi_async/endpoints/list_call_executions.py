"""List the calls of a run test: `GET /simulate/run-tests/{id}/call-executions/`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from futureagi_async.pages import ListOfRunTest, Page


if TYPE_CHECKING:
    from futureagi_async.request import Result


@attrs.frozen(kw_only=True)
class CallExecution:
    """One call of an execution, with what its evaluations gave.

    `eval_outputs` has an entry for each eval config that was ever run on the call:
    `{}` while it is pending, then an object with `value`, `reason` and `status`.
    """

    id: str
    status: str
    test_execution_id: str
    eval_outputs: dict[str, Any] | None = attrs.field(hash=False)


@attrs.frozen(kw_only=True)
class CallExecutionsPage(Page):
    """One page of calls, the newest first."""

    results: tuple[CallExecution, ...]


@attrs.frozen
class ListCallExecutions(ListOfRunTest[CallExecutionsPage]):
    """Read one page of the calls of a run test; past the end it is empty."""

    result_type: ClassVar[type[Result]] = CallExecutionsPage
    collection: ClassVar[str] = "call-executions"
