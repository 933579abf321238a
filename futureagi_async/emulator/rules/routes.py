"""The routes of the service, matched as strictly as its framework does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import attrs

from futureagi_async.emulator.rules import (
    cancel,
    configs,
    detail,
    execute,
    metrics,
    rerun,
    running,
    runs,
    templates,
    views,
)
from futureagi_async.emulator.rules.context import Context
from futureagi_async.emulator.rules.exchange import Response


_View = Callable[[Context], Response]

HEALTH = "/health/"
"""The one path that needs no keys."""

_ID = "([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
"""Lower case with hyphens; any other spelling of a UUID is a page not found."""


@attrs.frozen
class Route:
    """One endpoint.

    Args:
        endpoint: its name in the log and in faults.
        pattern: its path.
        views: the view of each method.
        title: its name in the response to OPTIONS.
        about: its description in the response to OPTIONS.
        read_only: whether a POST only reads, so that a read-only key may send it.
        unserved: methods that the service has, and the emulator has not.
    """

    endpoint: str
    pattern: re.Pattern[str]
    views: Mapping[str, _View]
    title: str
    about: str
    read_only: bool = False
    unserved: frozenset[str] = frozenset()

    @property
    def allowed(self) -> list[str]:
        """The methods of the service, in the order in which it names them."""
        known = self.views.keys() | self.unserved
        known |= {"OPTIONS", *("HEAD" for _ in known & {"GET"})}
        return [method for method in _METHODS if method in known]


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


def _route(
    endpoint: str,
    path: str,
    title: str,
    about: str,
    *,
    read_only: bool = False,
    unserved: Iterable[str] = (),
    **views: _View,
) -> Route:
    """Build a route from a path, in which ID stands for an id."""
    pattern = re.compile(path.replace("ID", _ID))
    return Route(endpoint, pattern, views, title, about, read_only, frozenset(unserved))


_RUN_TEST = "/simulate/run-tests/ID/"

# The two that matter for speed stand first.
_ROUTES = (
    _route(
        "add_eval_configs",
        f"{_RUN_TEST}eval-configs/",
        "Add Eval Config",
        "API View to add evaluation configs to a run test",
        POST=configs.add,
    ),
    _route(
        "run_new_evals",
        f"{_RUN_TEST}run-new-evals/",
        "Run New Evals On Test Execution",
        "API View to run new evaluations on existing test executions",
        POST=running.run_new_evals,
    ),
    _route(
        "update_eval_config",
        f"{_RUN_TEST}eval-configs/ID/update/",
        "Update Eval Config",
        "API View to update an evaluation config with optional rerun",
        POST=configs.update,
    ),
    _route(
        "delete_eval_config",
        f"{_RUN_TEST}eval-configs/ID/",
        "Delete Eval Config",
        "API View to delete evaluation configs from a run test",
        DELETE=configs.delete,
    ),
    _route(
        "run_test",
        _RUN_TEST,
        "Run Test Detail",
        "API View to retrieve a specific run test",
        unserved=("PATCH", "DELETE"),
        GET=views.run_test,
    ),
    _route(
        "executions",
        f"{_RUN_TEST}executions/",
        "Run Test Executions",
        "API View to retrieve the test executions of a specific run test",
        GET=views.executions,
    ),
    _route(
        "call_executions",
        f"{_RUN_TEST}call-executions/",
        "Run Test Call Executions",
        "API View to retrieve all call executions for a specific run test with "
        "pagination and search",
        GET=views.call_executions,
    ),
    _route(
        "eval_summary",
        f"{_RUN_TEST}eval-summary/",
        "Run Test Eval Summary",
        "API View to get evaluation summary statistics for a single run test",
        GET=views.eval_summary,
    ),
    _route(
        "eval_summary_comparison",
        f"{_RUN_TEST}eval-summary-comparison/",
        "Run Test Eval Summary Comparison",
        "API View to get comparison evaluation summary statistics for a single run "
        "test",
        GET=views.eval_summary_comparison,
    ),
    _route(
        "scenarios",
        f"{_RUN_TEST}scenarios/",
        "Run Test Scenarios",
        "API View to get paginated scenarios for a specific run test",
        GET=views.scenarios,
    ),
    _route(
        "status",
        f"{_RUN_TEST}status/",
        "Test Execution Status",
        "API View to get test execution status",
        GET=views.status,
    ),
    _route(
        "run_tests",
        "/simulate/run-tests/",
        "Run Test List",
        "API View to list the run tests of an organization",
        GET=views.run_tests,
    ),
    _route(
        "run_test_id_by_name",
        "/simulate/run-tests/get-id-by-name/([^/]+)/",
        "Run Test Name",
        "API View to get the id of a run test by its name",
        GET=views.run_test_id_by_name,
    ),
    _route(
        "call_execution",
        "/simulate/call-executions/ID/",
        "Call Execution Detail",
        "API View to retrieve a specific call execution with all its details",
        unserved=("PATCH",),
        GET=views.call_execution,
    ),
    _route(
        "delete_call",
        "/simulate/call-executions/ID/delete/",
        "Call Execution Delete",
        "API View to delete a specific call execution",
        DELETE=views.delete_call,
    ),
    _route(
        "execution_detail",
        "/simulate/test-executions/ID/",
        "Test Execution Detail",
        "API View to retrieve a specific test execution with all its details and "
        "paginated call executions",
        GET=detail.execution_detail,
    ),
    _route(
        "execute",
        f"{_RUN_TEST}execute/",
        "Run Test Execution",
        "API View to execute a test run with all its scenarios",
        POST=execute.execute,
    ),
    _route(
        "rerun_executions",
        f"{_RUN_TEST}rerun-test-executions/",
        "Test Execution Rerun",
        "API View to handle bulk test execution rerun requests. Reruns all call "
        "executions for each specified test execution.",
        POST=rerun.rerun_executions,
    ),
    _route(
        "rerun_calls",
        "/simulate/test-executions/ID/rerun-calls/",
        "Call Execution Rerun",
        "API View to handle bulk call execution rerun requests",
        POST=rerun.rerun_calls,
    ),
    _route(
        "cancel",
        "/simulate/test-executions/ID/cancel/",
        "Test Execution Cancel",
        "API View to cancel a test execution. Supports cancelling by run_test_id "
        "(latest execution) or specific test_execution_id",
        POST=cancel.cancel,
    ),
    _route(
        "runs",
        "/sdk/api/v1/simulation/runs/",
        "Simulation Runs",
        "",
        GET=runs.runs,
    ),
    _route(
        "metrics",
        "/sdk/api/v1/simulation/metrics/",
        "Simulation Metrics",
        "",
        GET=metrics.metrics,
    ),
    _route(
        "templates_sdk",
        "/sdk/api/v1/get-evals/",
        "Get Evals",
        "",
        GET=templates.sdk_list,
    ),
    _route(
        "template_list",
        "/model-hub/eval-templates/list/",
        "Eval Template List",
        "",
        read_only=True,
        POST=templates.paged_list,
    ),
)


def find_route(path: str) -> tuple[Route, tuple[str, ...]] | None:
    """Return the route of a path with the ids in it."""
    for route in _ROUTES:
        match = route.pattern.fullmatch(path)
        if match:
            return route, match.groups()
    return None


_RUN_TEST_PREFIX = re.compile(_RUN_TEST.replace("ID", _ID))


def identify(path: str) -> tuple[str, str | None]:
    """Return the endpoint of a path, as named in the log, and its run test if any."""
    if path == HEALTH:
        return "health", None
    found = find_route(path)
    match = _RUN_TEST_PREFIX.match(path)
    return found[0].endpoint if found else "none", match and match.group(1)
