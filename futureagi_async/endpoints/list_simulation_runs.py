"""List executions by name: `GET /sdk/api/v1/simulation/runs/?run_test_name=`."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

import attrs

from futureagi_async.endpoints.get_eval_summary import (
    SUMMARY_FAILS,
    ConfigSummary,
    TemplateSummary,
)
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.model import codec, validation
from futureagi_async.model.codec import Serializable
from futureagi_async.model.page import (
    PAGE_SIZE,
    Page,
    PagedRequest,
    validate_limit,
    validate_page,
)
from futureagi_async.model.request import Result
from futureagi_async.model.resource import IdentifiesExecution


@attrs.frozen(kw_only=True)
class SimulationRun(Serializable, IdentifiesExecution):
    """An execution with its scores.

    Attributes:
        id: the execution.
        status: its state.
        started_at: when it started; `None` if that is unreadable.
        completed_at: when it ended; `None` before.
        total_calls: the number of its calls as it was stored when it ended.
        completed_calls: the number of completed calls as it was stored when it ended.
        failed_calls: the number of failed calls as it was stored when it ended.
        eval_results: its scores, as in `EvalSummary`: completed calls only.
    """

    id: str
    status: ExecutionStatus
    started_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None
    total_calls: int = 0
    completed_calls: int = 0
    failed_calls: int = 0
    eval_results: tuple[TemplateSummary, ...] = ()

    @property
    def configs(self) -> dict[str, ConfigSummary]:
        """The eval configs of its run test by their ids, those without a result too."""
        return {
            config.id: config
            for template in self.eval_results
            for config in template.result
        }


@attrs.frozen(kw_only=True)
class SimulationRunsPage(Page):
    """One page of executions, the newest first."""

    results: tuple[SimulationRun, ...]

    @classmethod
    def fields_in(cls, body: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of the page, in which executions have their ids.

        Raises:
            TypeError: it is missing, or an id.
        """
        page: dict[str, Any] = codec.read_field(body, "result", dict)
        runs = codec.read_field(page, "results", list)
        ids = [codec.read_field(each, "execution_id", str) for each in runs]
        results = [{**each, "id": id_} for id_, each in zip(ids, runs, strict=True)]
        return {**page, "results": results}


def _name(value: str) -> str:
    return validation.non_blank_text(value, "run_test_name")


@attrs.frozen
class ListSimulationRuns(PagedRequest[SimulationRunsPage]):
    """Read executions of all run tests that have exactly this name, with their scores.

    The response does not have the run test of an execution, but the ids of its eval
    configs, which belong to one run test. Past the end it is a 500, and so it is as long
    as one has a completed result of a template of numbers or reasons.

    Args:
        run_test_name: the name.
        page: number of the page, counted from 1.
        limit: executions on a page.
    """

    result_type: ClassVar[type[Result]] = SimulationRunsPage
    has_substitute: ClassVar[bool] = True
    server_error_hint: ClassVar[str] = SUMMARY_FAILS

    run_test_name: str = attrs.field(converter=_name)
    page: int = attrs.field(default=1, converter=validate_page)
    limit: int = attrs.field(default=PAGE_SIZE, converter=validate_limit)

    @property
    def run_test_id(self) -> None:
        """None, since several run tests can have the name."""
        return

    @property
    def resource(self) -> str:
        """Path below the base URL."""
        return "/sdk/api/v1/simulation/runs/"

    @property
    def filters(self) -> dict[str, str | None]:
        """The name."""
        return {"run_test_name": self.run_test_name}
