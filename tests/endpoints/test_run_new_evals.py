"""Running evaluations: what is sent, and what is refused before it is."""

from __future__ import annotations

import copy
import json
import pickle
import uuid
import warnings

import attrs
import pytest
from hypothesis import given, strategies as st

from futureagi_async import AddEvalConfigs, EvalConfig, RunNewEvals
from futureagi_async.endpoints.eval_output import EvalOutput
from futureagi_async.endpoints.run_new_evals import (
    StartEvidence,
    requests_for,
    weigh_evidence,
)
from futureagi_async.errors import (
    Delivery,
    InvalidRequestError,
    NotAttemptedError,
    ServerError,
)
from futureagi_async.model.outcome import Batch, Failure, NotAttempted, Success
from futureagi_async.model.request import InvalidItem
from futureagi_async.types import (
    AddEvalConfigsResult,
    CreatedEvalConfig,
    RunNewEvalsResult,
)


RUN_TEST = "b968b200-c57b-5aca-9c9f-60672e3183e7"
OTHER = "116b391d-70d3-54fc-a34d-b481317665ee"
CONFIG_1 = "0274dc56-6ab8-52a8-ac18-24919390f50b"
CONFIG_2 = "2a0795a0-3e12-50ac-90fa-8554e1e4a0cf"
EXECUTION_1 = "54bb87fa-7cf0-51a5-82ee-1c779e6de6cc"
EXECUTION_2 = "1d92ba30-2e85-554d-a363-09930b56acce"
TEMPLATE = "8852dfdd-16f3-4a5a-9bb6-4025b3983786"


def added(run_test_id=RUN_TEST, ids=(CONFIG_1, CONFIG_2), warned=()):
    """Make what the service answers to adding configs of these ids."""
    created = [
        CreatedEvalConfig(
            id=each,
            name=each,
            config={},
            mapping={},
            filters=[],
            error_localizer=False,
            model=None,
            status="Completed",
            eval_group=None,
            template_id=TEMPLATE,
        )
        for each in ids
    ]
    return AddEvalConfigsResult(
        raw={},
        message="ok",
        created_eval_configs=tuple(created),
        run_test_id=run_test_id,
        warnings=tuple(warned),
    )


def succeeded(result) -> Success:
    request = AddEvalConfigs(result.run_test_id, [EvalConfig(TEMPLATE)])
    return Success(request, result, attempts=1, elapsed=0.1)


def sent(request: RunNewEvals) -> dict:
    return json.loads(request.body)


def test_a_request_goes_to_the_path_of_its_run_test():
    request = RunNewEvals(RUN_TEST.upper(), [CONFIG_1], select_all=True)

    assert request.method == "POST"
    assert request.path == f"/simulate/run-tests/{RUN_TEST}/run-new-evals/"
    assert request.run_test_id == RUN_TEST
    assert request.result_type is RunNewEvalsResult
    assert not request.idempotent


def test_the_body_for_every_execution_names_no_executions():
    request = RunNewEvals(RUN_TEST, [CONFIG_1, CONFIG_2], select_all=True)

    assert request.body == (
        b'{"select_all":true,"eval_config_ids":['
        b'"0274dc56-6ab8-52a8-ac18-24919390f50b",'
        b'"2a0795a0-3e12-50ac-90fa-8554e1e4a0cf"]}'
    )


def test_the_body_for_some_executions_names_them_and_leaves_select_all_out():
    request = RunNewEvals(RUN_TEST, [CONFIG_1], [EXECUTION_1, EXECUTION_2])

    assert request.body == (
        b'{"test_execution_ids":['
        b'"54bb87fa-7cf0-51a5-82ee-1c779e6de6cc",'
        b'"1d92ba30-2e85-554d-a363-09930b56acce"],'
        b'"eval_config_ids":["0274dc56-6ab8-52a8-ac18-24919390f50b"]}'
    )


