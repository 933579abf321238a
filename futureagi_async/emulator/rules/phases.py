"""The phases of runs, reruns and evaluations, as the service's workers make them.

Every phase is a process of `Workers`: it changes rows, and yields the time at which it
goes on.
"""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING

import attrs

from futureagi_async.emulator.cells import is_failed
from futureagi_async.emulator.rows import Call
from futureagi_async.emulator.rules.evaluations import evaluate


if TYPE_CHECKING:
    from collections.abc import Sequence

    from futureagi_async.emulator.filling import Turn
    from futureagi_async.emulator.rows import EvalConfig, Execution, RunTest
    from futureagi_async.emulator.rules.workers import Process, Workers


_RUN, _MONITOR, _EVALUATIONS, _CANCELLATION = "run", "monitor", "evaluations", "cancel"
"""The parts of the work on an execution; the work on a call has the call's id."""

_CALL_SECONDS = 40
"""How long a call of a run lasts, as its row has it."""

_TALK: Sequence[Turn] = (
    ("user", "Hello, I have a question about my order."),
    ("assistant", "Of course. May I have its number?"),
    ("user", "It is four two seven one."),
    ("assistant", "Thank you, it is on its way and arrives tomorrow."),
)
"""What is said in a call of a run."""

_NOT_TALKED = frozenset({"pending", "queued", "ongoing"})
"""The statuses of a call that was not talked to its end."""


def start_run(workers: Workers, run_test: RunTest, execution: Execution) -> None:
    """Have an execution run that is pending."""
    run = _text_run if run_test.is_text else _voice_run
    workers.begin_workflow(execution)
    workers.start(execution, _RUN, run(workers, run_test, execution))


def start_calls(
    workers: Workers, run_test: RunTest, execution: Execution, calls: Sequence[Call]
) -> None:
    """Have calls made and evaluated, each a little later than the one before."""
    for begin, call in _one_by_one(workers, calls):
        process = _voice_call(workers, run_test, execution, call)
        workers.start(execution, call.id, _from(begin, process))


def start_evaluations(
    workers: Workers, run_test: RunTest, execution: Execution, calls: Sequence[Call]
) -> None:
    """Have calls evaluated that lost their results, likewise."""
    for begin, call in _one_by_one(workers, calls):
        process = _evaluate_call(workers, run_test, execution, call)
        workers.start(execution, call.id, _from(begin, process))


def start_pending_evaluations(
    workers: Workers,
    run_test: RunTest,
    executions: Sequence[Execution],
    config_ids: Sequence[str],
) -> None:
    """Have the pending cells of eval configs evaluated, call by call."""
    for execution in executions:
        process = _evaluate_pending(workers, run_test, execution, config_ids)
        workers.start(execution, _EVALUATIONS, process)


def start_cancellation(workers: Workers, execution: Execution) -> None:
    """Have the workflow of an execution stop, and clean up after a while."""
    workers.give_up(execution)
    workers.begin_workflow(execution)
    workers.start(execution, _CANCELLATION, _clean_up(workers, execution))


def cancel_now(workers: Workers, execution: Execution) -> None:
    """Cancel an execution with the calls that were not talked to their ends."""
    for call in execution.live_calls():
        if call.status in _NOT_TALKED:
            call.status = "cancelled"
    execution.status, execution.completed_at = "cancelled", workers.stamp()


def add_calls(workers: Workers, run_test: RunTest, execution: Execution) -> None:
    """Add the calls of a run: one for every row of each scenario, at least one.

    Ids that are no scenario of the run test make no call.
    """
    rows = {scenario.id: scenario.row_count for scenario in run_test.scenarios}
    for scenario_id in dict.fromkeys(execution.scenarios or rows):
        for _ in range(max(1, rows[scenario_id]) if scenario_id in rows else 0):
            call = Call(str(uuid.uuid4()), "pending", scenario=scenario_id)
            call.started_at = call.transcript = None
            call.created_at = call.updated_at = workers.stamp()
            execution.calls.append(call)
            workers.world.run_tests.adopt(run_test, call)
    execution.total_calls = len(execution.calls)


def _voice_run(workers: Workers, run_test: RunTest, execution: Execution) -> Process:
    """Prepare the calls of a run, and have them made."""
    yield workers.now + workers.settings.call_seconds
    add_calls(workers, run_test, execution)
    start_calls(workers, run_test, execution, execution.live_calls())


def _voice_call(
    workers: Workers, run_test: RunTest, execution: Execution, call: Call
) -> Process:
    """Make a call, and evaluate it."""
    execution.status = "running"
    call.status, call.started_at = "ongoing", workers.stamp()
    yield workers.now + workers.settings.call_seconds
    _end_talk(workers, call, "analyzing")
    if not any(each.status in _NOT_TALKED for each in execution.live_calls()):
        execution.status = "evaluating"
    yield from _evaluate_call(workers, run_test, execution, call)


