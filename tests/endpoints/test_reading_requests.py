"""Requests that read and change: what they send, and what they refuse to."""

from __future__ import annotations

import json
import pickle
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import attrs
import pytest
from hypothesis import given, strategies as st

from futureagi_async import (
    DeleteEvalConfig,
    EvalConfig,
    GetEvalSummary,
    GetRunTest,
    InvalidRequestError,
    UpdateEvalConfig,
)
from futureagi_async.types import (
    CreatedEvalConfig,
    ExecutionStatus,
    ListCallExecutions,
    ListEvalTemplates,
    ListRunTests,
    ListTestExecutions,
    RunTestsPage,
)


# Filters are part of a complete eval config, and have tests of their warning.
pytestmark = pytest.mark.filterwarnings("ignore:filters.*never applies:UserWarning")

ID = "b968b200-c57b-5aca-9c9f-60672e3183e7"
OTHER = "7bbd24d3-22e3-525d-9bf5-b54e5d107041"
TEMPLATE = "8852dfdd-16f3-4a5a-9bb6-4025b3983786"
SPELLINGS = [ID, ID.upper(), f"{{{ID}}}", ID.replace("-", ""), UUID(ID)]
NO_IDS = ["abc", "", None, 5, b"x", [ID]]


def query(request):
    return parse_qs(urlsplit(request.path).query, keep_blank_values=True)


READS = [
    GetRunTest(ID),
    GetEvalSummary(ID),
    ListRunTests(),
    ListTestExecutions(ID),
    ListCallExecutions(ID),
    ListEvalTemplates(),
]
CHANGES = [UpdateEvalConfig(ID, OTHER, name="x"), DeleteEvalConfig(ID, OTHER)]


@pytest.mark.parametrize("request_", READS, ids=lambda each: type(each).__name__)
def test_a_read_is_a_get_without_a_body_that_can_be_repeated(request_):
    assert request_.method == "GET"
    assert request_.body is None
    assert request_.idempotent


@pytest.mark.parametrize("request_", CHANGES, ids=lambda each: type(each).__name__)
def test_a_change_waits_for_its_turn(request_):
    assert not request_.idempotent
    assert request_.run_test_id == ID


@pytest.mark.parametrize(
    "request_", [*READS, *CHANGES], ids=lambda each: type(each).__name__
)
def test_a_request_is_a_value(request_):
    assert pickle.loads(pickle.dumps(request_)) == request_
    assert len({request_, attrs.evolve(request_)}) == 1


def test_the_paths_are_those_of_the_service():
    assert [each.path for each in [*READS, *CHANGES]] == [
        f"/simulate/run-tests/{ID}/",
        f"/simulate/run-tests/{ID}/eval-summary/",
        "/simulate/run-tests/?page=1&limit=100",
        f"/simulate/run-tests/{ID}/executions/?page=1&limit=100",
        f"/simulate/run-tests/{ID}/call-executions/?page=1&limit=100",
        "/sdk/api/v1/get-evals/",
        f"/simulate/run-tests/{ID}/eval-configs/{OTHER}/update/",
        f"/simulate/run-tests/{ID}/eval-configs/{OTHER}/",
    ]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_ids_are_taken_in_any_spelling(spelling):
    assert GetEvalSummary(spelling, spelling) == GetEvalSummary(ID, ID)
    assert DeleteEvalConfig(spelling, spelling) == DeleteEvalConfig(ID, ID)
    assert UpdateEvalConfig(
        spelling, spelling, template_id=spelling
    ) == UpdateEvalConfig(ID, ID, template_id=ID)
    assert ListTestExecutions(spelling) == ListTestExecutions(ID)


@pytest.mark.parametrize("value", NO_IDS)
@pytest.mark.parametrize(
    ("make", "field"),
    [
        (GetRunTest, "run_test_id"),
        (GetEvalSummary, "run_test_id"),
        (ListTestExecutions, "run_test_id"),
        (ListCallExecutions, "run_test_id"),
        (lambda value: UpdateEvalConfig(value, ID, name="x"), "run_test_id"),
        (lambda value: UpdateEvalConfig(ID, value, name="x"), "eval_config_id"),
        (lambda value: DeleteEvalConfig(value, ID), "run_test_id"),
        (lambda value: DeleteEvalConfig(ID, value), "eval_config_id"),
    ],
)
def test_what_is_no_id_is_rejected_by_name(make, field, value):
    with pytest.raises(InvalidRequestError, match=f"^{field}: "):
        make(value)


@pytest.mark.parametrize("value", [each for each in NO_IDS if each is not None])
def test_what_is_no_execution_is_rejected(value):
    with pytest.raises(InvalidRequestError, match=r"^execution_id: "):
        GetEvalSummary(ID, value)


