"""What a list or a lookup returned is accepted in place of its id, if it is the right kind."""

from __future__ import annotations

import pytest

from futureagi_async.endpoints.add_eval_configs import AddEvalConfigs
from futureagi_async.endpoints.delete_eval_config import DeleteEvalConfig
from futureagi_async.endpoints.eval_config import CreatedEvalConfig, EvalConfig
from futureagi_async.endpoints.get_eval_summary import GetEvalSummary
from futureagi_async.endpoints.get_run_test import GetRunTest, RunTest
from futureagi_async.endpoints.list_call_executions import (
    CallExecution,
    ListCallExecutions,
)
from futureagi_async.endpoints.list_eval_templates import EvalTemplate
from futureagi_async.endpoints.list_run_tests import RunTestEntry
from futureagi_async.endpoints.list_test_executions import TestExecution
from futureagi_async.endpoints.run_new_evals import (
    RunNewEvals,
    requests_for as runs_for,
)
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.endpoints.update_eval_config import UpdateEvalConfig
from futureagi_async.errors import InvalidRequestError


ID = "b968b200-c57b-5aca-9c9f-60672e3183e7"
RUN_TEST = RunTest(
    raw={},
    id=ID.upper(),
    name="support",
    enable_tool_evaluation=False,
    simulate_eval_configs_detail=(),
)
ENTRY = RunTestEntry(
    id=ID, name="support", enable_tool_evaluation=False, simulate_eval_configs=()
)
TEMPLATE = EvalTemplate(id=ID, name="tone")
CONFIG = CreatedEvalConfig(
    id=ID,
    name="tone",
    config={},
    mapping={},
    filters=[],
    error_localizer=False,
    model=None,
    status="Completed",
    eval_group=None,
    template_id=ID,
)
EXECUTION = TestExecution(id=ID, status=ExecutionStatus.COMPLETED)
CALL = CallExecution(
    raw={},
    id=ID,
    status=ExecutionStatus.COMPLETED,
    test_execution_id=ID,
    eval_outputs={},
)


@pytest.mark.parametrize("run_test", [RUN_TEST, ENTRY])
def test_a_run_test_is_accepted_in_place_of_its_id(run_test):
    assert GetRunTest(run_test).run_test_id == ID
    assert ListCallExecutions(run_test).run_test_id == ID
    assert AddEvalConfigs(run_test, [EvalConfig(ID)]).run_test_id == ID


def test_an_eval_config_is_accepted_in_place_of_its_id():
    assert DeleteEvalConfig(ENTRY, CONFIG).eval_config_id == ID
    assert UpdateEvalConfig(ENTRY, CONFIG, name="new").eval_config_id == ID
    assert RunNewEvals(ENTRY, [CONFIG], [EXECUTION]).eval_config_ids == (ID,)


def test_an_eval_template_is_accepted_in_place_of_its_id():
    assert EvalConfig(TEMPLATE).template_id == ID
    assert EvalConfig.from_dict({"template_id": TEMPLATE}) == EvalConfig(ID)
    assert UpdateEvalConfig(ENTRY, CONFIG, template_id=TEMPLATE).template_id == ID


def test_an_execution_is_accepted_in_place_of_its_id():
    assert GetEvalSummary(ENTRY, EXECUTION).execution_id == ID
    assert RunNewEvals(ENTRY, {CONFIG}, {EXECUTION}).test_execution_ids == (ID,)


def test_run_tests_are_accepted_as_the_keys_of_a_mapping():
    requests = runs_for(
        {ENTRY: [CONFIG]},
        select_all=False,
        test_execution_ids={RUN_TEST: [EXECUTION]},
        enable_tool_evaluation=None,
    )

    assert requests == [RunNewEvals(ID, [ID], [ID])]


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (
            lambda: GetRunTest(TEMPLATE),
            "run_test_id: a run test is expected, not an eval template",
        ),
        (
            lambda: EvalConfig(CONFIG),
            "template_id: an eval template is expected, not an eval config",
        ),
        (
            lambda: DeleteEvalConfig(ID, ENTRY),
            "eval_config_id: an eval config is expected, not a run test",
        ),
        (
            lambda: GetEvalSummary(ID, CALL),
            "execution_id: an execution is expected, not a call",
        ),
        (
            lambda: RunNewEvals(ID, [ID, EXECUTION], select_all=True),
            r"eval_config_ids\[1\]: an eval config is expected, not an execution",
        ),
        (
            lambda: RunNewEvals(ID, CONFIG, select_all=True),
            "eval_config_ids: a list of ids is expected, not a CreatedEvalConfig",
        ),
    ],
)
def test_another_kind_of_thing_is_rejected(make, problem):
    with pytest.raises(InvalidRequestError, match=f"^{problem}"):
        make()
