"""The report: its rows, its JSON, its table, and the errors made of it."""

from __future__ import annotations

import json
import pickle

import pytest

from futureagi_async import (
    APITimeoutError,
    BatchInterruptedError,
    Delivery,
    EvaluationError,
    EvaluationInterruptedError,
    EvaluationProgress,
    EvaluationReport,
    EvaluationStatus,
    FutureAGIError,
    NotFoundError,
    RunTestEvaluation,
)
from futureagi_async.types import (
    ChoiceScores,
    ConfigScores,
    EvalConfigOrigin,
    NumericScores,
    PassFailScores,
)


ONE, OTHER = (f"{n:08x}-0000-4000-8000-000000000000" for n in (1, 2))

PASSES = ConfigScores(
    name="tone",
    eval_config_id=OTHER,
    origin=EvalConfigOrigin.CREATED,
    scores=PassFailScores(75.0, 25.0, 3, 1),
    evaluated=4,
    failed=1,
)
NUMBERS = ConfigScores(
    name="similar", scores=NumericScores(81.25, {50: 80.0}), evaluated=2, pending=1
)
CHOICES = ConfigScores(
    name="mood",
    scores=ChoiceScores({"sad": 20.0, "glad": 50.0, "neither": 30.0}),
    evaluated=10,
    skipped=2,
)
BARE = ConfigScores(name="unknown template")

LOST = APITimeoutError(
    "no answer", delivery=Delivery.UNKNOWN, request_id="r-1", run_test_id=ONE
)

SCORED = RunTestEvaluation(
    run_test_id=ONE,
    run_test_name="support",
    state=EvaluationStatus.SCORED,
    configs=(PASSES, NUMBERS, CHOICES),
    requests=1,
    executions=2,
    warnings=("execution x was left out",),
    elapsed=1.5,
)
FAILED = RunTestEvaluation(
    run_test_id=OTHER, state=EvaluationStatus.FAILED, reason=str(LOST), error=LOST
)
REPORT = EvaluationReport([SCORED, FAILED])


def of_state(state, **values):
    return RunTestEvaluation(run_test_id=ONE, state=state, **values)


def test_a_row_is_one_run_test_and_eval_config():
    assert REPORT.to_rows() == [
        {
            "run_test_id": ONE,
            "run_test_name": "support",
            "eval_config_id": OTHER,
            "eval_config_name": "tone",
            "state": "scored",
            "pass_rate": 75.0,
            "average": None,
            "choices": None,
            "evaluated": 4,
            "failed": 1,
            "skipped": 0,
            "pending": 0,
            "reason": None,
        },
        {
            "run_test_id": ONE,
            "run_test_name": "support",
            "eval_config_id": None,
            "eval_config_name": "similar",
            "state": "scored",
            "pass_rate": None,
            "average": 81.25,
            "choices": None,
            "evaluated": 2,
            "failed": 0,
            "skipped": 0,
            "pending": 1,
            "reason": None,
        },
        {
            "run_test_id": ONE,
            "run_test_name": "support",
            "eval_config_id": None,
            "eval_config_name": "mood",
            "state": "scored",
            "pass_rate": None,
            "average": None,
            "choices": {"sad": 20.0, "glad": 50.0, "neither": 30.0},
            "evaluated": 10,
            "failed": 0,
            "skipped": 2,
            "pending": 0,
            "reason": None,
        },
        {
            "run_test_id": OTHER,
            "run_test_name": None,
            "eval_config_id": None,
            "eval_config_name": None,
            "state": "failed",
            "pass_rate": None,
            "average": None,
            "choices": None,
            "evaluated": 0,
            "failed": 0,
            "skipped": 0,
            "pending": 0,
            "reason": str(LOST),
        },
    ]


def test_every_row_has_the_same_keys_in_the_same_order():
    assert len({tuple(row) for row in REPORT.to_rows()}) == 1


def test_the_choices_of_a_row_are_the_callers_own():
    (row,) = RunTestEvaluation(
        run_test_id=ONE, state=EvaluationStatus.SCORED, configs=(CHOICES,)
    ).rows()
    row["choices"].clear()

    assert CHOICES.choices == {"sad": 20.0, "glad": 50.0, "neither": 30.0}


def test_the_dict_is_plain_json_with_everything():
    told = REPORT.to_dict()

    assert json.loads(json.dumps(told)) == told
    assert told["counts"] == {"scored": 1, "failed": 1}
    scored, failed = told["run_tests"]
    assert scored["configs"][0] == {
        "name": "tone",
        "eval_config_id": OTHER,
        "origin": "created",
        "pass_rate": 75.0,
        "average": None,
        "choices": None,
        "scores": {
            "pass_rate": 75.0,
            "fail_rate": 25.0,
            "pass_count": 3,
            "fail_count": 1,
        },
        "evaluated": 4,
        "failed": 1,
        "skipped": 0,
        "pending": 0,
        "reason": None,
    }
    assert scored["configs"][1]["origin"] is None
    assert (scored["error"], scored["reason"]) == (None, None)
    assert (scored["requests"], scored["executions"]) == (1, 2)
    assert (scored["warnings"], scored["elapsed"]) == (
        ["execution x was left out"],
        1.5,
    )
    assert failed["error"] == {
        "class": "APITimeoutError",
        "message": str(LOST),
        "delivery": "unknown",
        "request_id": "r-1",
    }


