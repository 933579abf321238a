"""Execute a run test, which simulates its calls: `POST .../run-tests/{id}/execute/`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import attrs

from futureagi_async.endpoints.list_test_executions import (
    ListTestExecutions,
    TestExecution,
)
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.errors import (
    APIResponseError,
    APIStatusError,
    ExecutionStartError,
    InvalidRequestError,
    UnexpectedResponseError,
)
from futureagi_async.model import codec, validation
from futureagi_async.model.operation import Executor, History, HistoryEntry
from futureagi_async.model.page import Paginator, SendRead
from futureagi_async.model.reconciliation import (
    Applied,
    Indeterminate,
    NotApplied,
    Reconcilable,
    Reconciliation,
    is_entry_of,
    may_be_applied,
)
from futureagi_async.model.request import Result
from futureagi_async.model.resource import (
    IdentifiesExecution,
    IdentifiesScenario,
    RunTestRef,  # noqa: F401 - in the signature that attrs makes
)


# With "hosted" in it where the agent is a text agent.
_START_FAILED = re.compile(r"\bfailed to start (\w+ )?test execution\b", re.IGNORECASE)
_PAGE_SIZE = 10
"""Executions requested at a time: for each of them the service loads all its calls."""

_CLOCK_TOLERANCE = timedelta(hours=1)
"""How far the clocks of client and service are assumed to differ at most."""

_EARLY, _LATE = timedelta(seconds=-30), timedelta(minutes=10)
"""When an execution starts that belongs to a request, counted from its sending."""


@attrs.frozen(kw_only=True)
class ExecutionStarted(Result, IdentifiesExecution):
    """An execution that was started, accepted wherever an execution is expected.

    Attributes:
        message: the service's confirmation.
        execution_id: the execution; empty where a person decided in a journal that the
            request was applied.
        run_test_id: the run test.
        status: "started"; of a reconciled one the status in which it was found. One that
            stays pending was never started: the service leaves such an execution behind
            when a start fails.
        total_scenarios: number of scenarios; `None` if that was not read.
        total_calls: number of calls that exist by now: none of a voice agent, whose calls
            are added later; `None` if that was not read.
        scenario_ids: the scenarios; of a reconciled one those requested.
    """

    message: str
    execution_id: str
    run_test_id: str
    status: ExecutionStatus
    total_scenarios: int | None = None
    total_calls: int | None = None
    scenario_ids: tuple[str, ...] = ()

    @property
    def id(self) -> str:  # type: ignore[override]  # read only, as all of a frozen value
        """The id of the execution."""
        return self.execution_id


def _scenario_ids(value: Iterable[UUID | str] | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    ids = validation.resource_ids(value, "scenario_ids", IdentifiesScenario)
    if not ids:
        raise InvalidRequestError(
            "scenario_ids: the list is empty, for which the service executes every "
            "scenario; leave it out to do that"
        )
    for index, each in enumerate(ids):
        # The service accepts a repeated scenario, with its calls to be paid for.
        if each in ids[:index]:
            raise InvalidRequestError(
                f"scenario_ids[{index}]: {each} comes twice; name each scenario once"
            )
    return ids


@attrs.frozen
class ExecuteRunTest(Reconcilable[ExecutionStarted]):
    """Start an execution of a run test: calls are simulated, evaluated, and paid for.

    The service recognizes no repetition: each request starts another execution. So the
    newest execution is read before it is sent. After an unknown outcome, an execution
    that is newer is the one that was started, if there is exactly one that no other
    request of the journal explains; without a newer one it is sent again. That does not
    prove who started it. A batch that continues after a kill compares start times with
    the time of sending in its journal. Whatever else was found, its outcome stays
    unknown.

    A start that fails is an `ExecutionStartError`, and leaves a pending execution that
    nobody runs.

    Args:
        run_test_id: the run test, or its id in any spelling of a UUID.
        scenario_ids: the ids of the scenarios to execute, each once; by default all
            scenarios of the run test. The service does not check that they are the run
            test's own.
        before: the newest execution before it was sent, if there was one; `None` if that
            is not known. `run` reads it.

    Raises:
        InvalidRequestError: a value could never be accepted; the message names it.
    """

    is_exclusive: ClassVar[bool] = True
    method: ClassVar[str] = "POST"
    result_type: ClassVar[type[Result]] = ExecutionStarted

    run_test_id: str = attrs.field(converter=validation.run_test_id)
    scenario_ids: tuple[str, ...] | None = attrs.field(
        default=None, converter=_scenario_ids
    )
    before: tuple[TestExecution, ...] | None = attrs.field(
        default=None, kw_only=True, eq=False, repr=False
    )
    encoded: bytes = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        sent = {} if self.scenario_ids is None else {"scenario_ids": self.scenario_ids}
        object.__setattr__(self, "encoded", codec.encode(sent))

    @property
    def path(self) -> str:
        """Path below the base URL."""
        return f"/simulate/run-tests/{self.run_test_id}/execute/"

    @property
    def body(self) -> bytes:
        """The JSON to send."""
        return self.encoded

    async def run(self, executor: Executor) -> ExecutionStarted:
        """Read the newest execution, and send it.

        One that an earlier batch may have sent is not preceded by a read: the newest
        execution can be its own.
        """
        if may_be_applied(await executor.history(self.run_test_id), self):
            return await executor.write(self)
        newest = await executor.read(ListTestExecutions(self.run_test_id, limit=1))
        return await executor.write(attrs.evolve(self, before=newest.results))

    def validate_response(
        self, result: Any
    ) -> tuple[type[APIResponseError], str] | None:
        """Reject another run test's response."""
        if result.run_test_id.lower() != self.run_test_id:
            problem = f"the response is about run test {result.run_test_id}"
            return UnexpectedResponseError, problem
        return None

    def error_class(self, status: int, message: str) -> type[APIStatusError] | None:
        """Recognize a start that failed, which only the wording shows."""
        if status == 400 and _START_FAILED.search(message):  # noqa: PLR2004 - Bad Request
            return ExecutionStartError
        return None

    async def reconcile(self, read: SendRead, history: History) -> Reconciliation:
        """Find the executions that were started since, and that nothing else explains."""
        entries = await history()
        sent_at = _sent_at(entries, self)
        listed = await self._list_since(read, sent_at)
        new: Sequence[TestExecution] = listed
        if self.before is not None:
            new = _newer(listed, self.before)
        elif sent_at is not None:
            new = [each for each in listed if not _is_before(each, sent_at)]
        explained = set(_started_by_others(entries, self))
        new = [each for each in new if each.id.lower() not in explained]
        if not new:
            return NotApplied(attrs.evolve(self, before=tuple(listed[:1])))
        if len(new) == 1 and (self.before is not None or _starts_with(new[0], sent_at)):
            return Applied(self.result_from(new[0]))
        return Indeterminate(f"read back: {_named(new)} may have been started by it")

    def result_from(self, observed: TestExecution | None) -> ExecutionStarted:
        """Return the result for the execution that was found."""
        reason = (
            "a new execution was found; if it stays pending, its start has failed"
            if observed
            else "a person decided that it was applied"
        )
        scenario_ids = list(self.scenario_ids or ())
        raw = {
            "message": f"no response came, but {reason}",
            "execution_id": observed.id if observed else "",
            "run_test_id": self.run_test_id,
            "status": observed.status.value if observed else "started",
            "total_scenarios": len(scenario_ids) or None,
            "total_calls": None,
            "scenario_ids": scenario_ids,
        }
        return codec.build_result(raw, ExecutionStarted, reconciled=True)

    async def enrich_error(self, error: APIStatusError, read: SendRead) -> None:
        """Add the pending execution that a start leaves behind when it fails."""
        if not isinstance(error, ExecutionStartError) or self.before is None:
            return
        listed = await self._list_since(read, None)
        new = [
            each
            for each in _newer(listed, self.before)
            if each.status is ExecutionStatus.PENDING
        ]
        if len(new) == 1:
            error.execution_id = new[0].id
        if new:
            error.hint = f"left behind, and run by nobody: {_named(new)}"

    async def _list_since(
        self, read: SendRead, sent_at: datetime | None
    ) -> list[TestExecution]:
        """Return the executions that can be new, the newest first, and one more."""
        known = {each.id for each in self.before or ()}
        listed: list[TestExecution] = []
        pages = Paginator[TestExecution](
            read, ListTestExecutions(self.run_test_id, limit=_PAGE_SIZE)
        )
        async for each in pages:
            listed.append(each)
            if self.before is None and sent_at is None:
                break  # nothing to compare with, so that one more proves no more
            if each.id in known:
                break
            if sent_at is not None and _is_before(each, sent_at):
                break
        return listed


