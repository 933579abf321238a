"""JSON to results: the documented shape, or an error that says what is missing where."""

from __future__ import annotations

import gc
import json
from datetime import UTC, datetime
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given, strategies as st

from futureagi_async.model import codec
from futureagi_async.model.request import Result
from futureagi_async.types import (
    AddEvalConfigsResult,
    CreatedEvalConfig,
    EvalOutput,
    EvalOutputStatus,
    EvalTemplates,
    ExecutionStatus,
    RunNewEvalsResult,
)


RUN_TEST = "b968b200-c57b-5aca-9c9f-60672e3183e7"
CONFIG = {
    "id": "6fd8a87c-ab69-56dc-85ea-3d5411a2f047",
    "name": "tone",
    "config": {"params": {"keyword": "order"}},
    "mapping": {"text": "transcript"},
    "filters": [{"column_id": "status"}],
    "error_localizer": True,
    "model": "turing_large",
    "status": "Completed",
    "eval_group": "quality",
    "template_id": "8852dfdd-16f3-4a5a-9bb6-4025b3983786",
}
ADDED = {
    "message": "Successfully added 1 evaluation config(s) to run test",
    "created_eval_configs": [CONFIG],
    "run_test_id": RUN_TEST,
}
STARTED = {"message": "ok", "run_test_id": RUN_TEST, "call_execution_count": 5}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    max_leaves=10,
)


@attrs.frozen(kw_only=True)
class Measured(Result):
    """A result with the one kind of field that the endpoints have not."""

    score: float


def read(value: Any, result_type: type[Any]) -> Any:
    return codec.decode_result(orjson.dumps(value), result_type, "r-1")


def complaint(value: Any, result_type: type[Any]) -> str:
    with pytest.raises(codec.DecodeError) as caught:
        read(value, result_type)
    return str(caught.value)


@given(json_values)
def test_what_was_encoded_is_decoded_to_the_same(value):
    assert codec.decode(codec.encode(value)) == value


def test_json_is_written_without_spaces_and_in_utf_8():
    assert (
        codec.encode({"name": "ö", "n": [1, None]})
        == '{"name":"ö","n":[1,null]}'.encode()
    )


def test_every_field_of_what_was_created_is_read():
    result = read(ADDED, AddEvalConfigsResult)

    assert result == AddEvalConfigsResult(
        raw={},
        message=ADDED["message"],
        created_eval_configs=(CreatedEvalConfig(**CONFIG),),
        run_test_id=RUN_TEST,
        warnings=(),
    )


def test_every_field_of_what_was_started_is_read():
    result = read(STARTED, RunNewEvalsResult)

    assert (result.message, result.run_test_id, result.call_execution_count) == (
        "ok",
        RUN_TEST,
        5,
    )


def test_a_result_keeps_the_whole_answer_and_the_request_id():
    answer = STARTED | {"new": [1]}

    result = read(answer, RunNewEvalsResult)

    assert result.raw == answer
    assert result.request_id == "r-1"


def test_an_answer_is_kept_as_it_came_and_parsed_when_somebody_looks():
    body = b'{ "message": "done", "new": {"a": [1]} }'

    result = codec.decode_result(body, Result, "r-1")

    assert result.body == body
    assert not any(isinstance(each, dict) for each in gc.get_referents(result))
    assert result.raw == {"message": "done", "new": {"a": [1]}}
    assert result.raw is result.raw
    assert orjson.loads(result.body) == result.raw
    assert attrs.evolve(result, reconciled=True).raw is result.raw


def test_what_was_put_together_has_a_body_too():
    result = Result(raw={"message": "done"})

    assert result.body == b'{"message":"done"}'


def test_an_answer_cannot_set_what_the_package_adds():
    answer = STARTED | {"request_id": "theirs", "raw": "theirs", "reconciled": True}

    result = read(answer, RunNewEvalsResult)

    assert result.raw == answer
    assert result.request_id == "r-1"
    assert not result.reconciled


def test_warnings_are_read():
    result = read(ADDED | {"warnings": ["one", "two"]}, AddEvalConfigsResult)

    assert result.warnings == ("one", "two")