def test_the_scores_of_one_execution_are_requested_by_its_id():
    assert query(GetEvalSummary(ID, OTHER.upper())) == {"execution_id": [OTHER]}


@pytest.mark.parametrize("page", [0, -1, 1.0, "1", None, True])
@pytest.mark.parametrize("field", ["page", "limit"])
def test_the_page_of_run_tests_is_a_whole_number_from_one(field, page):
    with pytest.raises(
        InvalidRequestError, match=f"^{field}: an integer of at least 1"
    ):
        ListRunTests(**{field: page})


@pytest.mark.parametrize("blank", [None, "", "  ", "\n"])
def test_a_blank_search_is_none(blank):
    assert ListRunTests(blank) == ListRunTests()
    assert "search" not in ListRunTests(blank).path


@given(
    st.text(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1
    ).filter(str.strip)
)
def test_a_search_arrives_trimmed_and_otherwise_as_it_is(search):
    request = ListRunTests(search, page=2, limit=7)

    assert request.path.isascii()
    assert " " not in request.path
    assert query(request) == {"page": ["2"], "limit": ["7"], "search": [search.strip()]}


@pytest.mark.parametrize("search", [5, b"x", ["x"], "a\0", "\ud800"])
def test_what_cannot_be_searched_for_is_rejected(search):
    with pytest.raises(InvalidRequestError, match=r"^search: "):
        ListRunTests(search)


@pytest.mark.parametrize(
    "state", [ExecutionStatus.EVALUATING, "evaluating", "Evaluating", " EVALUATING "]
)
def test_a_state_is_requested_in_small_letters(state):
    request = ListTestExecutions(ID, status=state, limit=1)

    assert query(request) == {"page": ["1"], "limit": ["1"], "status": ["evaluating"]}


def test_a_state_that_is_not_known_is_requested_all_the_same():
    assert query(ListTestExecutions(ID, status="Odd & new"))["status"] == ["odd & new"]


@pytest.mark.parametrize("state", ["", "  ", 5, ["failed"], b"failed"])
def test_what_is_no_state_is_rejected(state):
    with pytest.raises(InvalidRequestError, match=r"^status: "):
        ListTestExecutions(ID, status=state)


def page(total, **counts):
    pages = {"count": 1, "total_pages": total, "current_page": 1} | counts
    return RunTestsPage(raw={}, results=(), **pages)


def test_pages_are_counted_and_keep_what_was_requested():
    first = ListTestExecutions(ID, limit=3, status="failed")

    second = first.next_after(page(2))

    assert second == ListTestExecutions(ID, 2, 3, "failed")
    assert second.next_after(page(2)) is None
    assert second.next_after(page(3)) == ListTestExecutions(ID, 3, 3, "failed")
    assert ListRunTests("x").next_after(page(9)) == ListRunTests("x", 2)


@pytest.mark.parametrize("total", [-1, 0, 1])
def test_a_list_of_one_page_or_none_ends_with_the_first(total):
    assert ListRunTests().next_after(page(total)) is None


FILTERS = [{"column_id": "status", "filter_config": {"filter_type": "text"}}]
WHOLE = {
    "name": "tone",
    "template_id": TEMPLATE,
    "config": {"params": {"keyword": "order"}},
    "mapping": {"text": "transcript"},
    "filters": FILTERS,
    "error_localizer": False,
    "model": "turing_large",
}


def sent(update):
    return json.loads(update.body)


@pytest.mark.parametrize("field", WHOLE)
def test_an_update_sends_what_is_given_and_nothing_else(field):
    value = WHOLE[field]

    assert sent(UpdateEvalConfig(ID, OTHER, **{field: value})) == {field: value}


def test_an_update_of_filters_comes_with_a_warning_where_it_is_made():
    with pytest.warns(UserWarning, match="never applies them") as caught:
        UpdateEvalConfig(ID, OTHER, filters=[{"column_id": "status"}])

    (warning,) = caught
    assert warning.filename == __file__


def test_an_update_sends_every_field():
    update = UpdateEvalConfig(ID, OTHER, **WHOLE)

    assert sent(update) == update.changes == WHOLE


def test_an_update_copies_what_it_is_given():
    mapping = {"text": "transcript"}
    update = UpdateEvalConfig(ID, OTHER, mapping=mapping)

    mapping["text"] = "other"

    assert sent(update) == {"mapping": {"text": "transcript"}}
    assert update.mapping == {"text": "transcript"}