@pytest.mark.parametrize(("value", "text"), [(True, b"true"), (False, b"false")])
def test_the_evaluation_of_tools_is_sent_as_set_and_last(value, text):
    request = RunNewEvals(
        RUN_TEST, [CONFIG_1], select_all=True, enable_tool_evaluation=value
    )

    assert request.body == (
        b'{"select_all":true,"eval_config_ids":["0274dc56-6ab8-52a8-ac18-24919390f50b"],'
        b'"enable_tool_evaluation":' + text + b"}"
    )


@given(
    st.lists(st.uuids(), min_size=1),
    st.lists(st.uuids(), min_size=1),
    st.none() | st.booleans(),
)
def test_ids_are_sent_canonical_in_order_and_each_config_once(
    configs, executions, tools
):
    request = RunNewEvals(
        RUN_TEST,
        [each.hex.upper() for each in configs],
        [f"{{{each}}}" for each in executions],
        enable_tool_evaluation=tools,
    )

    expected = {
        "test_execution_ids": [str(each) for each in executions],
        "eval_config_ids": [str(each) for each in dict.fromkeys(configs)],
    }
    more = {} if tools is None else {"enable_tool_evaluation": tools}
    assert sent(request) == expected | more


def test_a_config_that_comes_twice_in_two_spellings_is_sent_once():
    request = RunNewEvals(
        RUN_TEST,
        [CONFIG_2, CONFIG_1, uuid.UUID(CONFIG_2), CONFIG_1.upper()],
        select_all=True,
    )

    assert request.eval_config_ids == (CONFIG_2, CONFIG_1)


def test_executions_beside_select_all_are_not_sent_and_a_warning_says_so():
    with pytest.warns(UserWarning, match="test_execution_ids are not sent") as caught:
        request = RunNewEvals(RUN_TEST, [CONFIG_1], [EXECUTION_1], select_all=True)

    assert sent(request) == {"select_all": True, "eval_config_ids": [CONFIG_1]}
    assert request.test_execution_ids is None
    assert caught[0].filename == __file__


def test_an_empty_list_of_executions_beside_select_all_needs_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        request = RunNewEvals(RUN_TEST, [CONFIG_1], [], select_all=True)

    assert sent(request) == {"select_all": True, "eval_config_ids": [CONFIG_1]}


def test_none_means_not_set_everywhere():
    request = RunNewEvals(
        RUN_TEST,
        [CONFIG_1],
        [EXECUTION_1],
        select_all=None,
        enable_tool_evaluation=None,
    )

    assert sent(request) == {
        "test_execution_ids": [EXECUTION_1],
        "eval_config_ids": [CONFIG_1],
    }


@pytest.mark.parametrize("executions", [None, [], ()])
def test_a_request_says_which_executions_to_evaluate(executions):
    with pytest.raises(
        InvalidRequestError,
        match=r"^neither test_execution_ids nor select_all=True",
    ):
        RunNewEvals(RUN_TEST, [CONFIG_1], executions)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"run_test_id": "abc"}, "run_test_id: 'abc' is no UUID"),
        ({"run_test_id": None}, "run_test_id: an id .* is expected, not None"),
        ({"eval_config_ids": []}, "eval_config_ids: the list is empty"),
        (
            {"eval_config_ids": CONFIG_1},
            "eval_config_ids: a list of ids is expected, not a",
        ),
        (
            {"eval_config_ids": None},
            "eval_config_ids: a list of ids is expected, not None",
        ),
        ({"eval_config_ids": [CONFIG_1, ""]}, r"eval_config_ids\[1\]: is empty"),
        ({"eval_config_ids": [None]}, r"eval_config_ids\[0\]: an id .* not None"),
        ({"test_execution_ids": EXECUTION_1}, "test_execution_ids: a list of ids is"),
        ({"test_execution_ids": ["x"]}, r"test_execution_ids\[0\]: 'x' is no UUID"),
        ({"test_execution_ids": {EXECUTION_1: 1}}, "test_execution_ids: a list of ids"),
        ({"select_all": "true"}, "select_all: True or False is expected, not a str"),
        ({"select_all": 1}, "select_all: True or False is expected, not an int"),
        ({"enable_tool_evaluation": 0}, "enable_tool_evaluation: True or False is"),
    ],
)
def test_a_value_that_could_never_be_accepted_is_rejected_by_name(fields, problem):
    base = {
        "run_test_id": RUN_TEST,
        "eval_config_ids": [CONFIG_1],
        "test_execution_ids": [EXECUTION_1],
    }

    with pytest.raises(InvalidRequestError, match=f"^{problem}"):
        RunNewEvals(**base | fields)


