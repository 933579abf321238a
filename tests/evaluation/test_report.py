"""The report: its rows, its JSON, its table, and the errors made of it."""

from __future__ import annotations

import inspect
import json
import pickle
import typing

import attrs
import pytest

from futureagi_async import (
    APITimeoutError,
    ClientClosedError,
    Delivery,
    EvalConfigsDifferError,
    EvaluationError,
    EvaluationInterruptedError,
    EvaluationProgress,
    EvaluationReport,
    EvaluationStatus,
    FutureAGIError,
    InvalidRequestError,
    NotAttemptedError,
    NotFoundError,
    RunTestEvaluation,
)
from futureagi_async.evaluation import ensure_configs, report as report_module, stream
from futureagi_async.types import (
    ChoiceScores,
    ConfigScores,
    EvalConfigOrigin,
    EvalOutput,
    EvalOutputStatus,
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
    status=EvaluationStatus.SCORED,
    configs=(PASSES, NUMBERS, CHOICES),
    requests=1,
    executions=2,
    calls_counted=4,
    calls_not_counted={"analyzing": 2, "failed": 1},
    calls=(
        report_module.CallResults(
            call_execution_id="c-1",
            test_execution_id="e-1",
            scenario_name="angry",
            results={
                "tone": EvalOutput(
                    status=EvalOutputStatus.COMPLETED,
                    value="Passed",
                    reason="polite",
                    type="Pass/Fail",
                    name="tone",
                )
            },
        ),
        report_module.CallResults(call_execution_id="c-2", test_execution_id="e-2"),
    ),
    warnings=("execution x was left out",),
    elapsed=1.5,
)
FAILED = RunTestEvaluation(
    run_test_id=OTHER, status=EvaluationStatus.FAILED, reason=str(LOST), error=LOST
)
REPORT = EvaluationReport([SCORED, FAILED])


def of_status(status, **values):
    return RunTestEvaluation(run_test_id=ONE, status=status, **values)


def test_a_row_is_one_run_test_and_eval_config():
    assert REPORT.to_rows() == [
        {
            "run_test_id": ONE,
            "run_test_name": "support",
            "eval_config_id": OTHER,
            "eval_config_name": "tone",
            "status": "scored",
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
            "status": "scored",
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
            "status": "scored",
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
            "status": "failed",
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
        run_test_id=ONE, status=EvaluationStatus.SCORED, configs=(CHOICES,)
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
    assert scored["calls_counted"] == 4
    assert scored["calls_not_counted"] == {"analyzing": 2, "failed": 1}
    first, second = scored["calls"]
    assert first["call_execution_id"] == "c-1"
    assert first["results"]["tone"]["reason"] == "polite"
    assert (second["test_execution_id"], second["results"]) == ("e-2", {})
    assert (scored["warnings"], scored["elapsed"]) == (
        ["execution x was left out"],
        1.5,
    )
    assert failed["error"] == {
        "class": "APITimeoutError",
        "message": str(LOST),
        "delivery": "unknown",
        "request_id": "r-1",
        "attributes": {
            "message": "no answer",
            "run_test_id": ONE,
            "attempts": 1,
            "retry_after": None,
        },
    }


def with_hint(error, hint):
    error.hint = hint
    return error


ERRORS = [
    LOST,
    FutureAGIError("two  spaces"),
    NotAttemptedError("not sent: the deadline has passed"),
    ClientClosedError(delivery=Delivery.UNKNOWN),
    EvalConfigsDifferError("run test 1 has 'a'", run_test_id=ONE, names=("a",)),
    with_hint(
        NotFoundError(
            "gone",
            status_code=404,
            code="not_found",
            details={"id": ("no such",)},
            delivery=Delivery.REJECTED,
            request_id="r-2",
            run_test_id=ONE,
            attempts=3,
            retry_after=1.5,
            body=b"{}",
        ),
        "see the list",
    ),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: type(each).__name__)
def test_a_report_can_be_read_back_from_its_dict(error):
    failed = of_status(EvaluationStatus.FAILED, error=error, reason=str(error))
    bare = of_status(EvaluationStatus.NOT_CREATED, configs=(BARE,))
    report = EvaluationReport([*REPORT, bare, failed])
    written = report.to_dict()

    again = EvaluationReport.from_dict(json.loads(json.dumps(written)))

    assert again == report
    assert hash(again) == hash(report)
    assert again.to_dict() == written
    restored = again[-1].error
    assert (type(restored), str(restored)) == (type(error), str(error))
    assert getattr(restored, "names", None) == getattr(error, "names", None)
    assert restored.delivery is error.delivery
    assert getattr(restored, "request_id", None) == getattr(error, "request_id", None)


def test_an_error_of_another_package_is_read_back_as_the_common_one():
    class TheirError(FutureAGIError):
        pass

    report = EvaluationReport(
        [of_status(EvaluationStatus.FAILED, error=TheirError("x"))]
    )

    (again,) = EvaluationReport.from_dict(report.to_dict())

    assert type(again.error) is FutureAGIError
    assert str(again.error) == "x"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda each: each.clear(),
        lambda each: each.update(run_tests=None),
        lambda each: each["run_tests"][0].update(status="unheard of"),
        lambda each: each["run_tests"][0]["configs"][0].pop("origin"),
        lambda each: each["run_tests"][0]["configs"][0].update(scores=7),
        lambda each: each["run_tests"][0]["calls"][0].pop("results"),
        lambda each: each["run_tests"][0]["calls"][0].update(results=7),
        lambda each: each["run_tests"][1]["error"].pop("delivery"),
    ],
)
def test_values_that_are_no_report_are_rejected(spoil):
    values = REPORT.to_dict()
    spoil(values)

    with pytest.raises(InvalidRequestError, match=r"values are not from to_dict\(\)"):
        EvaluationReport.from_dict(values)