def test_names_and_models_are_trimmed_as_the_service_does():
    update = UpdateEvalConfig(ID, OTHER, name=" tone ", model="\tturing\n")

    assert sent(update) == {"name": "tone", "model": "turing"}


@pytest.mark.parametrize("empty", [{}, dict.fromkeys(WHOLE)])
def test_an_update_of_nothing_is_rejected(empty):
    with pytest.raises(
        InvalidRequestError, match=r"^nothing would change; pass at lea"
    ):
        UpdateEvalConfig(ID, OTHER, **empty)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("name", "", "is blank"),
        ("name", "  ", "is blank"),
        ("name", 5, "text is expected"),
        ("name", "n" * 256, "256 characters"),
        ("name", "a\0", "no null characters"),
        ("template_id", "abc", "is no UUID"),
        ("template_id", 5, "an id"),
        ("config", {}, "is empty, which changes nothing"),
        ("config", [], "a dict is expected"),
        ("config", {"params": float("nan")}, "is no JSON number"),
        ("mapping", "x", "a dict is expected"),
        ("filters", "x", "a list of filters is expected"),
        ("error_localizer", "yes", "True or False"),
        ("model", " ", "is blank"),
        ("model", "m" * 256, "256 characters"),
        ("model", 5, "text is expected"),
    ],
)
def test_a_value_that_could_never_be_accepted_is_rejected(field, value, problem):
    with pytest.raises(InvalidRequestError, match=rf"^{field}.*: .*{problem}"):
        UpdateEvalConfig(ID, OTHER, **{field: value})


def kept(**fields):
    """An eval config as the service keeps it, made of the whole one."""
    rest = {"id": OTHER, "status": "Completed", "eval_group": None}
    return CreatedEvalConfig(**{**rest, **WHOLE, **fields})


def wanted(**fields):
    return EvalConfig(**{**WHOLE, **fields})


OTHER_VALUES = {
    "name": "other",
    "template_id": OTHER,
    "config": {"params": {"keyword": "refund"}},
    "mapping": {"text": "summary"},
    "filters": [],
    "error_localizer": True,
    "model": "turing_small",
}


@pytest.mark.parametrize("field", WHOLE)
def test_only_what_differs_is_sent_to_match(field):
    change = {field: OTHER_VALUES[field]}

    update = UpdateEvalConfig.to_match(ID.upper(), kept(), wanted(**change))

    assert update == UpdateEvalConfig(ID, OTHER, **change)


def test_what_is_left_open_stays_as_it_is():
    update = UpdateEvalConfig.to_match(
        ID, kept(), EvalConfig(TEMPLATE, "tone", model="other")
    )

    assert sent(update) == {"model": "other"}


def test_a_config_without_a_name_is_to_be_called_by_its_template():
    update = UpdateEvalConfig.to_match(ID, kept(), EvalConfig(TEMPLATE))

    assert sent(update) == {"name": f"Eval-{TEMPLATE}"}


def test_a_template_in_capitals_is_the_same():
    with pytest.raises(InvalidRequestError, match=r"^nothing would change"):
        UpdateEvalConfig.to_match(ID, kept(template_id=TEMPLATE.upper()), wanted())


@pytest.mark.parametrize(
    "found", [None, {}, {"params": {}}, {"params": {"keyword": "filled in"}}]
)
def test_parameters_that_the_service_fills_in_are_not_to_be_removed(found):
    update = UpdateEvalConfig.to_match(
        ID, kept(config=found), wanted(config={}, model="other")
    )

    assert sent(update) == {"model": "other"}


def test_a_config_that_no_update_can_empty_is_rejected():
    with pytest.raises(InvalidRequestError, match=r"^config: is empty"):
        UpdateEvalConfig.to_match(ID, kept(config={"k": 1}), wanted(config={}))


def answer(request, **fields):
    body = {"message": "ok", "eval_config_id": OTHER, "run_test_id": ID}
    return request.validate_response(request.result_type(raw={}, **(body | fields)))


def test_the_answer_about_something_else_is_objected_to():
    update = UpdateEvalConfig(ID, OTHER, name="x")

    assert answer(update) is None
    assert answer(update, run_test_id=ID.upper(), eval_config_id=OTHER.upper()) is None
    assert (
        answer(update, run_test_id=OTHER)[1]
        == f"the response is about run test {OTHER}"
    )
    assert (
        answer(update, eval_config_id=ID)[1]
        == f"the response is about eval config {ID}"
    )


@pytest.mark.parametrize("change", CHANGES, ids=lambda each: type(each).__name__)
def test_somebody_can_decide_that_a_change_was_done(change):
    result = change.result_from(None)

    assert type(result) is change.result_type
    assert result.reconciled
    assert "a person decided" in result.message
