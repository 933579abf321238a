"""List run tests: `GET /simulate/run-tests/`."""

from __future__ import annotations

from typing import (
    Any,  # noqa: F401 - in the signature that attrs makes
    ClassVar,
)

import attrs

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
        enable_tool_evaluation: the stored setting, which `RunNewEvals` can overwrite.
        simulate_eval_configs: the ids of its eval configs.
        description: what it is for.
        last_run_at: when it was last executed, as the service writes it.
    """

    id: str
    name: str
    enable_tool_evaluation: bool
    simulate_eval_configs: tuple[str, ...]
    description: str | None = None
    last_run_at: str | None = None


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
    """Read one page of the run tests that the keys see; past the end the answer is 500.

    Args:
        search: only those whose name, or whose agent's name, contains this text in any
            case; blank text is no search.
        page: which page, counted from 1.
        limit: entries on a page.
    """

    result_type: ClassVar[type[Result]] = RunTestsPage

    search: str | None = attrs.field(default=None, converter=_search)
    page: int = attrs.field(default=1, converter=validate_page)
    limit: int = attrs.field(default=PAGE_SIZE, converter=validate_limit)

    @property
    def run_test_id(self) -> None:
        """None: it is about no single run test."""
        return

    @property
    def resource(self) -> str:
        """Path below the base URL."""
        return "/simulate/run-tests/"

    @property
    def filters(self) -> dict[str, str | None]:
        """The text that is searched for, if there is one."""
        return {"search": self.search}