def test_evaluations_are_equal_however_long_they_took():
    assert attrs.evolve(SCORED, elapsed=9.0) == SCORED
    assert hash(attrs.evolve(SCORED, elapsed=9.0)) == hash(SCORED)
    assert attrs.evolve(SCORED, requests=2) != SCORED


def test_evaluations_are_equal_whose_errors_read_the_same():
    same = APITimeoutError(
        "no answer", delivery=Delivery.UNKNOWN, request_id="r-1", run_test_id=ONE
    )

    assert attrs.evolve(FAILED, error=same) == FAILED
    assert attrs.evolve(FAILED, error=None) != FAILED
    same.delivery = Delivery.NOT_SENT
    assert attrs.evolve(FAILED, error=same) != FAILED


def test_annotations_resolve_at_run_time():
    modules = [ensure_configs, report_module, stream]
    public = [
        value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type)
        and not name.startswith("_")
        and value.__module__ == module.__name__
    ]

    assert len(public) > 10
    for each in public:
        typing.get_type_hints(each)
        for _, method in inspect.getmembers(each, inspect.isfunction):
            if method.__module__.startswith("futureagi_async.evaluation"):
                typing.get_type_hints(method)


@pytest.mark.parametrize(
    ("config", "scores"),
    [
        (NUMBERS, {"average": 81.25, "percentiles": {"p50": 80.0}}),
        (CHOICES, {"shares": {"sad": 20.0, "glad": 50.0, "neither": 30.0}}),
        (BARE, None),
    ],
)
def test_the_dict_has_all_that_scores_hold(config, scores):
    told = of_status(EvaluationStatus.SCORED, configs=(config,)).to_dict()

    assert told["configs"][0]["scores"] == scores


def test_an_error_without_a_request_id_has_none_in_the_dict():
    error = FutureAGIError("no")
    told = of_status(EvaluationStatus.FAILED, error=error).to_dict()

    assert told["error"]["request_id"] is None
    assert told["error"]["delivery"] == "not_sent"


