"""Get an execution with its results: `GET /sdk/api/v1/simulation/runs/`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import attrs

from futureagi_async.endpoints.eval_output import EvalOutput
from futureagi_async.endpoints.get_eval_summary import SUMMARY_FAILS, TemplateSummary
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.errors import (
    APIResponseError,
    InvalidRequestError,
    UnexpectedResponseError,
)
from futureagi_async.model import codec, validation
from futureagi_async.model.codec import Serializable
from futureagi_async.model.page import (
    Page,
    PagedRequest,
    validate_limit,
    validate_page,
)
from futureagi_async.model.request import Result
from futureagi_async.model.resource import (
    ExecutionRef,
    IdentifiesCall,
    IdentifiesExecution,
)


SIMULATION_RUNS_LIMIT = 1000
"""Calls requested at a time: about 2.5 MB with five eval configs.

The service reads all completed calls of the execution for each page.
"""


@attrs.frozen(kw_only=True)
class SimulationCall(Serializable, IdentifiesCall):
    """One call of an execution, without its transcript.

    Attributes:
        id: its id.
        status: its state.
        scenario_id: the scenario that it played.
        scenario_name: the name of the scenario.
        duration_seconds: how long it took.
        eval_outputs: the results of its evaluations by the id of the eval config, with
            those of eval configs that were deleted.
    """

    id: str
    status: ExecutionStatus
    scenario_id: str | None = None
    scenario_name: str | None = None
    duration_seconds: float | None = None
    eval_outputs: dict[str, EvalOutput] = attrs.field(factory=dict, hash=False)

    @classmethod
    def from_wire(cls, value: Any) -> Self:
        """Return the call in a response.

        Raises:
            TypeError: it has no id or no state.
        """
        return cls(
            id=codec.read_field(value, "call_execution_id", str),
            status=ExecutionStatus(codec.read_field(value, "status", str)),
            scenario_id=codec.optional_field(value, "scenario_id", str),
            scenario_name=codec.optional_field(value, "scenario_name", str),
            duration_seconds=codec.optional_number(value, "duration_seconds"),
            eval_outputs=EvalOutput.all_from_wire(value.get("eval_outputs")),
        )


@attrs.frozen(kw_only=True)
class SimulationRuns(Page):
    """An execution with its scores, and one page of its calls.

    Deleted calls are left out.

    Attributes:
        execution_id: the execution.
        status: its state.
        started_at: when it started; `None` if that is unreadable.
        completed_at: when it ended; `None` before.
        total_calls: the number of its calls as it was stored when it ended.
        completed_calls: the number of completed calls as it was stored when it ended.
        failed_calls: the number of failed calls as it was stored when it ended.
        eval_results: its scores, as in `EvalSummary`: completed calls only.
        results: its calls on this page.
    """

    execution_id: str
    status: ExecutionStatus
    results: tuple[SimulationCall, ...]
    started_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None
    total_calls: int = 0
    completed_calls: int = 0
    failed_calls: int = 0
    eval_results: tuple[TemplateSummary, ...] = ()

    @classmethod
    def fields_in(cls, body: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of the execution, and those of its page of calls.

        Raises:
            TypeError: one of both is missing.
        """
        execution = codec.read_field(body, "result", dict)
        return execution | codec.read_field(execution, "call_results", dict)

    @property
    def calls(self) -> tuple[SimulationCall, ...]:
        """The calls on this page."""
        return self.results


def execution_id(value: ExecutionRef) -> str:
    """Return the id of an execution in canonical form."""
    return validation.resource_id(value, "execution_id", IdentifiesExecution)


def _eval_names(value: Iterable[str] | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = validation.as_list(value, "eval_names", "names")
    if not names:
        raise InvalidRequestError(
            "eval_names: the list is empty; leave it out for every eval config"
        )
    return tuple(_eval_name(name, f"eval_names[{i}]") for i, name in enumerate(names))


def _eval_name(value: Any, location: str) -> str:
    name = validation.non_blank_text(value, location)
    if "," in name:
        raise InvalidRequestError(
            f"{location}: {validation.truncate_repr(name)} has a comma, at which the "
            "service separates names; leave eval_names out and choose by the id"
        )
    return name


@attrs.frozen
class GetSimulationRuns(PagedRequest[SimulationRuns]):
    """Read an execution with its scores and calls; past the end it is a 500.

    It costs the service a hundredth of a page of `ListCallExecutions`. A completed
    result of a template of numbers or reasons makes it a 500 as well.

    Args:
        execution_id: the execution, or its id in any spelling of a UUID.
        page: number of the page, counted from 1.
        limit: calls on a page.
        eval_names: only results of eval configs with these names. The service answers
            500 if a result has no name.
    """

    result_type: ClassVar[type[Result]] = SimulationRuns
    has_substitute: ClassVar[bool] = True
    server_error_hint: ClassVar[str] = SUMMARY_FAILS

    execution_id: str = attrs.field(converter=execution_id)
    page: int = attrs.field(default=1, converter=validate_page)
    limit: int = attrs.field(default=SIMULATION_RUNS_LIMIT, converter=validate_limit)
    eval_names: tuple[str, ...] | None = attrs.field(
        default=None, converter=_eval_names
    )

    @property
    def run_test_id(self) -> None:
        """None, since the service knows the execution by its own id."""
        return

    @property
    def resource(self) -> str:
        """Path below the base URL."""
        return "/sdk/api/v1/simulation/runs/"

    @property
    def filters(self) -> dict[str, str | None]:
        """The execution, and the names if there are some."""
        names = None if self.eval_names is None else ",".join(self.eval_names)
        return {"execution_id": self.execution_id, "eval_name": names}

    def validate_response(
        self, result: Any
    ) -> tuple[type[APIResponseError], str] | None:
        """Reject another execution's response."""
        return reject_other_execution(self.execution_id, result.execution_id)


def reject_other_execution(
    requested: str, received: str
) -> tuple[type[APIResponseError], str] | None:
    """Return why a response is none to this request, if it is about another execution."""
    if received.lower() == requested:
        return None
    return UnexpectedResponseError, f"the response is about execution {received}"
