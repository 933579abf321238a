"""What is asked for, run test by run test, checked before anything is sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

import attrs

from futureagi_async.endpoints.eval_config import validate_eval_configs
from futureagi_async.endpoints.get_run_test import RunTest
from futureagi_async.endpoints.list_run_tests import RunTestEntry
from futureagi_async.errors import InvalidRequestError
from futureagi_async.evaluation.ensure_configs import validate_on_conflict
from futureagi_async.evaluation.pipeline import WatchEvals
from futureagi_async.evaluation.reading import Selection
from futureagi_async.evaluation.start import StartEvaluations
from futureagi_async.model import validation
from futureagi_async.model.request import Requests, build_requests
from futureagi_async.model.resource import RunTestRefs


if TYPE_CHECKING:
    from futureagi_async.endpoints.eval_config import EvalConfig
    from futureagi_async.evaluation.ensure_configs import OnConflict
    from futureagi_async.evaluation.start import Started


def for_run_tests(
    run_tests: RunTestRefs,
    evaluations_config: Iterable[EvalConfig | Mapping[str, Any]],
    *,
    on_conflict: OnConflict,
    rerun: bool,
    latest_executions: int | None,
    started_after: dt.datetime | None,
    enable_tool_evaluation: bool | None,
) -> Requests[Started]:
    """Make the jobs that start the same evaluations on each run test.

    Raises:
        InvalidRequestError: a value could never be accepted; the message names it.
    """
    if not isinstance(rerun, bool):
        raise InvalidRequestError(
            f"rerun: True or False is wanted, not {validation.truncate_repr(rerun)}"
        )
    job = StartEvaluations(
        _NO_RUN_TEST,
        validate_eval_configs(evaluations_config),
        selection=_selection(latest_executions, started_after),
        on_conflict=validate_on_conflict(on_conflict),
        rerun=rerun,
        enable_tool_evaluation=validation.optional_bool(
            enable_tool_evaluation, "enable_tool_evaluation"
        ),
    )
    return build_requests(
        run_tests,
        lambda each: attrs.evolve(
            job, run_test_id=_id_of(each), run_test_name=_name_of(each)
        ),
        "run_tests",
    )


def watching(run_tests: RunTestRefs) -> Requests[Started]:
    """Make the jobs that look how far each run test is.

    Raises:
        InvalidRequestError: an id in a collection is none; the message names it.
    """
    return build_requests(
        run_tests,
        lambda each: WatchEvals(_id_of(each), run_test_name=_name_of(each)),
        "run_tests",
    )


_NO_RUN_TEST = "00000000-0000-0000-0000-000000000000"


def _id_of(run_test: Any) -> Any:
    return run_test.id if _is_whole(run_test) else run_test


def _name_of(run_test: Any) -> str | None:
    return run_test.name if _is_whole(run_test) else None


def _is_whole(run_test: Any) -> TypeGuard[RunTestEntry | RunTest]:
    return isinstance(run_test, RunTestEntry | RunTest)


def _selection(latest_executions: Any, started_after: Any) -> Selection:
    is_count = (
        isinstance(latest_executions, int)
        and not isinstance(latest_executions, bool)
        and latest_executions > 0
    )
    if latest_executions is not None and not is_count:
        raise InvalidRequestError(
            f"latest_executions: a whole number from 1 is wanted, not {validation.truncate_repr(latest_executions)}"
        )
    if started_after is not None:
        _check_moment(started_after)
    return Selection(latest_executions, started_after)


def _check_moment(value: Any) -> None:
    if not isinstance(value, dt.datetime):
        raise InvalidRequestError(
            f"started_after: a datetime is wanted, not {validation.describe_type(value)}"
        )
    if value.utcoffset() is None:
        raise InvalidRequestError(
            "started_after: the datetime has no time zone; add one, as "
            "datetime.now(timezone.utc) has"
        )