def test_requests_are_values_that_cannot_be_changed():
    first = RunNewEvals(RUN_TEST, [CONFIG_1], select_all=True)
    second = RunNewEvals(RUN_TEST.upper(), [CONFIG_1, CONFIG_1], select_all=True)

    assert first == second
    assert hash(first) == hash(second)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        first.select_all = False


@pytest.mark.parametrize(
    "travel", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))]
)
def test_a_request_travels_with_its_body(travel):
    request = RunNewEvals(RUN_TEST, [CONFIG_1], [EXECUTION_1])

    copied = travel(request)

    assert copied == request
    assert copied.body == request.body


def test_what_was_added_is_run_over_every_execution():
    request = RunNewEvals.from_added(added())

    assert request == RunNewEvals(RUN_TEST, [CONFIG_1, CONFIG_2], select_all=True)


def test_what_was_added_is_run_over_the_executions_named():
    request = RunNewEvals.from_added(
        added(), test_execution_ids=iter([EXECUTION_1]), enable_tool_evaluation=True
    )

    assert request == RunNewEvals(
        RUN_TEST, [CONFIG_1, CONFIG_2], [EXECUTION_1], enable_tool_evaluation=True
    )


def test_what_a_batch_added_is_run_for_each_success():
    failed_request = AddEvalConfigs(CONFIG_2, [EvalConfig(TEMPLATE)])
    error = ServerError("no", status_code=500, delivery=Delivery.UNKNOWN)
    batch = Batch(
        [
            succeeded(added(OTHER, [CONFIG_2])),
            Failure(failed_request, error, attempts=1, elapsed=0.1),
            NotAttempted(failed_request, NotAttemptedError("stopped")),
            succeeded(added(RUN_TEST, [CONFIG_1])),
        ]
    )

    requests = RunNewEvals.from_added(batch, enable_tool_evaluation=False)

    assert requests == [
        RunNewEvals(OTHER, [CONFIG_2], select_all=True, enable_tool_evaluation=False),
        RunNewEvals(
            RUN_TEST, [CONFIG_1], select_all=True, enable_tool_evaluation=False
        ),
    ]


def test_an_empty_batch_gives_nothing_to_run():
    assert RunNewEvals.from_added(Batch()) == []


def test_configs_that_were_not_created_are_reported_with_their_run_test_and_reasons():
    batch = Batch([succeeded(added()), succeeded(added(OTHER, [CONFIG_1], ["a", "b"]))])

    with pytest.raises(InvalidRequestError) as caught:
        RunNewEvals.from_added(batch)

    assert str(caught.value) == (
        f"not every config was created: run test {OTHER}: a, b; "
        "partial='run' runs the others"
    )


def test_configs_that_were_created_are_run_without_the_others_if_asked():
    result = added(ids=[CONFIG_1], warned=["EvalTemplate with id x not found"])

    request = RunNewEvals.from_added(result, partial="run")

    assert request.eval_config_ids == (CONFIG_1,)