@pytest.mark.parametrize(
    ("config", "scores"),
    [
        (NUMBERS, {"average": 81.25, "percentiles": {"p50": 80.0}}),
        (CHOICES, {"shares": {"sad": 20.0, "glad": 50.0, "neither": 30.0}}),
        (BARE, None),
    ],
)
def test_the_dict_has_all_that_scores_hold(config, scores):
    told = of_state(EvaluationStatus.SCORED, configs=(config,)).to_dict()

    assert told["configs"][0]["scores"] == scores


def test_an_error_without_a_request_id_is_told_without_one():
    error = FutureAGIError("no")
    told = of_state(EvaluationStatus.FAILED, error=error).to_dict()

    assert told["error"]["request_id"] is None
    assert told["error"]["delivery"] == "not_sent"


def test_the_table_has_a_line_a_row_and_numbers_to_the_right():
    head, rule, *lines = REPORT.to_markdown().splitlines()

    assert head == (
        "| run test | eval config | score | evaluated | failed | skipped | pending "
        "| state |"
    )
    assert rule == "|---|---|---|---:|---:|---:|---:|---|"
    assert lines == [
        "| support | tone | 75 % pass | 4 | 1 | 0 | 0 | scored |",
        "| support | similar | 81.25 % average | 2 | 0 | 0 | 1 | scored |",
        (
            "| support | mood | glad 50 %, neither 30 %, sad 20 % | 10 | 0 | 2 | 0 "
            "| scored |"
        ),
        f"| {OTHER} |  |  | 0 | 0 | 0 | 0 | failed: {LOST} |",
    ]


def test_the_table_says_once_that_something_was_not_created():
    config = ConfigScores(name="tone", reason="not_created: no such template")
    end = of_state(
        EvaluationStatus.NOT_CREATED, configs=(config, BARE), reason="not all could be"
    )

    *_, first, second = EvaluationReport([end]).to_markdown().splitlines()

    assert first.endswith("| 0 | not_created: no such template |")
    assert second.endswith("| 0 | not_created: not all could be |")


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("a|b", r"a\|b"),
        ("a\\|b", r"a\\\|b"),
        ("ends with \\", "ends with \\\\"),
        ("two\nlines\r\n and a tab\t.", "two lines and a tab ."),
    ],
)
def test_whatever_a_name_holds_it_stays_in_its_cell(name, cell):
    config = ConfigScores(name=name)
    report = EvaluationReport([of_state(EvaluationStatus.SCORED, configs=(config,))])

    assert f"| {ONE} | {cell} |  | 0 |" in report.to_markdown()


def test_a_run_test_that_is_no_id_leaves_its_cell_empty():
    refused = RunTestEvaluation(run_test_id=None, state=EvaluationStatus.FAILED)

    assert "|  |  |  | 0 | 0 | 0 | 0 | failed |" in EvaluationReport(
        [refused]
    ).to_markdown().replace("\\", "")


def test_an_empty_report_is_a_table_without_lines():
    assert len(EvaluationReport().to_markdown().splitlines()) == 2
    assert EvaluationReport().to_rows() == []
    assert EvaluationReport().to_dict() == {"counts": {}, "run_tests": []}
    assert repr(EvaluationReport()) == "<EvaluationReport of 0>"


def test_counts_are_of_states_that_occur_in_their_order():
    states = [
        EvaluationStatus.FAILED,
        EvaluationStatus.SCORED,
        EvaluationStatus.FAILED,
        EvaluationStatus.NOTHING_TO_EVALUATE,
    ]
    report = EvaluationReport(map(of_state, states))

    assert list(report.counts().items()) == [
        ("scored", 1),
        ("nothing_to_evaluate", 1),
        ("failed", 2),
    ]
    assert repr(report) == (
        "<EvaluationReport of 4: 1 scored, 1 nothing_to_evaluate, 2 failed>"
    )


def test_a_report_is_a_sequence():
    assert len(REPORT) == 2
    assert REPORT[1] is FAILED
    assert REPORT[:1] == EvaluationReport([SCORED])
    assert list(REPORT) == [SCORED, FAILED]
    assert EvaluationReport([SCORED, FAILED]) == REPORT
    assert hash(EvaluationReport([SCORED])) == hash(REPORT[:1])
    assert REPORT != [SCORED, FAILED]
    assert REPORT.scored == [SCORED]
    assert REPORT.unscored == [FAILED]


GOOD = {
    EvaluationStatus.SCORED,
    EvaluationStatus.STARTED,
    EvaluationStatus.NOTHING_TO_EVALUATE,
}


