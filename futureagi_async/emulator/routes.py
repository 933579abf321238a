"""Which path leads where, matched as strictly as the service's framework does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import attrs

from futureagi_async.emulator import configs, running
from futureagi_async.emulator.context import Context
from futureagi_async.emulator.exchange import Answer


View = Callable[[Context], Answer]

ID = "([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
"""Lower case with hyphens; any other spelling of a UUID is a page not found."""


@attrs.frozen
class Route:
    """One endpoint.

    Args:
        endpoint: Its name in the log and in faults.
        pattern: Its path.
        views: What answers which method.
        title: How OPTIONS calls it.
        about: How OPTIONS describes it.
        read_only: Whether a read-only key may POST here.
    """

    endpoint: str
    pattern: re.Pattern[str]
    views: Mapping[str, View]
    title: str
    about: str
    read_only: bool = False

    @property
    def of_run_test(self) -> bool:
        """Whether the first id in the path is a run test's."""
        return self.pattern.pattern.startswith(RUN_TEST.replace("ID", ID))


def route(endpoint: str, path: str, title: str, about: str, **views: View) -> Route:
    """A route of its path, in which ID stands for an id."""
    return Route(endpoint, re.compile(path.replace("ID", ID)), views, title, about)


RUN_TEST = "/simulate/run-tests/ID/"

# The two that matter for speed stand first.
ROUTES = (
    route(
        "add_eval_configs",
        f"{RUN_TEST}eval-configs/",
        "Add Eval Config",
        "API View to add evaluation configs to a run test",
        POST=configs.add,
    ),
    route(
        "run_new_evals",
        f"{RUN_TEST}run-new-evals/",
        "Run New Evals On Test Execution",
        "API View to run new evaluations on existing test executions",
        POST=running.run_new_evals,
    ),
)


def resolve(path: str) -> tuple[Route, tuple[str, ...]] | None:
    """The route of a path with the ids in it."""
    for each in ROUTES:
        match = each.pattern.fullmatch(path)
        if match:
            return each, match.groups()
    return None


ABOUT_RUN_TEST = re.compile(f"/simulate/run-tests/{ID}/")


def run_test_of(path: str) -> tuple[str, str | None]:
    """The names under which a path is logged: its endpoint, and its run test if any."""
    found = resolve(path)
    match = ABOUT_RUN_TEST.match(path)
    return found[0].endpoint if found else "none", match and match.group(1)
