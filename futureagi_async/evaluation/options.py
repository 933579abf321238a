"""The options of `evaluate` and `stream_evaluations`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, TypedDict

from futureagi_async import evaluation
from futureagi_async.batch.options import SharedOptions


class _RequiredOptions(TypedDict):
    timeout: float | timedelta | None


class EvaluationOptions(_RequiredOptions, SharedOptions, total=False):
    """Options of `evaluate` and `stream_evaluations`: `SharedOptions`, and these.

    The journal records everything that is added, changed and started, so that work in
    flight when a process died is reconciled, and `rerun` starts nothing a second time.
    Use another journal for another run.

    Attributes:
        timeout: seconds after which nothing more is started and nothing is waited for.
            Evaluations that were started go on at the service. `None` only without
            `wait`.
        rerun: whether to evaluate again what has results, which erases earlier results
            at once and is charged again. A run test that the input has twice is run
            again once; a stream, which forgets finished run tests, runs it again if it
            comes after its first evaluation was returned.
        on_conflict: as for `ensure_eval_configs`.
        latest_executions: how many of the completed executions of each run test are
            evaluated, the newest first; by default all of them.
        started_after: only executions that began after this moment, which has a time
            zone.
        enable_tool_evaluation: as for `RunNewEvals`; the service stores it.
        execute: whether each run test is executed first: its calls are simulated and
            paid for, waited for within `timeout`, and evaluated; the report is about that
            execution alone. With a journal, a repetition after a kill goes on with the
            execution that was started; without one it starts another. A run test that the input has twice is
            executed once, in a stream only while it is in progress.
        check_mappings: whether each mapping is checked against the required inputs of
            its template before anything is sent; the list of templates is read once by
            a client.
        wait: whether to wait for the results, or only to start the evaluations.
        poll_interval: seconds before a run test is polled for the first time; the
            interval grows. Among many, a few are polled until the first have ended, and
            the others when they can be finished, as those were.
        stuck_after: seconds after which an execution in which nothing has changed is
            believed to be finished, or stuck, whatever its status is. The
            service's slowest monitor visits it once in 60 seconds.
        include_calls: whether the report has the results of each call with their
            reasons: some 2 kB of memory for each of them.
        max_in_progress: how many run tests are in progress at a time.
    """

    rerun: bool
    on_conflict: evaluation.ensure_configs.OnConflict
    latest_executions: int | None
    started_after: datetime | None
    enable_tool_evaluation: bool | None
    execute: bool
    check_mappings: bool
    wait: bool
    poll_interval: float | timedelta
    stuck_after: float | timedelta
    include_calls: bool
    max_in_progress: int


EVALUATION_DEFAULTS: Final[dict[str, Any]] = {
    "rerun": False,
    "on_conflict": "raise",
    "execute": False,
    "check_mappings": True,
    "wait": True,
    "poll_interval": 1.0,
    "stuck_after": 60.0,
    "include_calls": False,
    "max_in_progress": 1000,
}