@pytest.mark.parametrize(
    "legacy",
    [
        {"filters": {}},
        {"filters": {"status": "completed"}},
        {"filters": None},
        {"filters": []},
        {"config": None},
        {"mapping": None},
        {"model": None},
        {"eval_group": None},
    ],
)
def test_values_of_old_rows_are_read_as_they_are(legacy):
    result = read(
        ADDED | {"created_eval_configs": [CONFIG | legacy]}, AddEvalConfigsResult
    )

    assert attrs.asdict(result.created_eval_configs[0]) == CONFIG | legacy


def test_unknown_fields_are_tolerated():
    answer = ADDED | {"created_eval_configs": [CONFIG | {"kb_id": None}], "new": 1}

    assert read(answer, AddEvalConfigsResult).run_test_id == RUN_TEST


@pytest.mark.parametrize("field", CONFIG)
def test_a_field_that_is_missing_in_an_item_is_named_with_its_place(field):
    config = {k: v for k, v in CONFIG.items() if k != field}

    message = complaint(
        ADDED | {"created_eval_configs": [CONFIG, config]}, AddEvalConfigsResult
    )

    assert f"created_eval_configs[1].{field}" in message
    assert "missing" in message


@pytest.mark.parametrize("field", ADDED)
def test_a_field_that_is_missing_is_named(field):
    answer = {k: v for k, v in ADDED.items() if k != field}

    message = complaint(answer, AddEvalConfigsResult)

    assert field in message
    assert "missing" in message


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("id", None, "text belongs here, not null"),
        ("id", 5, "text belongs here, not an int"),
        ("name", ["a"], "text belongs here, not a list"),
        ("config", "{}", "an object or null belongs here, not text"),
        ("config", [], "an object or null belongs here, not a list"),
        ("mapping", 1, "an object or null belongs here, not an int"),
        ("filters", "", "a list or an object or null belongs here, not text"),
        ("error_localizer", 1, "true or false belongs here, not an int"),
        ("error_localizer", None, "true or false belongs here, not null"),
        ("model", False, "text belongs here, not a bool"),
        ("template_id", {}, "text belongs here, not an object"),
    ],
)
def test_a_field_of_another_type_is_named_and_not_guessed(field, value, problem):
    answer = ADDED | {"created_eval_configs": [CONFIG | {field: value}]}

    message = complaint(answer, AddEvalConfigsResult)

    assert f"created_eval_configs[0].{field}" in message
    assert problem in message


@pytest.mark.parametrize("count", ["5", 5.0, True, None])
def test_a_count_is_a_whole_number(count):
    message = complaint(STARTED | {"call_execution_count": count}, RunNewEvalsResult)

    assert "call_execution_count" in message
    assert "a whole number belongs here" in message


def test_warnings_that_are_null_are_none():
    assert read(ADDED | {"warnings": None}, AddEvalConfigsResult).warnings == ()


@pytest.mark.parametrize("value", ["text", "", {}, [1], [None]])
def test_warnings_are_a_list_of_texts(value):
    message = complaint(ADDED | {"warnings": value}, AddEvalConfigsResult)

    assert "warnings" in message


@pytest.mark.parametrize("value", [None, "text", "", {}, 5, [None], [[]]])
def test_created_configs_are_a_list_of_objects(value):
    message = complaint(ADDED | {"created_eval_configs": value}, AddEvalConfigsResult)

    assert "created_eval_configs" in message


def test_text_where_a_list_belongs_is_not_taken_letter_by_letter():
    message = complaint(ADDED | {"warnings": "none"}, AddEvalConfigsResult)

    assert "a list belongs here, not text" in message


def test_all_that_is_wrong_is_reported_at_once():
    message = complaint({"message": 5}, RunNewEvalsResult)

    assert all(f in message for f in ("message", "run_test_id", "call_execution_count"))


@pytest.mark.parametrize(("score", "expected"), [(0.5, 0.5), (1, 1.0), (10**6, 1e6)])
def test_a_number_may_be_written_whole(score, expected):
    result = read({"score": score}, Measured)

    assert result.score == expected
    assert type(result.score) is float