def _newer(
    listed: Sequence[TestExecution], before: Sequence[TestExecution]
) -> Sequence[TestExecution]:
    """Return those that are listed before the newest one of an earlier read.

    Where that one was deleted, times of start decide.
    """
    if not before:
        return listed
    newest, ids = before[0], [each.id for each in listed]
    if newest.id in ids:
        return listed[: ids.index(newest.id)]
    return [each for each in listed if not _has_started_by(each, newest.start_time)]


def _has_started_by(execution: TestExecution, time: datetime | None) -> bool:
    started = execution.start_time
    return started is not None and time is not None and started <= time


def _is_before(execution: TestExecution, sent_at: datetime) -> bool:
    started = execution.start_time
    return started is not None and started < sent_at - _CLOCK_TOLERANCE


def _starts_with(execution: TestExecution, sent_at: datetime | None) -> bool:
    started = execution.start_time
    if started is None or sent_at is None:
        return False
    return _EARLY <= started - sent_at <= _LATE


def _sent_at(
    entries: Sequence[HistoryEntry], request: ExecuteRunTest
) -> datetime | None:
    """Return when the journal has the request as sent, unless `before` is known."""
    if request.before is not None:
        return None
    times = (e.sent_at for e in entries if is_entry_of(e, request) and e.is_unknown)
    return next((datetime.fromtimestamp(time, UTC) for time in times), None)


def _started_by_others(
    entries: Sequence[HistoryEntry], request: ExecuteRunTest
) -> Iterator[str]:
    """Yield the executions that other requests of the journal have started."""
    for entry in entries:
        is_start = entry.endpoint == ExecuteRunTest.__name__ and entry.is_done
        if is_start and entry.response and not is_entry_of(entry, request):
            yield codec.decode(entry.response)["execution_id"].lower()


def _named(executions: Sequence[TestExecution]) -> str:
    return ", ".join(
        f"execution {each.id} ({each.status.value})" for each in executions
    )
