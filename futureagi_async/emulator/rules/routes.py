"""Which path leads where, matched as strictly as the service's framework does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import attrs

from futureagi_async.emulator.rules import configs, reading, running, templates
from futureagi_async.emulator.rules.context import Context
from futureagi_async.emulator.rules.exchange import Answer


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
    route(
        "update_eval_config",
        f"{RUN_TEST}eval-configs/ID/update/",
        "Update Eval Config",
        "API View to update an evaluation config with optional rerun",
        POST=configs.update,
    ),
    route(
        "delete_eval_config",
        f"{RUN_TEST}eval-configs/ID/",
        "Delete Eval Config",
        "API View to delete evaluation configs from a run test",
        DELETE=configs.delete,
    ),
    route(
        "run_test",
        RUN_TEST,
        "Run Test Detail",
        "API View to retrieve a specific run test",
        GET=reading.run_test,
    ),
    route(
        "executions",
        f"{RUN_TEST}executions/",
        "Run Test Executions",
        "API View to retrieve the test executions of a specific run test",
        GET=reading.executions,
    ),
    route(
        "call_executions",
        f"{RUN_TEST}call-executions/",
        "Run Test Call Executions",
        "API View to retrieve all call executions for a specific run test with "
        "pagination and search",
        GET=reading.call_executions,
    ),
    route(
        "eval_summary",
        f"{RUN_TEST}eval-summary/",
        "Run Test Eval Summary",
        "API View to get evaluation summary statistics for a single run test",
        GET=reading.eval_summary,
    ),
    route(
        "eval_summary_comparison",
        f"{RUN_TEST}eval-summary-comparison/",
        "Run Test Eval Summary Comparison",
        "API View to get comparison evaluation summary statistics for a single run "
        "test",
        GET=reading.eval_summary_comparison,
    ),
    route(
        "scenarios",
        f"{RUN_TEST}scenarios/",
        "Run Test Scenarios",
        "API View to get paginated scenarios for a specific run test",
        GET=reading.scenarios,
    ),
    route(
        "status",
        f"{RUN_TEST}status/",
        "Test Execution Status",
        "API View to get test execution status",
        GET=reading.status,
    ),
    route(
        "run_tests",
        "/simulate/run-tests/",
        "Run Test List",
        "API View to list the run tests of an organization",
        GET=reading.run_tests,
    ),
    route(
        "run_test_id_by_name",
        "/simulate/run-tests/get-id-by-name/([^/]+)/",
        "Run Test Name",
        "API View to get the id of a run test by its name",
        GET=reading.run_test_id_by_name,
    ),
    route(
        "call_execution",
        "/simulate/call-executions/ID/",
        "Call Execution Detail",
        "API View to retrieve a specific call execution with all its details",
        GET=reading.call_execution,
    ),
    route(
        "execution_calls",
        "/simulate/test-executions/ID/",
        "Test Execution Detail",
        "API View to retrieve a specific test execution with all its details and "
        "paginated call executions",
        GET=reading.execution_calls,
    ),
    route(
        "templates_sdk",
        "/sdk/api/v1/get-evals/",
        "Get Evals",
        "",
        GET=templates.sdk_list,
    ),
    # A POST that only reads, so a read-only key may do it.
    attrs.evolve(
        route(
            "template_list",
            "/model-hub/eval-templates/list/",
            "Eval Template List",
            "",
            POST=templates.paged_list,
        ),
        read_only=True,
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