@pytest.mark.parametrize("partial", ["raise", "run"])
def test_a_result_without_ids_is_reported_with_its_run_test(partial):
    decided = succeeded(added(OTHER, []))

    with pytest.raises(
        InvalidRequestError, match=f"^added: no id .* run test {OTHER}; read the ids"
    ):
        RunNewEvals.from_added(Batch([succeeded(added()), decided]), partial=partial)


def test_executions_cannot_be_named_for_a_batch():
    with pytest.raises(
        InvalidRequestError, match=r"^test_execution_ids: executions belong to one run"
    ):
        RunNewEvals.from_added(Batch(), test_execution_ids=[EXECUTION_1])


def test_a_partial_that_is_neither_word_is_rejected():
    with pytest.raises(InvalidRequestError, match=r"^partial: .*, not 'skip'$"):
        RunNewEvals.from_added(added(), partial="skip")


RUN_RESULT = RunNewEvalsResult(
    raw={}, message="", run_test_id=RUN_TEST, call_execution_count=1
)


@pytest.mark.parametrize(
    "value",
    [None, [], {"run_test_id": RUN_TEST}, RUN_RESULT, Batch([succeeded(RUN_RESULT)])],
)
def test_only_what_was_added_can_be_run(value):
    with pytest.raises(
        InvalidRequestError, match=r"^added: a result of add_eval_configs or"
    ):
        RunNewEvals.from_added(value)


RESULT = {"value": True, "status": "Completed"}


@pytest.mark.parametrize(
    ("cells", "is_evaluating", "was_absent", "verdict"),
    [
        ([], False, False, StartEvidence.NOT_STARTED),
        ([None, None], False, False, StartEvidence.NOT_STARTED),
        ([{}, {}], False, False, StartEvidence.NOT_STARTED),
        ([{}, None], False, True, StartEvidence.NOT_STARTED),
        ([RESULT, RESULT], False, True, StartEvidence.STARTED),
        ([RESULT, RESULT], False, False, StartEvidence.OPEN),
        ([RESULT, None], False, True, StartEvidence.OPEN),
        ([RESULT, {}], False, True, StartEvidence.OPEN),
        ([], True, True, StartEvidence.OPEN),
        ([None], True, True, StartEvidence.OPEN),
        ([{}, None], True, True, StartEvidence.OPEN),
        ([{}, {}], True, False, StartEvidence.STARTED),
        ([{}, RESULT], True, False, StartEvidence.STARTED),
        ([RESULT], True, False, StartEvidence.OPEN),
        ([RESULT], True, True, StartEvidence.STARTED),
    ],
)
def test_results_of_the_wanted_calls_say_if_evaluations_were_started(
    cells, is_evaluating, was_absent, verdict
):
    states = [
        each if each is None else EvalOutput.from_wire(each).status for each in cells
    ]

    judged = weigh_evidence(
        states, is_evaluating=is_evaluating, had_no_results=was_absent
    )

    assert judged is verdict


def many(eval_config_ids, **more):
    defaults = {
        "select_all": True,
        "test_execution_ids": None,
        "enable_tool_evaluation": None,
    }
    return requests_for(eval_config_ids, **defaults | more)


def test_each_run_test_runs_its_own_configs():
    requests = many({RUN_TEST: [CONFIG_1], uuid.UUID(OTHER): (CONFIG_2,)})

    assert requests == [
        RunNewEvals(RUN_TEST, [CONFIG_1], select_all=True),
        RunNewEvals(OTHER, [CONFIG_2], select_all=True),
    ]


def test_pairs_do_as_well_and_a_run_test_may_come_twice():
    requests = many([(RUN_TEST, [CONFIG_1]), [RUN_TEST, [CONFIG_2]]])

    assert [each.eval_config_ids for each in requests] == [(CONFIG_1,), (CONFIG_2,)]


