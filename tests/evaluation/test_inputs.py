"""Bad input is refused before anything is sent, and the message says what is wrong."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from futureagi_async import (
    ConfigurationError,
    EvaluationState,
    InvalidRequestError,
)


NAIVE = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - naive is what is wrong with it
NOWHERE = "99999999-9999-4999-8999-999999999999"
CONFIG = {"template_id": NOWHERE, "name": "tone"}

REFUSED = [
    ({"latest": 0}, r"latest: a whole number from 1 is wanted, not 0"),
    ({"latest": -1}, r"latest: a whole number from 1"),
    ({"latest": True}, r"latest: a whole number from 1 is wanted, not True"),
    ({"latest": 1.5}, r"latest: a whole number from 1"),
    ({"latest": "2"}, r"latest: a whole number from 1 is wanted, not '2'"),
    ({"newer_than": NAIVE}, r"newer_than: the datetime has no time zone; add one"),
    ({"newer_than": "2026-01-01"}, r"newer_than: a datetime is wanted, not a str"),
    ({"newer_than": dt.date(2026, 1, 1)}, r"a datetime is wanted, not a date"),
    ({"newer_than": 1735689600}, r"a datetime is wanted, not an int"),
    ({"existing": "overwrite"}, r"existing: 'skip' or 'rerun' is wanted"),
    ({"existing": None}, r"existing: 'skip' or 'rerun' is wanted, not None"),
    ({"existing": ["skip"]}, r"existing: 'skip' or 'rerun' is wanted"),
    ({"different": "replace"}, r"different: 'raise', 'keep' or 'update' is wanted"),
    ({"different": None}, r"different: 'raise', 'keep' or 'update' is wanted"),
    ({"enable_tool_evaluation": "yes"}, r"enable_tool_evaluation: True or False"),
    ({"evaluations_config": []}, r"evaluations_config: the list is empty"),
    ({"evaluations_config": CONFIG}, r"evaluations_config: a list of eval configs"),
    ({"evaluations_config": [{"name": "x"}]}, r"\[0\]: template_id: missing"),
    ({"evaluations_config": [CONFIG, CONFIG]}, r"\[1\]: the name 'tone' is that of"),
    ({"run_test_ids": NOWHERE}, r"run_test_ids: an iterable is wanted, not a str"),
    ({"run_test_ids": None}, r"run_test_ids: an iterable is wanted, not None"),
    ({"run_test_ids": uuid.UUID(NOWHERE)}, r"run_test_ids: an iterable is wanted"),
    ({"run_test_ids": [NOWHERE, "x"]}, r"run_test_ids\[1\]: run_test_id: 'x' is no"),
    ({"run_test_ids": [7]}, r"run_test_ids\[0\]: run_test_id: an id .* not an int"),
]

IMPOSSIBLE = [
    ({"deadline": None}, r"deadline: seconds are wanted, since evaluations can stay"),
    ({"deadline": 0}, r"deadline"),
    ({"deadline": -1.0}, r"deadline"),
    ({"deadline": float("inf")}, r"deadline: inf .* give a finite number of seconds"),
    ({"poll": 0}, r"poll"),
    ({"poll": -2}, r"poll"),
    ({"poll": True}, r"poll"),
    ({"max_evaluating": 0}, r"max_evaluating"),
    ({"max_evaluating": None}, r"max_evaluating: a whole number is wanted, not None"),
    ({"wait": None}, r"wait: True or False is wanted, not None"),
    ({"wait": 0}, r"wait: True or False is wanted, not an int"),
    ({"max_evaluating": 1.5}, r"max_evaluating"),
    ({"max_concurrency": 0}, r"max_concurrency"),
    ({"max_concurrency": 101}, r"max_concurrency: 101 requests need as many"),
    ({"journal": 7}, r"journal: the path of a file is wanted"),
]


def asked(changes):
    """The arguments of `evaluate`, with something wrong."""
    options = {"deadline": 1.0, **changes}
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
        ({"deadline": None}, ConfigurationError, "deadline: seconds are wanted"),
        ({"poll": 0}, ConfigurationError, "poll"),
        ({"max_concurrency": 0}, ConfigurationError, "max_concurrency"),
        ({"on_progress": 7}, InvalidRequestError, "on_progress: a plain function"),
    ],
)
def test_a_wait_that_cannot_work_is_refused(call, emulator, options, error, message):
    with pytest.raises(error, match=message):
        call("wait_for_evals", [NOWHERE], **{"deadline": 1.0, **options})

    assert not emulator.log.counts


def test_a_wait_for_what_is_no_run_test_is_refused(call, emulator):
    with pytest.raises(InvalidRequestError, match=r"run_test_ids\[0\]"):
        call("wait_for_evals", ["no id"], deadline=1)
    with pytest.raises(InvalidRequestError, match="an iterable is wanted"):
        call("wait_for_evals", NOWHERE, deadline=1)

    assert not emulator.log.counts


async def _awaited(_progress):
    """Nothing could await it."""


@pytest.mark.parametrize("on_progress", [_awaited, 7, "print"])
def test_progress_is_told_to_plain_functions_only(call, emulator, on_progress):
    with pytest.raises(InvalidRequestError, match="on_progress: a plain function"):
        call("evaluate", [NOWHERE], [CONFIG], deadline=1, on_progress=on_progress)

    assert not emulator.log.counts


def test_without_a_wait_no_deadline_is_needed(call, run_test_ids, configs):
    report = call("evaluate", run_test_ids[:1], configs, deadline=None, wait=False)

    assert report[0].state is EvaluationState.STARTED


def test_a_run_test_is_whatever_names_one(call, client, run_test_ids, configs):
    first, second, third, fourth = run_test_ids[:4]
    given = [
        uuid.UUID(first),
        second.upper(),
        client.get_run_test(third),
        next(e for e in client.list_run_tests() if e.id == fourth),
    ]

    report = call("evaluate", given, configs, deadline=None, wait=False)

    assert [each.run_test_id for each in report] == [first, second, third, fourth]
    assert report.counts() == {"started": 4}


def test_no_run_test_at_all_gives_an_empty_report(call, emulator, configs):
    assert len(call("evaluate", [], configs, deadline=5)) == 0
    assert len(call("wait_for_evals", iter(()), deadline=5)) == 0
    assert not emulator.log.counts
