"""Validation of the inputs of an evaluation, before anything is sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.endpoints.eval_config import (
    EncodedEvalConfigs,
    validate_eval_configs,
)
from futureagi_async.endpoints.get_run_test import RunTest
from futureagi_async.endpoints.list_run_tests import RunTestEntry
from futureagi_async.errors import ConfigurationError, InvalidRequestError
from futureagi_async.evaluation.ensure_configs import validate_on_conflict
from futureagi_async.evaluation.overview import ALL_EXECUTIONS, ExecutionFilter
from futureagi_async.evaluation.poller import STUCK_AFTER
from futureagi_async.model import validation
from futureagi_async.model.request import build_requests
from futureagi_async.model.resource import RunTestRef, RunTestRefs
from futureagi_async.transport.settings import positive_int, positive_seconds


if TYPE_CHECKING:
    from collections.abc import Mapping

    from futureagi_async.batch.config import BatchConfig
    from futureagi_async.endpoints.eval_config import EvalConfig
    from futureagi_async.endpoints.list_eval_templates import EvalTemplate
    from futureagi_async.evaluation.ensure_configs import OnConflict


@attrs.frozen
class RunTestInput:
    """A run test of the input: its id, and its name if that is known."""

    run_test_id: str = attrs.field(converter=validation.run_test_id)
    name: str | None = None

    @classmethod
    def of(cls, run_test: RunTestRef) -> RunTestInput:
        """Return the id and the name of a run test.

        Raises:
            InvalidRequestError: it is neither an id nor a run test.
        """
        if isinstance(run_test, RunTestEntry | RunTest):
            return cls(run_test, run_test.name)
        return cls(run_test)


def run_test_inputs(run_tests: RunTestRefs) -> Any:
    """Return the id, and the name if it is known, of each run test.

    An invalid item of an iterator becomes an `InvalidItem` when it is read.

    Raises:
        InvalidRequestError: an id in a collection is invalid; the message names it.
    """
    make: Any = RunTestInput.of
    return build_requests(run_tests, make, "run_tests")


@attrs.frozen(kw_only=True)
class EvaluationSpec:
    """Specification of what is requested for each run test.

    Attributes:
        configs: the eval configs.
        execution_filter: the executions.
        on_conflict: what to do with eval configs that have other content.
        rerun: whether to start also what has results.
        enable_tool_evaluation: as for `RunNewEvals`.
        execute: whether each run test is executed, and that execution evaluated.
        check_mappings: whether mappings are checked against the templates.
    """

    configs: EncodedEvalConfigs
    execution_filter: ExecutionFilter = ALL_EXECUTIONS
    on_conflict: OnConflict = "raise"
    rerun: bool = False
    enable_tool_evaluation: bool | None = None
    execute: bool = False
    check_mappings: bool = True

    @property
    def spends_each_time(self) -> bool:
        """Whether a run test that comes twice would be paid for twice."""
        return self.rerun or self.execute

    @classmethod
    def of(
        cls,
        configs: Iterable[EvalConfig | Mapping[str, Any]],
        *,
        on_conflict: OnConflict,
        rerun: bool,
        latest_executions: int | None,
        started_after: dt.datetime | None,
        enable_tool_evaluation: bool | None,
        execute: bool = False,
        check_mappings: bool = True,
    ) -> EvaluationSpec:
        """Validate what is requested.

        Raises:
            InvalidRequestError: a value could never be accepted; the message names it.
        """
        execution_filter = _execution_filter(latest_executions, started_after)
        if _bool(execute, "execute") and (
            _bool(rerun, "rerun") or execution_filter.is_set
        ):
            raise InvalidRequestError(
                "execute: a new execution is evaluated, and no other; leave out rerun, "
                "latest_executions and started_after"
            )
        return cls(
            configs=validate_eval_configs(configs, "configs"),
            execution_filter=execution_filter,
            on_conflict=validate_on_conflict(on_conflict),
            rerun=_bool(rerun, "rerun"),
            execute=execute,
            check_mappings=_bool(check_mappings, "check_mappings"),
            enable_tool_evaluation=validation.optional_bool(
                enable_tool_evaluation, "enable_tool_evaluation"
            ),
        )


def _bool(value: Any, location: str) -> bool:
    if isinstance(value, bool):
        return value
    raise InvalidRequestError(
        f"{location}: True or False is expected, not {validation.truncate_repr(value)}"
    )


def _execution_filter(latest_executions: Any, started_after: Any) -> ExecutionFilter:
    is_count = (
        isinstance(latest_executions, int)
        and not isinstance(latest_executions, bool)
        and latest_executions > 0
    )
    if latest_executions is not None and not is_count:
        raise InvalidRequestError(
            "latest_executions: a whole number from 1 is expected, not "
            f"{validation.truncate_repr(latest_executions)}"
        )
    if started_after is not None:
        _check_datetime(started_after)
    return ExecutionFilter(latest_executions, started_after)


def _check_datetime(value: Any) -> None:
    if not isinstance(value, dt.datetime):
        raise InvalidRequestError(
            f"started_after: a datetime is expected, not {validation.describe_type(value)}"
        )
    if value.utcoffset() is None:
        raise InvalidRequestError(
            "started_after: the datetime has no time zone; add one, as "
            "datetime.now(timezone.utc) has"
        )


@attrs.frozen
class EvaluationSettings:
    """Options of an evaluation.

    Attributes:
        batch: as for every batch.
        poll_interval: seconds until the first poll.
        spec: what is requested for each run test; `None` to wait only.
        waits: whether to wait for the results of what was started.
        max_in_progress: how many run tests may be under way at a time; `None` for all.
        stuck_after: seconds without a change after which an execution that still has
            the status "evaluating" is believed to be finished or stuck.
        includes_calls: whether the report has the results of each call.
        templates: the eval templates that the client has read, by their ids.
    """

    batch: BatchConfig
    poll_interval: float
    spec: EvaluationSpec | None = None
    waits: bool = True
    max_in_progress: int | None = None
    stuck_after: float = STUCK_AFTER
    includes_calls: bool = False
    templates: dict[str, EvalTemplate] = attrs.field(
        factory=dict, eq=False, hash=False, repr=False
    )

    @classmethod
    def of(
        cls,
        batch: BatchConfig,
        *,
        poll_interval: float | dt.timedelta,
        spec: EvaluationSpec | None = None,
        waits: bool = True,
        max_in_progress: int | None = None,
        stuck_after: float | dt.timedelta = STUCK_AFTER,
        includes_calls: bool = False,
        templates: dict[str, EvalTemplate] | None = None,
    ) -> EvaluationSettings:
        """Validate the options of an evaluation.

        Raises:
            ConfigurationError: one of them cannot work.
        """
        poll_interval = positive_seconds(poll_interval, "poll_interval")
        if not isinstance(waits, bool):
            raise ConfigurationError(
                f"wait: True or False is expected, not {validation.describe_type(waits)}"
            )
        if waits and batch.timeout is None:
            raise ConfigurationError(
                "timeout: a duration is expected, since evaluations can stay unfinished "
                "for ever" + ("; None is possible with wait=False only" if spec else "")
            )
        if max_in_progress is not None:
            positive_int(max_in_progress, "max_in_progress")
        if not isinstance(includes_calls, bool):
            raise ConfigurationError(
                "include_calls: True or False is expected, not "
                f"{validation.describe_type(includes_calls)}"
            )
        return cls(
            batch,
            poll_interval,
            spec,
            waits,
            max_in_progress,
            positive_seconds(stuck_after, "stuck_after"),
            includes_calls,
            {} if templates is None else templates,
        )