def test_the_table_has_one_line_per_row_and_aligns_numbers_right():
    head, rule, *lines = REPORT.to_markdown().splitlines()

    assert head == (
        "| run test | eval config | score | evaluated | failed | skipped | pending "
        "| status |"
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


def test_the_table_states_once_that_a_config_was_not_created():
    config = ConfigScores(name="tone", reason="not_created: no such template")
    end = of_status(
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
def test_special_characters_of_a_name_stay_in_its_cell(name, cell):
    config = ConfigScores(name=name)
    report = EvaluationReport([of_status(EvaluationStatus.SCORED, configs=(config,))])

    assert f"| {ONE} | {cell} |  | 0 |" in report.to_markdown()


def test_a_run_test_without_an_id_has_an_empty_cell():
    refused = RunTestEvaluation(run_test_id=None, status=EvaluationStatus.FAILED)

    assert "|  |  |  | 0 | 0 | 0 | 0 | failed |" in EvaluationReport(
        [refused]
    ).to_markdown().replace("\\", "")


def test_an_empty_report_is_a_table_without_lines():
    assert len(EvaluationReport().to_markdown().splitlines()) == 2
    assert EvaluationReport().to_rows() == []
    assert EvaluationReport().to_dict() == {"counts": {}, "run_tests": []}
    assert repr(EvaluationReport()) == "<EvaluationReport of 0>"


def test_counts_are_of_the_statuses_that_occur_in_their_order():
    states = [
        EvaluationStatus.FAILED,
        EvaluationStatus.SCORED,
        EvaluationStatus.FAILED,
        EvaluationStatus.NOTHING_TO_EVALUATE,
    ]
    report = EvaluationReport(map(of_status, states))

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
def test_only_complete_statuses_are_no_failure(state):
    report = EvaluationReport([of_status(state, reason="why")])

    assert report.failures == ([] if state in GOOD else list(report))
    if state in GOOD:
        assert report.raise_for_failures() is report
    else:
        with pytest.raises(EvaluationError, match="not every run test was evaluated"):
            report.raise_for_failures()


def evaluation_error():
    pending = of_status(EvaluationStatus.PENDING, reason="not waited for any longer")
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


def test_an_interruption_names_its_cause_and_has_the_report():
    error = EvaluationInterruptedError.by(ValueError("bad row"), REPORT)

    assert "raised ValueError: bad row" in str(error)
    assert error.report is REPORT
    assert error.delivery is Delivery.UNKNOWN


def test_an_interrupted_evaluation_survives_pickling():
    error = EvaluationInterruptedError.by(ValueError("bad row"), REPORT)

    again = pickle.loads(pickle.dumps(error))

    assert str(again) == str(error)
    assert again.report.to_dict() == REPORT.to_dict()
    assert again.delivery is Delivery.UNKNOWN


def test_a_report_survives_pickling():
    gone = NotFoundError("gone", status_code=404, delivery=Delivery.REJECTED)
    report = EvaluationReport([SCORED, of_status(EvaluationStatus.FAILED, error=gone)])

    again = pickle.loads(pickle.dumps(report))

    assert again[0] == SCORED
    assert str(again[1].error) == str(gone)


def test_scores_of_one_form_are_none_of_another():
    assert (PASSES.pass_rate, PASSES.average, PASSES.choices) == (75.0, None, None)
    assert (NUMBERS.pass_rate, NUMBERS.average, NUMBERS.choices) == (None, 81.25, None)
    assert (CHOICES.pass_rate, CHOICES.average) == (None, None)
    assert (BARE.pass_rate, BARE.average, BARE.choices) == (None, None, None)


def test_the_text_of_a_score_is_short():
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
    progress = EvaluationProgress(
        read=3, waiting=1, finished=2, scored=1, latest=SCORED
    )

    assert progress.latest is SCORED
    assert EvaluationProgress(read=0, waiting=0, finished=0, scored=0).latest is None


@pytest.mark.parametrize(
    ("requests", "delivery"), [(0, Delivery.NOT_SENT), (1, Delivery.UNKNOWN)]
)
def test_a_started_run_test_that_is_not_finished_has_an_unknown_delivery(
    requests, delivery
):
    pending = of_status(EvaluationStatus.PENDING, requests=requests)

    with pytest.raises(EvaluationError) as raised:
        EvaluationReport([pending]).raise_for_failures()

    assert raised.value.delivery is delivery