@pytest.mark.parametrize("state", EvaluationStatus)
def test_only_what_came_as_far_as_it_was_to_come_is_no_failure(state):
    report = EvaluationReport([of_state(state, reason="why")])

    assert report.failures == ([] if state in GOOD else list(report))
    if state in GOOD:
        assert report.raise_for_failures() is report
    else:
        with pytest.raises(EvaluationError, match="not every run test was evaluated"):
            report.raise_for_failures()


def evaluation_error():
    pending = of_state(EvaluationStatus.PENDING, reason="not waited for any longer")
    report = EvaluationReport([SCORED, FAILED, pending])
    with pytest.raises(EvaluationError) as caught:
        report.raise_for_failures()
    return caught.value


def test_the_error_has_an_error_for_each_that_failed_and_the_worst_delivery():
    error = evaluation_error()

    lost, pending = error.exceptions
    assert lost is LOST
    assert str(pending) == f"run test {ONE}: not waited for any longer"
    assert len(error.report) == 3
    assert error.delivery is Delivery.UNKNOWN
    assert "1 scored, 1 pending, 1 failed" in str(error)


def test_the_error_can_be_split_and_its_parts_know_the_report():
    error = evaluation_error()

    timeouts, rest = error.split(APITimeoutError)

    assert isinstance(timeouts, EvaluationError)
    assert isinstance(rest, EvaluationError)
    assert timeouts.exceptions == (LOST,)
    assert timeouts.report is rest.report is error.report
    assert rest.delivery is error.delivery


def test_the_error_can_be_caught_by_kind():
    caught = []
    try:
        raise evaluation_error()
    except* APITimeoutError as group:
        caught += group.exceptions
    except* FutureAGIError as group:
        caught += group.exceptions

    assert len(caught) == 2


def test_the_error_survives_pickling():
    error = evaluation_error()

    again = pickle.loads(pickle.dumps(error))

    assert type(again) is EvaluationError
    assert str(again) == str(error)
    assert again.delivery is error.delivery
    assert again.report.to_dict() == error.report.to_dict()


def test_an_interrupted_evaluation_tells_why_and_keeps_its_report():
    error = EvaluationInterruptedError.with_report(ValueError("bad row"), REPORT)

    assert isinstance(error, BatchInterruptedError)
    assert "raised ValueError: bad row" in str(error)
    assert error.report is REPORT
    assert error.delivery is Delivery.UNKNOWN
    assert len(error.batch) == 0


def test_an_interrupted_evaluation_survives_pickling():
    error = EvaluationInterruptedError.with_report(ValueError("bad row"), REPORT)

    again = pickle.loads(pickle.dumps(error))

    assert str(again) == str(error)
    assert again.report.to_dict() == REPORT.to_dict()
    assert again.delivery is Delivery.UNKNOWN


def test_a_report_survives_pickling():
    gone = NotFoundError("gone", status_code=404, delivery=Delivery.REJECTED)
    report = EvaluationReport([SCORED, of_state(EvaluationStatus.FAILED, error=gone)])

    again = pickle.loads(pickle.dumps(report))

    assert again[0] == SCORED
    assert str(again[1].error) == str(gone)


def test_scores_of_one_form_are_none_of_another():
    assert (PASSES.pass_rate, PASSES.average, PASSES.choices) == (75.0, None, None)
    assert (NUMBERS.pass_rate, NUMBERS.average, NUMBERS.choices) == (None, 81.25, None)
    assert (CHOICES.pass_rate, CHOICES.average) == (None, None)
    assert (BARE.pass_rate, BARE.average, BARE.choices) == (None, None, None)


def test_a_score_is_told_in_a_few_characters():
    assert [each.score_text for each in (PASSES, NUMBERS, CHOICES, BARE)] == [
        "75 % pass",
        "81.25 % average",
        "glad 50 %, neither 30 %, sad 20 %",
        "",
    ]


@pytest.mark.parametrize("origin", [None, *EvalConfigOrigin])
def test_only_what_was_added_was_created(origin):
    scores = ConfigScores(name="tone", origin=origin)

    assert scores.is_created is (origin is EvalConfigOrigin.CREATED)


def test_progress_is_a_value():
    progress = EvaluationProgress(read=3, waiting=1, ended=2, scored=1, latest=SCORED)

    assert progress.latest is SCORED
    assert EvaluationProgress(read=0, waiting=0, ended=0, scored=0).latest is None


@pytest.mark.parametrize(
    ("requests", "delivery"), [(0, Delivery.NOT_SENT), (1, Delivery.UNKNOWN)]
)
def test_what_was_started_and_did_not_end_is_not_called_not_sent(requests, delivery):
    pending = of_state(EvaluationStatus.PENDING, requests=requests)

    with pytest.raises(EvaluationError) as raised:
        EvaluationReport([pending]).raise_for_failures()

    assert raised.value.delivery is delivery
