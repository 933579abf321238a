"""List run tests: `GET /simulate/run-tests/`."""

from __future__ import annotations

from typing import (
    Any,  # noqa: F401 - in the signature that attrs makes
    ClassVar,
)

import attrs

from futureagi_async.endpoints.eval_config import CreatedEvalConfig
from futureagi_async.model import validation
from futureagi_async.model.codec import Serializable
from futureagi_async.model.page import (
    PAGE_SIZE,
    Page,
    PagedRequest,
    validate_limit,
    validate_page,
)
from futureagi_async.model.request import Result
from futureagi_async.model.resource import IdentifiesRunTest


@attrs.frozen(kw_only=True)
class RunTestEntry(Serializable, IdentifiesRunTest):
    """A run test in a list.

    Attributes:
        id: its id.
        name: its name; several run tests can have the same.
        enable_tool_evaluation: the stored setting, which `RunNewEvals` can change.
        simulate_eval_configs: the ids of its eval configs.
        description: its description.
        last_run_at: the time of its last execution, as the service writes it.
        simulate_eval_configs_detail: its eval configs, the newest first; `None` if the
            list does not have them.
    """

    id: str
    name: str
    enable_tool_evaluation: bool
    simulate_eval_configs: tuple[str, ...]
    description: str | None = None
    last_run_at: str | None = None
    simulate_eval_configs_detail: tuple[CreatedEvalConfig, ...] | None = None


@attrs.frozen(kw_only=True)
class RunTestsPage(Page):
    """One page of run tests, the newest first."""

    results: tuple[RunTestEntry, ...]


def _search(value: str | None) -> str | None:
    return (
        None
        if value is None
        else validation.valid_text(value, "search").strip() or None
    )


@attrs.frozen
class ListRunTests(PagedRequest[RunTestsPage]):
    """Read one page of the run tests that the keys can read; past the end it is a 500.

    Args:
        search: text that the name, or the agent's name, must contain, in any case;
            blank matches any.
        page: number of the page, counted from 1.
        limit: entries on a page.
    """

    result_type: ClassVar[type[Result]] = RunTestsPage

    search: str | None = attrs.field(default=None, converter=_search)
    page: int = attrs.field(default=1, converter=validate_page)
    limit: int = attrs.field(default=PAGE_SIZE, converter=validate_limit)

    @property
    def run_test_id(self) -> None:
        """None, since it is about no single run test."""
        return

    @property
    def resource(self) -> str:
        """Path below the base URL."""
        return "/simulate/run-tests/"

    @property
    def filters(self) -> dict[str, str | None]:
        """The text to search for, if there is one."""
        return {"search": self.search}
