"""Bad input is refused before anything is sent, and the message says what is wrong."""

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
        r"latest_executions: a whole number from 1 is wanted, not 0",
    ),
    ({"latest_executions": -1}, r"latest_executions: a whole number from 1"),
    (
        {"latest_executions": True},
        r"latest_executions: a whole number from 1 is wanted, not True",
    ),
    ({"latest_executions": 1.5}, r"latest_executions: a whole number from 1"),
    (
        {"latest_executions": "2"},
        r"latest_executions: a whole number from 1 is wanted, not '2'",
    ),
    (
        {"started_after": NAIVE},
        r"started_after: the datetime has no time zone; add one",
    ),
    (
        {"started_after": "2026-01-01"},
        r"started_after: a datetime is wanted, not a str",
    ),
    ({"started_after": dt.date(2026, 1, 1)}, r"a datetime is wanted, not a date"),
    ({"started_after": 1735689600}, r"a datetime is wanted, not an int"),
    ({"rerun": "overwrite"}, r"rerun: True or False is wanted"),
    ({"rerun": None}, r"rerun: True or False is wanted, not None"),
    ({"rerun": ["skip"]}, r"rerun: True or False is wanted"),
    ({"on_conflict": "replace"}, r"on_conflict: 'raise', 'keep' or 'update' is wanted"),
    ({"on_conflict": None}, r"on_conflict: 'raise', 'keep' or 'update' is wanted"),
    ({"enable_tool_evaluation": "yes"}, r"enable_tool_evaluation: True or False"),
    ({"evaluations_config": []}, r"evaluations_config: the list is empty"),
    ({"evaluations_config": CONFIG}, r"evaluations_config: a list of eval configs"),
    ({"evaluations_config": [{"name": "x"}]}, r"\[0\]: template_id: missing"),
    ({"evaluations_config": [CONFIG, CONFIG]}, r"\[1\]: the name 'tone' is that of"),
    ({"run_test_ids": NOWHERE}, r"run_tests: an iterable is expected, not a str"),
    ({"run_test_ids": None}, r"run_tests: an iterable is expected, not None"),
    ({"run_test_ids": uuid.UUID(NOWHERE)}, r"run_tests: an iterable is expected"),
    ({"run_test_ids": [NOWHERE, "x"]}, r"run_tests\[1\]: run_test_id: 'x' is no"),
    ({"run_test_ids": [7]}, r"run_tests\[0\]: run_test_id: an id .* not an int"),
]

IMPOSSIBLE = [
    ({"timeout": None}, r"timeout: seconds are wanted, since evaluations can stay"),
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
    ({"wait": None}, r"wait: True or False is wanted, not None"),
    ({"wait": 0}, r"wait: True or False is wanted, not an int"),
    ({"max_in_progress": 1.5}, r"max_in_progress"),
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
def test_what_could_never_be_accepted_is_refused(
    method, call, emulator, changes, message
):
    run_test_ids, configs, options = asked(changes)

    with pytest.raises(InvalidRequestError, match=message):
        call(method, run_test_ids, configs, **options)

    assert not emulator.log.counts


@pytest.mark.parametrize("method", ["evaluate", "stream_evaluations"])
@pytest.mark.parametrize(("changes", "message"), IMPOSSIBLE)
def test_options_that_cannot_work_are_refused(method, call, emulator, changes, message):
    run_test_ids, configs, options = asked(changes)

    with pytest.raises(ConfigurationError, match=message):
        call(method, run_test_ids, configs, **options)

    assert not emulator.log.counts


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"timeout": None}, ConfigurationError, "timeout: seconds are wanted"),
        ({"poll_interval": 0}, ConfigurationError, "poll"),
        ({"max_concurrency": 0}, ConfigurationError, "max_concurrency"),
        ({"on_progress": 7}, InvalidRequestError, "on_progress: a plain function"),
    ],
)
def test_a_wait_that_cannot_work_is_refused(call, emulator, options, error, message):
    with pytest.raises(error, match=message):
        call("wait_for_evals", [NOWHERE], **{"timeout": 1.0, **options})

    assert not emulator.log.counts


def test_a_wait_for_what_is_no_run_test_is_refused(call, emulator):
    with pytest.raises(InvalidRequestError, match=r"run_tests\[0\]"):
        call("wait_for_evals", ["no id"], timeout=1)
    with pytest.raises(InvalidRequestError, match="an iterable is expected"):
        call("wait_for_evals", NOWHERE, timeout=1)

    assert not emulator.log.counts


async def _awaited(_progress):
    """Nothing could await it."""


@pytest.mark.parametrize("on_progress", [_awaited, 7, "print"])
def test_progress_is_told_to_plain_functions_only(call, emulator, on_progress):
    with pytest.raises(InvalidRequestError, match="on_progress: a plain function"):
        call("evaluate", [NOWHERE], [CONFIG], timeout=1, on_progress=on_progress)

    assert not emulator.log.counts


def test_without_a_wait_no_deadline_is_needed(call, run_test_ids, configs):
    report = call("evaluate", run_test_ids[:1], configs, timeout=None, wait=False)

    assert report[0].state is EvaluationStatus.STARTED


def test_a_run_test_is_whatever_names_one(call, client, run_test_ids, configs):
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


def test_no_run_test_at_all_gives_an_empty_report(call, emulator, configs):
    assert len(call("evaluate", [], configs, timeout=5)) == 0
    assert len(call("wait_for_evals", iter(()), timeout=5)) == 0
    assert not emulator.log.counts
