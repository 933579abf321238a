"""Invalid input is rejected before anything is sent, with a message that explains it."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from futureagi_async import (
    ConfigurationError,
    EvaluationStatus,
    InvalidRequestError,
)


NAIVE = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - naive is what is wrong with it
NOWHERE = "99999999-9999-4999-8999-999999999999"
CONFIG = {"template_id": NOWHERE, "name": "tone"}

REFUSED = [
    (
        {"latest_executions": 0},
        r"latest_executions: a whole number from 1 is expected, not 0",
    ),
    ({"latest_executions": -1}, r"latest_executions: a whole number from 1"),
    (
        {"latest_executions": True},
        r"latest_executions: a whole number from 1 is expected, not True",
    ),
    ({"latest_executions": 1.5}, r"latest_executions: a whole number from 1"),
    (
        {"latest_executions": "2"},
        r"latest_executions: a whole number from 1 is expected, not '2'",
    ),
    (
        {"started_after": NAIVE},
        r"started_after: the datetime has no time zone; add one",
    ),
    (
        {"started_after": "2026-01-01"},
        r"started_after: a datetime is expected, not a str",
    ),
    ({"started_after": dt.date(2026, 1, 1)}, r"a datetime is expected, not a date"),
    ({"started_after": 1735689600}, r"a datetime is expected, not an int"),
    ({"rerun": "overwrite"}, r"rerun: True or False is expected"),
    ({"rerun": None}, r"rerun: True or False is expected, not None"),
    ({"rerun": ["skip"]}, r"rerun: True or False is expected"),
    (
        {"on_conflict": "replace"},
        r"on_conflict: 'raise', 'keep' or 'update' is expected",
    ),
    ({"on_conflict": None}, r"on_conflict: 'raise', 'keep' or 'update' is expected"),
    ({"enable_tool_evaluation": "yes"}, r"enable_tool_evaluation: True or False"),
    ({"evaluations_config": []}, r"configs: the list is empty"),
    ({"evaluations_config": CONFIG}, r"configs: a list of eval configs"),
    ({"evaluations_config": [{"name": "x"}]}, r"\[0\]: template_id: missing"),
    ({"evaluations_config": [CONFIG, CONFIG]}, r"\[1\]: the name 'tone' is that of"),
    ({"run_test_ids": NOWHERE}, r"run_tests: an iterable is expected, not a str"),
    ({"run_test_ids": None}, r"run_tests: an iterable is expected, not None"),
    ({"run_test_ids": uuid.UUID(NOWHERE)}, r"run_tests: an iterable is expected"),
    ({"run_test_ids": [NOWHERE, "x"]}, r"run_tests\[1\]: run_test_id: 'x' is no"),
    ({"run_test_ids": [7]}, r"run_tests\[0\]: run_test_id: an id .* not an int"),
]

IMPOSSIBLE = [
    ({"timeout": None}, r"timeout: a duration is expected"),
    ({"timeout": 0}, r"timeout"),
    ({"timeout": -1.0}, r"timeout"),
    ({"timeout": float("inf")}, r"timeout: a finite number .* is expected, not inf"),
    ({"poll_interval": 0}, r"poll_interval"),
    ({"poll_interval": -2}, r"poll_interval"),
    ({"poll_interval": True}, r"poll_interval"),
    ({"max_in_progress": 0}, r"max_in_progress"),
    (
        {"max_in_progress": None},
        r"max_in_progress: a whole number is expected, not None",
    ),
    ({"wait": None}, r"wait: True or False is expected, not None"),
    ({"wait": 0}, r"wait: True or False is expected, not an int"),
    ({"max_in_progress": 1.5}, r"max_in_progress"),
    ({"stuck_after": 0}, r"stuck_after"),
    ({"stuck_after": None}, r"stuck_after"),
    ({"include_calls": 1}, r"include_calls: True or False is expected, not an int"),
    ({"max_concurrency": 0}, r"max_concurrency"),
    ({"max_concurrency": 101}, r"max_concurrency: 101 requests need as many"),
    ({"journal": 7}, r"journal: the path of a file is expected"),
]


def asked(changes):
    """The arguments of `evaluate`, with something wrong."""
    options = {"timeout": 1.0, **changes}
    run_test_ids = options.pop("run_test_ids", [NOWHERE])
    return run_test_ids, options.pop("evaluations_config", [CONFIG]), options


@pytest.mark.parametrize("method", ["evaluate", "stream_evaluations"])
@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_invalid_arguments_are_rejected(method, call, emulator, changes, message):
    run_test_ids, configs, options = asked(changes)

    with pytest.raises(InvalidRequestError, match=message):
        call(method, run_test_ids, configs, **options)

    assert not emulator.log.counts


@pytest.mark.parametrize("method", ["evaluate", "stream_evaluations"])
@pytest.mark.parametrize(("changes", "message"), IMPOSSIBLE)
def test_options_that_cannot_work_are_rejected(
    method, call, emulator, changes, message
):
    run_test_ids, configs, options = asked(changes)

    with pytest.raises(ConfigurationError, match=message):
        call(method, run_test_ids, configs, **options)

    assert not emulator.log.counts


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"timeout": None}, ConfigurationError, "timeout: a duration is expected"),
        ({"poll_interval": 0}, ConfigurationError, "poll"),
        ({"max_concurrency": 0}, ConfigurationError, "max_concurrency"),
        ({"stuck_after": -1}, ConfigurationError, "stuck_after"),
        ({"include_calls": "yes"}, ConfigurationError, "include_calls: True or False"),
        ({"on_progress": 7}, InvalidRequestError, "on_progress: a plain function"),
    ],
)
def test_options_of_a_wait_that_cannot_work_are_rejected(
    call, emulator, options, error, message
):
    with pytest.raises(error, match=message):
        call("wait_for_evals", [NOWHERE], **{"timeout": 1.0, **options})

    assert not emulator.log.counts


def test_a_wait_for_an_invalid_run_test_is_rejected(call, emulator):
    with pytest.raises(InvalidRequestError, match=r"run_tests\[0\]"):
        call("wait_for_evals", ["no id"], timeout=1)
    with pytest.raises(InvalidRequestError, match="an iterable is expected"):
        call("wait_for_evals", NOWHERE, timeout=1)

    assert not emulator.log.counts


async def _awaited(_progress):
    """Nothing could await it."""


@pytest.mark.parametrize("on_progress", [_awaited, 7, "print"])
def test_on_progress_has_to_be_a_plain_function(call, emulator, on_progress):
    with pytest.raises(InvalidRequestError, match="on_progress: a plain function"):
        call("evaluate", [NOWHERE], [CONFIG], timeout=1, on_progress=on_progress)

    assert not emulator.log.counts


def test_without_wait_no_timeout_is_needed(call, run_test_ids, configs):
    report = call("evaluate", run_test_ids[:1], configs, timeout=None, wait=False)

    assert report[0].status is EvaluationStatus.STARTED


def test_a_run_test_is_an_id_or_what_a_list_or_a_lookup_returned(
    call, client, run_test_ids, configs
):
    first, second, third, fourth = run_test_ids[:4]
    given = [
        uuid.UUID(first),
        second.upper(),
        client.get_run_test(third),
        next(e for e in client.list_run_tests() if e.id == fourth),
    ]

    report = call("evaluate", given, configs, timeout=None, wait=False)

    assert [each.run_test_id for each in report] == [first, second, third, fourth]
    assert report.counts() == {"started": 4}


def test_an_empty_input_has_an_empty_report(call, emulator, configs):
    assert len(call("evaluate", [], configs, timeout=5)) == 0
    assert len(call("wait_for_evals", iter(()), timeout=5)) == 0
    assert not emulator.log.counts