@pytest.mark.parametrize("score", ["0.5", True, None])
def test_a_number_is_a_number(score):
    assert "a number belongs here" in complaint({"score": score}, Measured)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "the response is a list where an object belongs"),
        ("text", "the response is text where an object belongs"),
        (None, "the response is null where an object belongs"),
        (5, "the response is an int where an object belongs"),
        (True, "the response is a bool where an object belongs"),
    ],
)
def test_json_that_is_no_object_is_rejected(value, problem):
    assert complaint(value, RunNewEvalsResult) == problem


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "^the response is empty$"),
        (b"<html></html>", "^the response is not JSON: "),
        (b'{"message": "ok", "run_te', "^the response is not JSON: "),
        (b'{"a": NaN}', "^the response is not JSON: "),
        (b"\xff", "^the response is not JSON: "),
        (b"[" * 5000, "^the response is not JSON: "),
    ],
)
def test_what_is_no_json_is_rejected(body, problem):
    with pytest.raises(codec.DecodeError, match=problem):
        codec.decode_result(body, RunNewEvalsResult, "r-1")


@given(st.binary())
def test_no_bytes_raise_anything_else(body):
    with pytest.raises(codec.DecodeError):
        codec.decode_result(body, RunNewEvalsResult, "r-1")


@given(st.sampled_from([*STARTED]), st.text() | st.integers(0, 9) | json_values)
def test_a_field_is_read_as_it_is_or_rejected(field, value):
    answer = STARTED | {field: value}

    try:
        result = read(answer, RunNewEvalsResult)
    except codec.DecodeError:
        return

    assert getattr(result, field) == value
    assert type(getattr(result, field)) is type(STARTED[field])


def test_passes_of_the_converter_that_disagree_are_a_fault_of_the_package(monkeypatch):
    def fail(*_: object) -> None:
        raise TypeError

    monkeypatch.setattr(codec._converter(wire=True), "structure", fail)

    with pytest.raises(AssertionError, match="disagree"):
        read(STARTED, RunNewEvalsResult)


@attrs.frozen(kw_only=True)
class Reading(Result):
    """A result with each kind of field that a rule of the codec is for."""

    state: ExecutionStatus = ExecutionStatus.PENDING
    states: tuple[ExecutionStatus, ...] = ()
    by_name: dict[str, EvalOutput] = attrs.field(factory=dict)
    shares: dict[str, float] | None = None
    begun: datetime | None = None


def reading(**fields):
    return codec.decode_result(json.dumps(fields).encode(), Reading, None)


def test_what_reads_itself_is_asked_wherever_it_stands():
    result = reading(
        state="Completed", states=["FAILED", "odd"], by_name={"c": {"value": 1}}
    )

    assert result.state is ExecutionStatus.COMPLETED
    assert result.states == (ExecutionStatus.FAILED, ExecutionStatus("odd"))
    assert result.by_name["c"].status is EvalOutputStatus.COMPLETED


def test_what_reads_itself_says_where_it_could_not():
    with pytest.raises(
        codec.DecodeError,
        match=r"^text belongs here, not an int @ states\[1\]$",
    ):
        reading(states=["failed", 5])


def test_null_stands_for_an_object_without_entries():
    assert reading(by_name=None).by_name == {}
    assert reading(shares=None).shares is None
    assert reading(shares={"joy": 1}).shares == {"joy": 1.0}


@pytest.mark.parametrize("value", [[], [["a", {}]], "text", 5, True])
def test_what_is_no_object_has_no_entries_to_read(value):
    with pytest.raises(codec.DecodeError, match="an object belongs here, not "):
        reading(by_name=value)


def test_an_entry_that_cannot_be_read_is_named():
    with pytest.raises(
        codec.DecodeError,
        match=r"a number belongs here, not text @ shares\['joy'\]",
    ):
        reading(shares={"joy": "x"})


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.678901Z", datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)),
        ("2026-01-02T05:04:05+02:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_with_its_time_zone(text, moment):
    begun = reading(begun=text).begun

    assert begun == moment
    assert begun.tzinfo is not None


@pytest.mark.parametrize("value", [None, "", "yesterday", 1767225600, {}, [], True])
def test_a_moment_that_cannot_be_read_is_none(value):
    assert reading(begun=value).begun is None


def test_an_empty_answer_will_do_where_nothing_is_needed():
    result = codec.decode_result(b"", Reading, "r-1")

    assert result == Reading(raw={})
    assert result.request_id == "r-1"


def test_an_empty_answer_will_not_do_where_something_is_needed():
    with pytest.raises(codec.DecodeError, match=r"^the response is empty$"):
        codec.decode_result(b"", EvalTemplates, None)
