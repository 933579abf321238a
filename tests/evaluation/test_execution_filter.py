"""Which executions of a run test are chosen."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest
from evaluation_values import RUN_TEST, execution, execution_id

from futureagi_async.evaluation.overview import (
    ALL_EXECUTIONS,
    ExecutionFilter,
    read_overview,
)
from futureagi_async.types import ListTestExecutions, TestExecutionsPage


NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def hours_after(number):
    return NOON + dt.timedelta(hours=number)


LISTED = [
    execution(6, "running", start_time=hours_after(6)),
    execution(5, "completed", start_time=hours_after(5)),
    execution(4, "evaluating", start_time=hours_after(4)),
    execution(3, "failed", start_time=hours_after(3)),
    execution(2, "completed", start_time=hours_after(2)),
    execution(1, "completed", start_time=None),
    execution(0, "completed", start_time=NOON),
]


class Service:
    """Returns two executions per page, and records the requests."""

    def __init__(self, listed):
        self.listed = listed
        self.asked = []

    async def __call__(self, request):
        self.asked.append(request)
        assert isinstance(request, ListTestExecutions)
        first = 2 * (request.page - 1)
        return TestExecutionsPage(
            raw={},
            count=len(self.listed),
            total_pages=-(-len(self.listed) // 2),
            current_page=request.page,
            results=tuple(self.listed[first : first + 2]),
        )


def read(selection, listed=LISTED):
    """The numbers of the executions that fit and of those left out, and the pages."""
    service = Service(listed)
    found = asyncio.run(read_overview(service, RUN_TEST, selection))
    left = {int(id_[:8], 16): status for id_, status in found.left_out.items()}
    numbers = [int(each.id[:8], 16) for each in found.executions]
    return numbers, left, len(service.asked)


def taken(selection, listed=LISTED):
    found, _, pages = read(selection, listed)
    return found, pages


@pytest.mark.parametrize(
    ("selection", "expected", "pages"),
    [
        (ALL_EXECUTIONS, [5, 4, 2, 1, 0], 4),
        (ExecutionFilter(latest_executions=1), [5], 1),
        (ExecutionFilter(latest_executions=3), [5, 4, 2], 3),
        (ExecutionFilter(latest_executions=99), [5, 4, 2, 1, 0], 4),
        (ExecutionFilter(started_after=hours_after(2)), [5, 4], 4),
        (ExecutionFilter(started_after=hours_after(9)), [], 4),
        (ExecutionFilter(latest_executions=1, started_after=hours_after(1)), [5], 1),
        (ExecutionFilter(ids=frozenset({execution_id(6), execution_id(3)})), [6, 3], 2),
        (ExecutionFilter(ids=frozenset({execution_id(99)})), [], 4),
        (ExecutionFilter(ids=frozenset()), [], 4),
    ],
)
def test_the_executions_that_fit_are_read(selection, expected, pages):
    assert taken(selection) == (expected, pages)


def test_an_execution_pushed_onto_a_later_page_counts_once():
    began_since = [execution(8, "running"), execution(7, "running")]
    pushed = [*LISTED[1:3], *began_since, *LISTED[1:]]

    assert taken(ExecutionFilter(latest_executions=3), pushed)[0] == [5, 4, 2]


def test_a_moment_of_another_time_zone_is_the_same_moment():
    elsewhere = dt.timezone(dt.timedelta(hours=5, minutes=30))
    selection = ExecutionFilter(started_after=hours_after(4).astimezone(elsewhere))

    assert taken(selection)[0] == [5]


def test_an_execution_that_started_exactly_then_does_not_fit():
    assert not ExecutionFilter(started_after=NOON).includes(LISTED[-1])


def test_executions_that_cannot_be_evaluated_are_returned_with_their_status():
    assert read(ALL_EXECUTIONS)[1] == {6: "running", 3: "failed"}


def test_what_is_older_than_the_last_that_fits_is_not_left_out():
    assert read(ExecutionFilter(latest_executions=2))[1] == {6: "running"}


def test_of_executions_by_their_ids_none_is_left_out():
    ids = frozenset({execution_id(6), execution_id(0)})

    assert read(ExecutionFilter(ids=ids))[:2] == ([6, 0], {})