def test_each_run_test_has_its_own_executions():
    requests = many(
        {RUN_TEST: [CONFIG_1], OTHER: [CONFIG_2]},
        select_all=False,
        test_execution_ids={OTHER.upper(): [EXECUTION_2], RUN_TEST: [EXECUTION_1]},
        enable_tool_evaluation=True,
    )

    assert requests == [
        RunNewEvals(RUN_TEST, [CONFIG_1], [EXECUTION_1], enable_tool_evaluation=True),
        RunNewEvals(OTHER, [CONFIG_2], [EXECUTION_2], enable_tool_evaluation=True),
    ]


def test_a_run_test_without_executions_is_named():
    with pytest.raises(
        InvalidRequestError, match=rf"^eval_config_ids\[1\]: run test {OTHER}: neither"
    ):
        many(
            {RUN_TEST: [CONFIG_1], OTHER: [CONFIG_2]},
            select_all=False,
            test_execution_ids={RUN_TEST: [EXECUTION_1]},
        )


@pytest.mark.parametrize("given_as", [dict, dict.items, lambda ids: [*ids.items()]])
def test_executions_of_a_run_test_that_is_not_requested_are_rejected(given_as):
    with pytest.raises(
        InvalidRequestError,
        match=rf"^test_execution_ids: run test {OTHER} is not among those of eval_config",
    ):
        many(
            given_as({RUN_TEST: [CONFIG_1]}),
            select_all=False,
            test_execution_ids={RUN_TEST: [EXECUTION_1], OTHER: [EXECUTION_2]},
        )


def test_executions_of_a_run_test_that_is_named_twice_are_rejected():
    with pytest.raises(
        InvalidRequestError, match=rf"^test_execution_ids: run test {RUN_TEST} comes tw"
    ):
        many(
            {RUN_TEST: [CONFIG_1]},
            select_all=False,
            test_execution_ids={
                RUN_TEST: [EXECUTION_1],
                uuid.UUID(RUN_TEST): [EXECUTION_2],
            },
        )


@pytest.mark.parametrize(
    ("eval_config_ids", "problem"),
    [
        ([RUN_TEST], r"eval_config_ids\[0\]: a pair of a run test id and its"),
        ([(RUN_TEST,)], r"eval_config_ids\[0\]: a pair of a run test id and its"),
        ([(RUN_TEST, [CONFIG_1], 1)], r"eval_config_ids\[0\]: a pair of a run test id"),
        (
            [(RUN_TEST, [])],
            r"eval_config_ids\[0\]: run test .*: eval_config_ids: the list is empty",
        ),
        ({"abc": [CONFIG_1]}, r"eval_config_ids\[0\]: .*'abc' is no UUID"),
        (
            {RUN_TEST: CONFIG_1},
            r"eval_config_ids\[0\]: run test .*: eval_config_ids: a list of ids",
        ),
        (RUN_TEST, "eval_config_ids: an iterable is expected, not a str"),
        (None, "eval_config_ids: an iterable is expected, not None"),
    ],
)
def test_configs_that_belong_to_no_run_test_are_rejected(eval_config_ids, problem):
    with pytest.raises(InvalidRequestError, match=f"^{problem}"):
        many(eval_config_ids)


@pytest.mark.parametrize(
    ("executions", "problem"),
    [
        (
            [EXECUTION_1],
            "a dict of execution ids by run test id is expected, not a list",
        ),
        ({"abc": [EXECUTION_1]}, "'abc' is no UUID"),
    ],
)
def test_executions_that_belong_to_no_run_test_are_rejected(executions, problem):
    with pytest.raises(InvalidRequestError, match=f"^test_execution_ids: {problem}"):
        many({RUN_TEST: [CONFIG_1]}, select_all=False, test_execution_ids=executions)


def test_a_bad_pair_of_a_generator_takes_the_place_of_its_request():
    good, bad = many(iter([(RUN_TEST, [CONFIG_1]), (OTHER, [])]))

    assert good.run_test_id == RUN_TEST
    assert type(bad) is InvalidItem
    assert "the list is empty" in str(bad.error)