def _text_run(workers: Workers, run_test: RunTest, execution: Execution) -> Process:
    """Make the calls of a text agent, and evaluate them config by config.

    What sets the status of the execution is a monitor that looks now and then.
    """
    began = workers.now
    yield began + workers.settings.call_seconds
    execution.status = "running"
    calls = execution.live_calls()
    for end, call in _one_by_one(workers, calls):
        call.status, call.started_at = "ongoing", workers.stamp()
        yield end
        _end_talk(workers, call, "completed")
    execution.completed_calls = len(calls)
    seen = _next_look(workers, began)
    workers.start(execution, _MONITOR, _begin_evaluating(execution, seen))
    for config in _load(run_test, [each.id for each in run_test.live_configs()]):
        for end, call in [(workers.evaluate(), call) for call in calls]:
            yield end
            _store(workers, run_test, call, config)
    yield seen
    yield _next_look(workers, began)
    if workers.is_last(execution, _RUN):
        execution.status = "completed"


def _end_talk(workers: Workers, call: Call, status: str) -> None:
    """Store what a call left behind when it was talked to its end."""
    call.status = status
    call.duration_seconds, call.transcript = _CALL_SECONDS, _TALK
    call.updated_at = workers.stamp()


def _next_look(workers: Workers, began: float) -> float:
    """Return when the monitor looks next at an execution that it watches."""
    pause = workers.settings.monitor_seconds
    if not pause:
        return workers.now
    return began + pause * (math.floor((workers.now - began) / pause) + 1)


def _begin_evaluating(execution: Execution, seen: float) -> Process:
    """Have the monitor see that all calls have ended."""
    yield seen
    execution.status = "evaluating"


def _evaluate_call(
    workers: Workers, run_test: RunTest, execution: Execution, call: Call
) -> Process:
    """Evaluate a call config by config; the last one completes the execution."""
    call.status = "analyzing"
    for config in _load(run_test, [each.id for each in run_test.live_configs()]):
        yield workers.evaluate()
        _store(workers, run_test, call, config, with_status=False)
    call.status = "completed"
    call.completed_at = call.updated_at = workers.stamp()
    if workers.is_last(execution, call.id):
        statuses = [each.status for each in execution.live_calls()]
        execution.status, execution.completed_at = "completed", workers.stamp()
        execution.completed_calls = statuses.count("completed")
        execution.failed_calls = statuses.count("failed")


def _evaluate_pending(
    workers: Workers, run_test: RunTest, execution: Execution, config_ids: Sequence[str]
) -> Process:
    """Store the results of pending cells, and complete their execution.

    The service counts completed calls alone: an execution without one is evaluating
    for ever.
    """
    configs = _load(run_test, config_ids)
    cells = [
        (workers.evaluate(), call, config)
        for call in execution.live_calls()
        for config in configs
    ]
    stored = False
    for end, call, config in cells:
        if end > workers.now:
            yield end
        stored |= _store(workers, run_test, call, config)
    statuses = {call.status for call in execution.live_calls()}
    is_last = workers.is_last(execution, _EVALUATIONS)
    # What stores a result looks whether all are there; without one nobody does.
    if stored and is_last and "completed" in statuses:
        execution.status = "completed"


def _clean_up(workers: Workers, execution: Execution) -> Process:
    """Have a workflow that was cancelled clean up."""
    yield workers.now + workers.settings.call_seconds
    cancel_now(workers, execution)


def _one_by_one(workers: Workers, calls: Sequence[Call]) -> list[tuple[float, Call]]:
    """Return calls with the times at which they begin, evenly over one call's time."""
    step = workers.settings.call_seconds / max(1, len(calls))
    return [
        (workers.now + step * place, call) for place, call in enumerate(calls, start=1)
    ]


def _from(begin: float, process: Process) -> Process:
    """Return a process that begins later."""
    yield begin
    yield from process


def _load(run_test: RunTest, config_ids: Sequence[str]) -> list[EvalConfig]:
    """Return copies of the eval configs that are not deleted, oldest first."""
    return [
        attrs.evolve(config)
        for config in run_test.eval_configs
        if config.id in config_ids and not config.deleted
    ]


def _store(
    workers: Workers,
    run_test: RunTest,
    call: Call,
    loaded: EvalConfig,
    *,
    with_status: bool = True,
) -> bool:
    """Store the result of an evaluation, unless its eval config was deleted.

    Args:
        workers: who made it.
        run_test: whose call it is.
        call: what was evaluated.
        loaded: the config as it was when the evaluation began.
        with_status: whether a result has a status of its own; those of voice runs and
            of reruns have none.

    Returns:
        Whether there was a result to store.
    """
    config = next(each for each in run_test.eval_configs if each.id == loaded.id)
    if workers.settings.restore_configs:
        for field in attrs.fields(type(config)):
            setattr(config, field.name, getattr(loaded, field.name))
    if config.deleted:
        return False
    cell = evaluate(workers.world, config, call)
    call.eval_outputs = {**(call.eval_outputs or {}), config.id: cell}
    if not cell.get("skipped"):
        config.status = loaded.status = "Failed" if is_failed(cell) else "Completed"
        if not with_status:
            cell.pop("status", None)
    return True
