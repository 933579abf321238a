"""From eval configs to scores: what is run, what is not, and what is reported."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import time

import attrs
import pytest

from futureagi_async import (
    AuthenticationError,
    Delivery,
    EvalConfig,
    EvalConfigsDifferError,
    EvalDispatchError,
    EvaluationStatus,
    ExecutionsNotCompletedError,
    InvalidRequestError,
    NotAttemptedError,
    NotFoundError,
    PaymentRequiredError,
)
from futureagi_async.emulator.rows import Call, Execution
from futureagi_async.emulator.rules.evaluations import erase_results
from futureagi_async.emulator.rules.phases import start_pending_evaluations
from futureagi_async.evaluation.conclusion import conclude
from futureagi_async.evaluation.start import RunTestState
from futureagi_async.types import EnsuredEvalConfigs, EvalConfigOrigin


NOWHERE = "99999999-9999-4999-8999-999999999999"
LONG = {"timeout": 60, "poll_interval": 0.01}

SCORED = EvaluationStatus.SCORED
FAILED = EvaluationStatus.FAILED


def states(report):
    return [each.status for each in report]


def assert_scores_are_the_services(client, report):
    """Hold the scores of whole run tests against the summaries of the service."""
    for each in report:
        summaries = {
            config.id: config.scores
            for config in client.get_eval_summary(each.run_test_id).configs
        }
        assert {c.eval_config_id: c.scores for c in each.configs} == summaries


def mark_pending(run_test, *names):
    """Remove all results of these eval configs from a run test."""
    ids = {each.id for each in run_test.eval_configs if each.name in names}
    for _, call in run_test.calls():
        for id_ in ids & call.eval_outputs.keys():
            del call.eval_outputs[id_]


def outputs(run_test):
    """All results of a run test, by execution."""
    return [
        [dict(call.eval_outputs) for call in execution.calls]
        for execution in run_test.executions
    ]


def test_every_run_test_is_scored_and_run_once(
    call, client, emulator, run_test_ids, configs
):
    report = call("evaluate", run_test_ids, configs, **LONG)

    assert states(report) == [SCORED] * 8
    assert [each.run_test_id for each in report] == run_test_ids
    assert emulator.log.runs == dict.fromkeys(run_test_ids, 1)
    assert emulator.log.configs == dict.fromkeys(run_test_ids, 3)
    assert_scores_are_the_services(client, report)
    first = report[0]
    assert first.run_test_name == "run test 0"
    assert (first.requests, first.executions) == (1, 2)
    assert (first.reason, first.error, first.warnings) == ("", None, ())
    assert [(c.name, c.origin, c.evaluated) for c in first.configs] == [
        ("mood", EvalConfigOrigin.CREATED, 4),
        ("contains", EvalConfigOrigin.CREATED, 4),
        ("similar", EvalConfigOrigin.CREATED, 4),
    ]
    assert first.configs[0].choices is not None
    assert first.configs[1].pass_rate is not None
    assert first.configs[2].average is not None
    assert report.raise_for_failures() is report


def test_the_second_time_nothing_is_written(
    call, client, emulator, run_test_ids, configs
):
    first = call("evaluate", run_test_ids, configs, **LONG)
    emulator.log.clear()

    again = call("evaluate", run_test_ids, configs, **LONG)

    assert {each.method for each in emulator.log.requests} == {"GET"}
    assert states(again) == [SCORED] * 8
    assert [each.requests for each in again] == [0] * 8
    assert again[0].configs[0].origin is EvalConfigOrigin.EXISTING
    assert [[c.scores for c in each.configs] for each in again] == [
        [c.scores for c in each.configs] for each in first
    ]


def test_only_what_is_missing_is_run(call, client, emulator, run_tests, configs):
    one = run_tests[0]
    call("evaluate", [one.id], configs[:1], **LONG)
    before = outputs(one)

    report = call("evaluate", [one.id], configs, **LONG)

    assert states(report) == [SCORED]
    assert emulator.log.runs[one.id] == 2
    for execution, earlier in zip(outputs(one), before, strict=True):
        for now, then in zip(execution, earlier, strict=True):
            assert now.items() >= then.items()
            assert len(now) == 3


def test_a_rerun_runs_everything_once_more(call, emulator, run_test_ids, configs):
    call("evaluate", run_test_ids, configs, **LONG)

    report = call("evaluate", run_test_ids, configs, rerun=True, **LONG)

    assert states(report) == [SCORED] * 8
    assert emulator.log.runs == dict.fromkeys(run_test_ids, 2)
    assert [each.requests for each in report] == [1] * 8


@pytest.mark.parametrize("rerun", [False, True])
def test_a_duplicate_run_test_is_run_once(call, emulator, run_test_ids, configs, rerun):
    one = run_test_ids[0]
    spelled = [one, one.upper(), one.replace("-", ""), one]

    report = call("evaluate", spelled, configs, rerun=rerun, **LONG)

    assert states(report) == [SCORED] * 4
    assert {each.run_test_id for each in report} == {one}
    assert emulator.log.runs == {one: 1}
    assert emulator.log.configs == {one: 3}
    assert sum(each.requests for each in report) == 1


def test_a_report_runs_a_duplicate_once_even_after_the_first_is_finished(
    call, emulator, run_test_ids, configs
):
    one, other = run_test_ids[:2]
    options = {"rerun": True, "max_in_progress": 1, **LONG}

    report = call("evaluate", iter([one, other, one]), configs, **options)

    assert emulator.log.runs == {one: 1, other: 1}
    first, _, again = report
    assert again == attrs.evolve(first, requests=0)


def test_a_stream_runs_a_duplicate_once_while_the_first_is_in_progress(
    call, emulator, run_test_ids, configs, leave
):
    leave("run", 0.3)
    one = run_test_ids[0]

    ends = call("stream_evaluations", iter([one] * 3), configs, rerun=True, **LONG)

    assert [each.run_test_id for each in ends] == [one] * 3
    assert states(ends) == [SCORED] * 3
    assert emulator.log.runs == {one: 1}
    assert [each.requests for each in ends] == [1, 0, 0]


def test_a_stream_runs_a_duplicate_again_after_the_first_is_finished(
    call, emulator, run_test_ids, configs
):
    one = run_test_ids[0]
    options = {"rerun": True, "max_in_progress": 1, **LONG}

    ends = call("stream_evaluations", iter([one] * 3), configs, **options)

    assert states(ends) == [SCORED] * 3
    assert emulator.log.runs == {one: 3}


def test_a_rerun_with_its_journal_starts_nothing_a_second_time(
    call, emulator, run_test_ids, configs, journal
):
    options = {"rerun": True, "journal": journal, **LONG}
    call("evaluate", run_test_ids, configs, **options)
    emulator.log.clear()

    again = call("evaluate", run_test_ids, configs, **options)

    assert states(again) == [SCORED] * 8
    assert {each.method for each in emulator.log.requests} == {"GET"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"latest_executions": 1}, [False, True]),
        ({"latest_executions": 2}, [True, True]),
        ({"started_after": dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)}, [False, True]),
        ({"started_after": dt.datetime(2026, 3, 1, tzinfo=dt.UTC)}, [False, False]),
    ],
)
def test_only_the_chosen_executions_are_run(
    call, run_tests, configs, options, expected
):
    (end,) = call("evaluate", [run_tests[0].id], configs, **options, **LONG)

    assert [bool(each[0]) for each in outputs(run_tests[0])] == expected
    assert end.executions == sum(expected)
    assert end.status is (
        SCORED if any(expected) else EvaluationStatus.NOTHING_TO_EVALUATE
    )
    assert {each.evaluated for each in end.configs} == {2 * sum(expected)}


def test_executions_that_did_not_complete_are_left_out(call, run_tests, configs):
    one = run_tests[0]
    for state in ("failed", "running", "pending", "cancelled"):
        one.executions[0].status = state

        (end,) = call("evaluate", [one.id], configs, **LONG)

        assert end.status is SCORED
        assert end.executions == 1
        assert end.warnings == (
            f"1 {state} execution was left out: {one.executions[0].id}",
        )
    assert [bool(each[0]) for each in outputs(one)] == [False, True]


def test_an_execution_without_a_completed_call_is_left_out_with_a_warning(
    call, run_tests, configs
):
    one = run_tests[0]
    for each in one.executions[0].calls:
        each.status = "failed"

    (end,) = call("evaluate", [one.id], configs, **LONG)

    assert end.status is SCORED
    assert end.warnings == (
        f"execution {one.executions[0].id} has no completed call, and was left out",
    )
    assert one.executions[0].status == "completed"


def test_where_no_call_is_completed_there_is_nothing_to_evaluate(
    call, emulator, run_tests, configs
):
    empty, callless, failed = run_tests[:3]
    empty.executions.clear()
    for each in callless.executions:
        each.calls.clear()
    for _, each in failed.calls():
        each.status = "failed"
    ids = [each.id for each in run_tests[:3]]

    report = call("evaluate", ids, configs, **LONG)

    assert states(report) == [EvaluationStatus.NOTHING_TO_EVALUATE] * 3
    assert not emulator.log.runs
    assert report[0].reason == "no completed execution has a completed call"
    assert report.raise_for_failures() is report
    assert [len(each.warnings) for each in report] == [0, 2, 2]


def test_calls_that_failed_beside_completed_ones_do_not_count(
    call, client, run_tests, configs
):
    run_tests[0].executions[0].calls[0].status = "failed"

    report = call("evaluate", [run_tests[0].id], configs, **LONG)

    assert states(report) == [SCORED]
    assert {each.evaluated for each in report[0].configs} == {3}
    assert_scores_are_the_services(client, report)


def test_an_execution_with_partial_results_is_not_run(
    call, client, emulator, run_tests, configs
):
    one = run_tests[0]
    call("evaluate", [one.id], configs[:1], **LONG)
    one.executions[0].calls[0].eval_outputs.clear()
    erase_in = one.executions[1]
    for each in erase_in.calls:
        each.eval_outputs.clear()
    emulator.log.clear()

    (end,) = call("evaluate", [one.id], configs[:1], **LONG)

    # What has no result at all is run; what has some is neither erased nor billed.
    assert end.status is EvaluationStatus.PARTIAL
    assert "rerun=True" in end.reason
    assert (end.configs[0].evaluated, end.configs[0].pending) == (3, 1)
    assert emulator.log.runs == {one.id: 1}

    (rerun,) = call("evaluate", [one.id], configs[:1], rerun=True, **LONG)

    assert rerun.status is SCORED
    assert rerun.configs[0].evaluated == 4


def test_prepared_evaluations_that_were_never_started_are_started(
    call, emulator, run_tests, configs
):
    emulator.faults.add("dispatch", endpoint="run_new_evals", times=3)
    ids = [run_tests[0].id]

    (failed,) = call("evaluate", ids, configs, **LONG)
    (end,) = call("evaluate", ids, configs, **LONG)

    assert failed.status is FAILED
    assert isinstance(failed.error, EvalDispatchError)
    assert failed.error.delivery is Delivery.REJECTED
    assert failed.requests == 0
    assert {each.pending for each in failed.configs} == {4}
    assert end.status is SCORED
    assert emulator.log.runs == {ids[0]: 1}


def test_a_dispatch_that_fails_once_is_tried_again(
    call, emulator, run_test_ids, configs
):
    emulator.faults.add("dispatch", endpoint="run_new_evals", times=1)

    report = call("evaluate", run_test_ids[:1], configs, **LONG)

    assert states(report) == [SCORED]
    assert emulator.log.runs == {run_test_ids[0]: 1}


def test_a_run_test_under_way_at_the_deadline_is_pending(
    call, leap_when_seen, run_test_ids, configs, leave
):
    leave("accept")
    leap_when_seen(8)

    report = call("evaluate", run_test_ids, configs, timeout=3600, poll_interval=0.01)

    assert states(report) == [EvaluationStatus.PENDING] * 8
    for each in report:
        why, *seen = each.reason.split("; ")
        assert why == "not waited for any longer: the deadline of the batch has passed"
        assert len(seen) == 2
        for told in seen:
            assert "was evaluating when last read with 2 completed of 2 calls" in told
    assert {each.requests for each in report} == {1}
    assert {c.pending for each in report for c in each.configs} == {4}
    assert len(report.failures) == 8


def test_without_wait_evaluations_are_started_and_can_be_waited_for_later(
    call, emulator, run_test_ids, configs
):
    started = call("evaluate", run_test_ids, configs, timeout=60, wait=False)
    waited = call("wait_for_evals", run_test_ids, **LONG)
    again = call("evaluate", run_test_ids, configs, timeout=None, wait=False)

    assert states(started) == [EvaluationStatus.STARTED] * 8
    assert all("wait=False" in each.reason for each in started)
    assert started.raise_for_failures() is started
    assert states(waited) == states(again) == [SCORED] * 8
    assert emulator.log.runs == dict.fromkeys(run_test_ids, 1)


def test_without_wait_what_others_evaluate_counts_as_started(
    call, emulator, run_test_ids, configs, leave
):
    leave("accept")
    call("evaluate", run_test_ids[:1], configs, timeout=None, wait=False)

    (end,) = call("evaluate", run_test_ids[:1], configs, timeout=None, wait=False)

    assert end.status is EvaluationStatus.STARTED
    assert (end.requests, emulator.log.runs[run_test_ids[0]]) == (0, 1)


def test_without_wait_a_run_test_blocked_by_others_is_not_started(
    call, emulator, run_test_ids, configs, leave
):
    leave("accept")
    call("evaluate", run_test_ids[:1], configs[:1], timeout=None, wait=False)

    (end,) = call("evaluate", run_test_ids[:1], configs[1:], timeout=None, wait=False)

    assert end.status is EvaluationStatus.NOT_STARTED
    assert "others have evaluations under way" in end.reason
    assert emulator.log.runs[run_test_ids[0]] == 1


def test_without_wait_a_run_test_with_all_results_is_scored_while_others_evaluate(
    call, run_test_ids, configs, leave
):
    call("evaluate", run_test_ids[:1], configs[:1], **LONG)
    leave("accept")
    call("evaluate", run_test_ids[:1], configs[1:], timeout=None, wait=False)

    (end,) = call("evaluate", run_test_ids[:1], configs[:1], timeout=None, wait=False)

    assert end.status is SCORED
    assert (end.requests, end.configs[0].evaluated) == (0, 4)


@pytest.fixture
def equipped(client, run_tests, configs):
    """A run test that has the eval configs, and no results."""
    client.ensure_eval_configs(run_tests[0].id, configs)
    return run_tests[0]


def started_by_others(emulator, run_test, config_ids, seconds=0.0):
    """Have another client start evaluations that take so many seconds from then on."""
    erase_results(run_test.executions, config_ids)
    for each in run_test.executions:
        each.status = "evaluating"
    workers = emulator.state.service.workers
    workers.work_until(time.time())
    workers.settings.evaluation_seconds = seconds
    start_pending_evaluations(workers, run_test, run_test.executions, config_ids)


@pytest.mark.parametrize("rerun", [False, True])
def test_missing_evaluations_are_started_after_those_of_others(
    call, emulator, equipped, configs, rerun
):
    theirs = [equipped.eval_configs[0].id]
    started_by_others(emulator, equipped, theirs, seconds=0.05)

    (end,) = call("evaluate", [equipped.id], configs, rerun=rerun, **LONG)

    assert end.status is SCORED
    assert end.requests == 1
    assert emulator.log.runs == {equipped.id: 1}
    assert {each.evaluated for each in end.configs} == {4}


def test_evaluations_that_others_start_in_between_are_waited_for(
    call, emulator, equipped, configs, when_served
):
    theirs = [equipped.eval_configs[0].id]
    when_served(
        lambda _: started_by_others(emulator, equipped, theirs, 0.05), "run-new-evals"
    )

    (end,) = call("evaluate", [equipped.id], configs, **LONG)

    assert end.status is SCORED
    assert emulator.log.counts["run_new_evals", 400] == 1
    assert emulator.log.counts["run_new_evals", 200] == 1


def test_evaluations_prepared_a_moment_ago_are_not_started_at_once(
    call, emulator, equipped, configs, when_served
):
    ids = [each.id for each in equipped.eval_configs]
    erase_results(equipped.executions, ids)
    readings = itertools.count()

    def start_after_the_first_reading(_):
        if next(readings) == 1:
            started_by_others(emulator, equipped, ids, 0.02)

    when_served(start_after_the_first_reading, "executions", times=2)

    (end,) = call("evaluate", [equipped.id], configs, **LONG)

    assert end.status is SCORED
    assert not emulator.log.runs


def new_execution(run_test):
    """Have a run test be executed once more."""
    number = len(run_test.executions)
    calls = [Call(f"{number:08x}-cccc-4ccc-8ccc-{each:012x}") for each in range(2)]
    id_ = f"{number:08x}-eeee-4eee-8eee-eeeeeeeeeeee"
    run_test.executions.append(Execution(id_, calls=calls))


def test_executions_that_begin_meanwhile_are_not_evaluated(
    call, emulator, run_tests, configs, when_served
):
    one = run_tests[0]
    when_served(lambda _: new_execution(one), "run-new-evals")

    (end,) = call("evaluate", [one.id], configs, **LONG)
    (following,) = call("evaluate", [one.id], configs, **LONG)

    assert (end.status, end.executions, end.requests) == (SCORED, 2, 1)
    assert {each.evaluated for each in end.configs} == {4}
    assert (following.executions, following.requests) == (3, 1)
    assert {each.evaluated for each in following.configs} == {6}


def test_a_rerun_with_its_journal_runs_new_executions_only(
    call, emulator, run_tests, configs, journal
):
    one = run_tests[0]
    options = {"rerun": True, "journal": journal, **LONG}
    call("evaluate", [one.id], configs, **options)
    for _, each in one.calls():
        each.eval_outputs = {
            id_: {**output, "reason": "the first time"}
            for id_, output in each.eval_outputs.items()
        }
    new_execution(one)

    (end,) = call("evaluate", [one.id], configs, **options)

    assert end.status is SCORED
    new, old = one.executions[2].calls, [c for e in one.executions[:2] for c in e.calls]
    assert all(len(each.eval_outputs) == 3 for each in new)
    assert all(
        output["reason"] == "the first time"
        for each in old
        for output in each.eval_outputs.values()
    )


def test_evaluations_of_others_at_every_start_are_an_error(
    call, emulator, run_tests, configs, when_served
):
    one = run_tests[0]

    def set_status(status):
        for each in one.executions:
            each.status = status

    when_served(lambda _: set_status("evaluating"), "run-new-evals", times=-1)
    when_served(lambda _: set_status("completed"), "executions", times=-1)

    (end,) = call("evaluate", [one.id], configs, **LONG)

    assert end.status is FAILED
    assert isinstance(end.error, ExecutionsNotCompletedError)
    assert emulator.log.counts["run_new_evals", 400] == 3


def test_a_rerun_that_others_block_again_and_again_is_not_started(
    call, emulator, run_tests, configs, when_served
):
    one = run_tests[0]
    call("evaluate", [one.id], configs, **LONG)
    emulator.log.clear()
    plans_and_looks = itertools.count()

    def evaluate_whenever_it_is_planned(request):
        is_count = "status=" in request.query
        is_look = is_count or next(plans_and_looks) % 2
        for each in one.executions:
            each.status = "completed" if is_look else "evaluating"

    when_served(evaluate_whenever_it_is_planned, "executions", times=-1)

    (end,) = call("evaluate", [one.id], configs, rerun=True, **LONG)

    assert end.status is EvaluationStatus.NOT_STARTED
    assert "others evaluate its executions again and again" in end.reason
    assert not emulator.log.runs


@pytest.fixture
def stuck(run_tests, when_served):
    """Set the status of executions to "evaluating"."""
    one = run_tests[0]

    def install(after=lambda: True):
        def stick(_):
            if after():
                for each in one.executions:
                    each.status = "evaluating"

        when_served(stick, "executions", times=-1)
        return one

    return install


def test_a_run_test_with_all_results_is_scored_though_its_status_is_evaluating(
    call, client, emulator, configs, stuck
):
    one = stuck(after=lambda: emulator.log.runs)

    report = call("evaluate", [one.id], configs, **LONG)

    assert states(report) == [SCORED]
    assert_scores_are_the_services(client, report)


def test_a_rerun_with_all_results_is_scored_though_its_status_is_evaluating(
    call, emulator, run_tests, configs, stuck
):
    call("evaluate", [run_tests[0].id], configs, **LONG)
    emulator.log.clear()
    one = stuck(after=lambda: emulator.log.runs)

    (end,) = call("evaluate", [one.id], configs, rerun=True, **LONG)

    assert end.status is SCORED
    assert end.requests == 1


def test_a_stuck_execution_is_read_but_not_run_again(
    call, emulator, run_tests, configs, stuck
):
    call("evaluate", [run_tests[0].id], configs, **LONG)
    one = stuck()
    emulator.log.clear()

    (skipped,) = call("evaluate", [one.id], configs, **LONG)
    (rerun,) = call("evaluate", [one.id], configs, rerun=True, **LONG)

    assert skipped.status is SCORED
    assert rerun.status is EvaluationStatus.STUCK
    assert "the service does not run it again" in rerun.reason
    assert not emulator.log.runs


def test_an_evaluating_execution_without_a_call_is_not_waited_for(
    call, run_tests, configs, emulator
):
    one, other = run_tests[:2]
    for each in (one.executions[0], *other.executions):
        each.calls.clear()
        each.status = "evaluating"

    report = call("evaluate", [one.id, other.id], configs, **LONG)

    assert states(report) == [SCORED, EvaluationStatus.STUCK]
    assert len(report[0].warnings) == 1
    assert "has no completed call" in report[1].reason
    assert "without a change for 0.05 s" in report[1].reason
    assert emulator.log.runs == {one.id: 1}


def test_a_stuck_execution_accepts_no_eval_config_and_is_not_waited_for(
    call, emulator, run_tests, configs, stuck
):
    call("evaluate", [run_tests[0].id], configs[:1], **LONG)
    one = stuck()
    emulator.log.clear()

    (end,) = call("evaluate", [one.id], configs[:2], **LONG)

    assert end.status is EvaluationStatus.STUCK
    assert "accepts no further evaluations" in end.reason
    assert not emulator.log.runs


@pytest.mark.parametrize("dispatch", ["accept", "fail"])
def test_scores_that_a_rerun_has_erased_are_not_shown(
    call, run_test_ids, configs, leave, dispatch
):
    call("evaluate", run_test_ids[:1], configs, **LONG)
    leave(dispatch)

    (end,) = call(
        "evaluate",
        run_test_ids[:1],
        configs,
        rerun=True,
        wait=False,
        timeout=None,
    )

    assert end.status is (EvaluationStatus.STARTED if dispatch == "accept" else FAILED)
    for each in end.configs:
        assert (each.scores, each.evaluated, each.pending) == (None, 0, 4)


def test_a_run_test_that_fails_early_is_named_where_the_input_names_it(
    call, client, emulator, run_test_ids, configs
):
    listed, whole = next(client.list_run_tests()), client.get_run_test(run_test_ids[0])
    emulator.faults.add("status", status=400, endpoint="run_test")

    given = iter([listed, whole, run_test_ids[1], "no id"])
    report = call("evaluate", given, configs, **LONG)

    assert states(report) == [FAILED] * 4
    names = [listed.name, "run test 0", None, None]
    assert [each.run_test_name for each in report] == names


def test_a_config_that_cannot_be_created_makes_the_run_test_incomplete(
    call, run_test_ids, configs
):
    unknown = {"template_id": NOWHERE, "name": "unknown"}

    report = call("evaluate", run_test_ids[:1], [configs[0], unknown], **LONG)

    (end,) = report.failures
    assert end.status is EvaluationStatus.NOT_CREATED
    first, second = report.to_rows()
    assert (first["evaluated"], first["status"]) == (4, "not_created")
    assert second["eval_config_id"] is None
    assert second["reason"].startswith("not created: ")
    assert NOWHERE in second["reason"]
    assert second["reason"] in report.to_markdown()


def test_a_config_that_cannot_be_created_does_not_hold_up_new_executions(
    call, run_tests, configs
):
    unknown = {"template_id": NOWHERE, "name": "unknown"}
    wanted = [configs[0], unknown]
    one = run_tests[0]
    newest = one.executions.pop()
    call("evaluate", [one.id], wanted, **LONG)

    (again,) = call("evaluate", [one.id], wanted, **LONG)
    one.executions.append(newest)
    (more,) = call("evaluate", [one.id], wanted, **LONG)

    assert again.status is more.status is EvaluationStatus.NOT_CREATED
    assert again.run_test_name == one.name
    assert (again.requests, again.configs[0].evaluated) == (0, 2)
    assert (more.requests, more.configs[0].evaluated) == (1, 4)
    assert NOWHERE in more.configs[1].reason


def test_a_warning_about_a_template_is_the_reason_of_its_configs_only(
    call, run_test_ids, configs
):
    elsewhere = NOWHERE.replace("9", "8")
    unknown = [
        {"template_id": NOWHERE.upper(), "name": "one"},
        {"template_id": elsewhere, "name": "other"},
        {"template_id": elsewhere, "name": "again"},
    ]

    (end,) = call("evaluate", run_test_ids[:1], [configs[0], *unknown], **LONG)

    assert [each.reason for each in end.configs] == [
        "",
        f"not created: EvalTemplate with id {NOWHERE} not found",
        f"not created: EvalTemplate with id {elsewhere} not found",
        f"not created: EvalTemplate with id {elsewhere} not found",
    ]
    assert len(end.warnings) == 3


@pytest.mark.parametrize(
    ("warnings", "told"),
    [
        (["name 'one' is odd", "name 'other' is odd"], "name 'one' is odd"),
        ([f"'one' of {NOWHERE}", f"'other' of {NOWHERE}"], f"'one' of {NOWHERE}"),
        (["one is odd", "n must be <= 5"], "one is odd; n must be <= 5"),
    ],
)
def test_the_reason_of_a_missing_config_is_the_warning_that_names_it_or_all(
    warnings, told
):
    ensured = EnsuredEvalConfigs(
        raw={},
        run_test_id=NOWHERE,
        run_test_name="support",
        eval_configs=(),
        warnings=tuple(warnings),
    )
    asked = [EvalConfig(NOWHERE, name="one")]

    state = RunTestState(run_test_id=NOWHERE, ensured=ensured)
    end = conclude(NOWHERE, asked, state, SCORED, 0.0)

    assert end.configs[0].reason == f"not created: {told}"


def test_the_reason_of_a_failed_evaluation_is_reported(call, run_tests, configs):
    one = run_tests[0]
    call("evaluate", [one.id], configs[:1], **LONG)
    broken = {"error": True, "status": "Failed", "output": None, "reason": "too long"}
    for execution in one.executions:
        for each in execution.calls:
            each.eval_outputs = dict.fromkeys(each.eval_outputs, broken)

    report = call("evaluate", [one.id], configs[:1], **LONG)

    (row,) = report.to_rows()
    assert (row["failed"], row["reason"]) == (4, "too long")
    (end,) = report.unscored
    assert end.status is EvaluationStatus.NO_RESULT
    assert "by 'mood' failed or was skipped (too long)" in end.reason
    assert report.failures == [end]


def test_a_config_skipped_for_every_call_has_no_result(call, run_tests, configs):
    one = run_tests[0]
    call("evaluate", [one.id], configs[:1], **LONG)
    skipped = {"skipped": True, "status": "Skipped", "output": None}
    for execution in one.executions:
        for each in execution.calls:
            each.eval_outputs = dict.fromkeys(each.eval_outputs, skipped)

    (end,) = call("wait_for_evals", [one.id], **LONG)

    assert end.status is EvaluationStatus.NO_RESULT
    assert "failed or was skipped; rerun=True" in end.reason


def test_a_duplicate_shares_the_failure_of_the_first_rerun(
    call, emulator, run_test_ids, configs
):
    call("evaluate", run_test_ids[:1], configs, **LONG)
    emulator.faults.add("status", status=400, times=1, endpoint="run_new_evals")

    report = call("evaluate", run_test_ids[:1] * 2, configs, rerun=True, **LONG)

    assert states(report) == [FAILED, FAILED]
    assert report[0].error is report[1].error


def test_a_duplicate_has_the_scores_of_the_first_rerun(
    *, call, client, emulator, run_test_ids, configs, leave, when_served
):
    call("evaluate", run_test_ids[:1], configs[1:2], **LONG)
    leave("run", 0.3)
    client.evaluate(run_test_ids[:1], configs[:1], timeout=None, wait=False)
    template = emulator.world.templates[configs[1]["template_id"]]
    new = {"output_type": "choices", "output": "new", "status": "Completed"}
    when_served(lambda _: setattr(template, "on_run", new), "run-new-evals")

    report = call("evaluate", run_test_ids[:1] * 2, configs[1:2], rerun=True, **LONG)

    assert [each.configs[0].score_text for each in report] == ["new 100 %"] * 2


def test_a_missing_run_test_fails_alone(call, run_test_ids, configs):
    report = call("evaluate", [NOWHERE, run_test_ids[0]], configs, **LONG)

    assert states(report) == [FAILED, SCORED]
    assert isinstance(report[0].error, NotFoundError)
    assert [each.name for each in report[0].configs] == ["mood", "contains", "similar"]


def test_an_unknown_template_is_a_warning_and_has_no_scores(
    call, run_test_ids, configs
):
    unknown = {"template_id": NOWHERE, "name": "unknown"}

    (end,) = call("evaluate", run_test_ids[:1], [unknown, configs[0]], **LONG)

    assert end.warnings == (f"EvalTemplate with id {NOWHERE} not found",)
    lost, found = end.configs
    assert (lost.name, lost.eval_config_id, lost.scores) == ("unknown", None, None)
    assert found.evaluated == 4


def test_eval_configs_that_differ_are_named_kept_or_changed(
    call, run_tests, configs, emulator
):
    one = run_tests[0]
    call("evaluate", [one.id], [{**configs[0], "model": "old"}], **LONG)
    wanted = [{**configs[0], "model": "new"}]

    (refused,) = call("evaluate", [one.id], wanted, **LONG)
    (kept,) = call("evaluate", [one.id], wanted, on_conflict="keep", **LONG)
    (changed,) = call("evaluate", [one.id], wanted, on_conflict="update", **LONG)

    assert refused.status is FAILED
    assert isinstance(refused.error, EvalConfigsDifferError)
    assert kept.status is changed.status is SCORED
    assert kept.configs[0].origin is EvalConfigOrigin.DIFFERENT
    assert changed.configs[0].origin is EvalConfigOrigin.UPDATED
    assert "its earlier results are of its earlier content" in changed.warnings[0]
    assert one.eval_configs[0].model == "new"
    assert emulator.log.runs == {one.id: 1}


def test_the_tool_setting_is_sent_with_what_is_started(call, run_tests, configs):
    call("evaluate", [run_tests[0].id], configs, enable_tool_evaluation=True, **LONG)

    assert run_tests[0].enable_tool_evaluation is True


def test_rejected_keys_stop_everything_and_every_run_test_is_reported(
    call, emulator, configs
):
    ids = list(emulator.world.run_test_ids)
    emulator.faults.add(
        "status", status=401, endpoint="run_new_evals", run_test_id=ids[2]
    )
    emulator.state.service.workers.dispatch = "accept"
    options = {"timeout": 20, "poll_interval": 5, "max_concurrency": 1}

    report = call("evaluate", iter(ids), configs, **options)

    assert states(report) == [
        *[EvaluationStatus.PENDING] * 2,
        FAILED,
        *[EvaluationStatus.NOT_ATTEMPTED] * 5,
    ]
    assert isinstance(report[2].error, AuthenticationError)
    assert "the batch was stopped by: 40" in report[0].reason
    assert isinstance(report[3].error, NotAttemptedError)
    assert sum(emulator.log.runs.values()) == 2


def test_what_was_paid_for_is_waited_for_when_the_balance_is_used_up(
    call, emulator, configs
):
    ids = list(emulator.world.run_test_ids)
    call("evaluate", ids[6:], configs, **LONG)
    emulator.log.clear()
    emulator.faults.add(
        "status", status=402, endpoint="run_new_evals", run_test_id=ids[2], times=None
    )
    emulator.state.service.workers.settings.evaluation_seconds = 0.3

    report = call("evaluate", iter(ids), configs, max_concurrency=1, **LONG)

    assert states(report) == [
        *[SCORED] * 2,
        FAILED,
        *[EvaluationStatus.NOT_ATTEMPTED] * 3,
        *[SCORED] * 2,  # nothing has to be started
    ]
    assert isinstance(report[2].error, PaymentRequiredError)
    assert "402" in report[3].reason
    assert sum(emulator.log.runs.values()) == 2


def test_keys_that_stop_working_while_it_waits_end_the_wait(
    call, emulator, run_test_ids, configs, leave
):
    leave("accept")
    emulator.faults.add("status", status=401, times=None)
    fault = emulator.faults.active.pop()

    def break_keys(progress):
        if progress.waiting == 4 and fault not in emulator.faults.active:
            emulator.faults.active.append(fault)

    report = call(
        "evaluate",
        run_test_ids[:4],
        configs,
        timeout=60,
        poll_interval=0.01,
        on_progress=break_keys,
    )

    assert set(states(report)) <= {FAILED, EvaluationStatus.PENDING}
    assert FAILED in states(report)
    assert {each.requests for each in report} == {1}


def test_invalid_items_of_an_iterator_are_failures_in_the_report(
    call, run_test_ids, configs
):
    report = call("evaluate", iter(["no id", 7, run_test_ids[0]]), configs, **LONG)

    assert states(report) == [FAILED, FAILED, SCORED]
    assert isinstance(report[0].error, InvalidRequestError)
    assert [each.run_test_id for each in report[:2]] == ["no id", None]
    assert [each.configs for each in report[:2]] == [(), ()]
    assert len(report.to_rows()) == 5


def test_an_asynchronous_iterable_is_read(call, run_test_ids, configs):
    async def given():
        for each in run_test_ids:
            await asyncio.sleep(0)
            yield each

    report = call("evaluate", given(), configs, **LONG)

    assert states(report) == [SCORED] * 8


def test_the_run_tests_of_the_same_client_are_read_as_they_come(
    client, emulator, configs
):
    report = client.evaluate(client.list_run_tests(), configs, **LONG)

    assert states(report) == [SCORED] * 8


async def test_the_run_tests_of_the_same_asynchronous_client_are_too(connect, configs):
    async with connect() as client:
        report = await client.evaluate(client.list_run_tests(), configs, **LONG)

    assert states(report) == [SCORED] * 8


@pytest.mark.parametrize("max_in_progress", [1, 2, 7])
def test_no_more_run_tests_are_under_way_than_max_in_progress(
    call, run_test_ids, configs, leave, max_in_progress
):
    leave("run", 0.01)
    waiting = []

    report = call(
        "evaluate",
        iter(run_test_ids),
        configs,
        max_in_progress=max_in_progress,
        on_progress=lambda progress: waiting.append(progress.read - progress.finished),
        **LONG,
    )

    assert states(report) == [SCORED] * 8
    assert max(waiting) <= max_in_progress


def test_progress_adds_up(call, emulator, run_test_ids, configs):
    told = []

    report = call("evaluate", run_test_ids, configs, on_progress=told.append, **LONG)

    ends = [each for each in told if each.latest is not None]
    assert [each.finished for each in ends] == list(range(1, 9))
    assert (told[-1].read, told[-1].waiting, told[-1].scored) == (8, 0, 8)
    assert {each.latest.run_test_id for each in ends} == set(run_test_ids)
    assert all(each.waiting + each.finished <= each.read for each in told)
    assert set(report) == {each.latest for each in ends}
