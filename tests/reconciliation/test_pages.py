"""Lists in pages: counted, and never followed."""

from __future__ import annotations

import asyncio
import json
import tracemalloc

import pytest
from reconciling_service import (
    RulesSender,
    answered,
    client_of,
    failure,
    on_a_jumping_clock,
    small_world,
)

from futureagi_async import Delivery, NotFoundError, ServerError
from futureagi_async.endpoints.list_call_executions import ListCallExecutions
from futureagi_async.endpoints.list_test_executions import (
    ListTestExecutions,
    TestExecution,
    TestExecutionsPage,
)
from futureagi_async.model.page import Paginator
from futureagi_async.types import ExecutionStatus


RUN_TEST = small_world().run_test_ids[0]


def read_all(sender, list_of):
    """Everything on all pages of two."""
    return on_a_jumping_clock(
        collected(Paginator(client_of(sender).send, list_of(RUN_TEST, limit=2)))
    )


async def collected(iterator):
    return [each async for each in iterator]


@pytest.mark.parametrize(
    ("entries", "pages"), [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (5, 3)]
)
def test_every_page_is_read_once_and_none_past_the_end(entries, pages):
    sender = RulesSender(small_world(executions=entries))

    found = read_all(sender, ListTestExecutions)

    rows = sender.service.world.run_tests.get(RUN_TEST).executions
    assert [each.id for each in found] == [each.id for each in reversed(rows)]
    assert [each.path.partition("?")[2] for each in sender.sent] == [
        f"page={number}&limit=2" for number in range(1, pages + 1)
    ]


@pytest.mark.parametrize("calls", [0, 1, 2, 3])
def test_calls_are_read_in_the_same_way(calls):
    sender = RulesSender(small_world(executions=3, calls=calls))

    found = read_all(sender, ListCallExecutions)

    assert len({each.id for each in found}) == 3 * calls
    assert len(sender.sent) == max(1, (3 * calls + 1) // 2)


def test_the_address_of_the_next_page_is_never_followed():
    def page(number):
        body = {
            "count": 2,
            "next": "http://only-inside.example/simulate/?page=7",
            "previous": None,
            "results": [{"id": str(number), "status": "Completed"}],
            "total_pages": 2,
            "current_page": number,
        }
        return answered(200, json.dumps(body).encode())

    sender = RulesSender(small_world())
    sender.on_read = page

    found = read_all(sender, ListTestExecutions)

    assert [each.id for each in found] == ["1", "2"]
    assert all(each.path.startswith("/simulate/run-tests/") for each in sender.sent)


def test_a_page_that_fails_fails_the_list():
    sender = RulesSender(small_world(executions=5))
    sender.on_read = lambda number: answered(500) if number > 1 else None
    client = client_of(sender)

    error = on_a_jumping_clock(
        failure(
            collected(Paginator(client.send, ListTestExecutions(RUN_TEST, limit=2)))
        )
    )

    assert type(error) is ServerError
    assert error.attempts == 3


class Listing:
    """A list that changes while it is read; it answers in the way of the service.

    `changes` are called one after the other, one after each read, with the entries.
    """

    def __init__(self, count, *changes, limit=2):
        self.entries = list(range(count))
        self.limit = limit
        self.changes = iter(changes)
        self.asked = []

    def page(self, request):
        self.asked.append(request.page)
        total = max(1, -(-len(self.entries) // self.limit))
        if request.page > total:
            raise ServerError(
                "Invalid page.", status_code=500, delivery=Delivery.UNKNOWN
            )
        start = (request.page - 1) * self.limit
        shown = self.entries[start : start + self.limit]
        page = page_of(shown, total, count=len(self.entries), number=request.page)
        next(self.changes, lambda entries: None)(self.entries)
        return page


def page_of(names, total, *, count=0, number=1):
    """A page of executions with these ids."""
    results = tuple(
        TestExecution(id=str(name), status=ExecutionStatus.COMPLETED) for name in names
    )
    return TestExecutionsPage(
        raw={}, results=results, count=count, total_pages=total, current_page=number
    )


def paginator(page, request):
    async def read(request):
        return page(request)

    return Paginator(read, request)


def one_by_one(page, request):
    """Ids of the entries, as `async for` reads them."""
    return [each.id for each in asyncio.run(collected(paginator(page, request)))]


def by_page(page, request):
    """Ids of the entries, as the blocking client reads them."""

    async def read():
        pages = paginator(page, request)
        ids = []
        while entries := await pages.next_entries():
            ids += [each.id for each in entries]
        return ids

    return asyncio.run(read())


BOTH = pytest.mark.parametrize("ids_of", [one_by_one, by_page])
FIRST = ListTestExecutions(RUN_TEST, limit=2)


def nothing(entries):
    pass


@BOTH
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
def test_every_entry_is_given_once_and_in_order(ids_of, count):
    listing = Listing(count)

    assert ids_of(listing.page, FIRST) == [str(each) for each in range(count)]
    assert listing.asked == list(range(1, max(1, (count + 1) // 2) + 1))


@BOTH
def test_reading_begins_with_the_page_that_is_requested(ids_of):
    listing = Listing(5)

    assert ids_of(listing.page, FIRST.with_page(2)) == ["2", "3", "4"]
    assert listing.asked == [2, 3]


@BOTH
@pytest.mark.parametrize("new", [["a"], ["a", "b"]])
def test_entries_that_new_ones_push_onto_the_next_page_are_given_once(ids_of, new):
    listing = Listing(4, lambda entries: entries.__setitem__(slice(0, 0), new))

    assert ids_of(listing.page, FIRST) == ["0", "1", "2", "3"]


@BOTH
def test_a_list_that_grows_is_read_to_its_newest_end(ids_of):
    listing = Listing(4, nothing, lambda entries: entries.extend([4, 5, 6]))

    assert ids_of(listing.page, FIRST) == ["0", "1", "2", "3"]
    assert listing.asked == [1, 2]

    listing = Listing(4, lambda entries: entries.extend([4, 5, 6]))
    assert ids_of(listing.page, FIRST) == [str(each) for each in range(7)]


@BOTH
def test_a_list_whose_last_page_vanishes_is_read_again(ids_of):
    listing = Listing(5, nothing, lambda entries: entries.pop())

    assert ids_of(listing.page, FIRST) == ["0", "1", "2", "3"]
    assert listing.asked == [1, 2, 3, 1, 1, 2]


@BOTH
def test_a_list_that_becomes_empty_ends_there(ids_of):
    listing = Listing(6, lambda entries: entries.clear())

    assert ids_of(listing.page, FIRST) == ["0", "1"]
    assert listing.asked == [1, 2, 1, 1]


@BOTH
@pytest.mark.parametrize("count", [3, 4, 6])
def test_a_page_that_fails_although_it_should_be_there_fails_the_list(ids_of, count):
    problem = ServerError("broken", status_code=500, delivery=Delivery.UNKNOWN)
    listing = Listing(count)

    def page(request):
        if request.page == 2:
            raise problem
        return listing.page(request)

    with pytest.raises(ServerError) as caught:
        ids_of(page, FIRST)

    assert caught.value is problem
    assert listing.asked == [1, 1]


@BOTH
def test_a_service_that_fails_for_good_is_reported_by_its_first_failure(ids_of):
    listing = Listing(6)
    problems = []

    def page(request):
        if not listing.asked:
            return listing.page(request)
        problems.append(
            ServerError(str(request), status_code=502, delivery=Delivery.UNKNOWN)
        )
        raise problems[-1]

    with pytest.raises(ServerError) as caught:
        ids_of(page, FIRST)

    assert caught.value is problems[0]
    assert len(problems) == 2


@BOTH
def test_a_first_page_that_fails_fails_the_list(ids_of):
    problem = ServerError("broken", status_code=500, delivery=Delivery.UNKNOWN)
    asked = []

    def page(request):
        asked.append(request)
        raise problem

    with pytest.raises(ServerError):
        ids_of(page, FIRST)

    assert asked == [FIRST]


@BOTH
def test_another_error_ends_the_list_at_once(ids_of):
    listing = Listing(6)

    def page(request):
        if request.page == 2:
            raise NotFoundError("gone", status_code=404, delivery=Delivery.REJECTED)
        return listing.page(request)

    with pytest.raises(NotFoundError):
        ids_of(page, FIRST)

    assert listing.asked == [1]


@BOTH
@pytest.mark.parametrize("total", [-1, 0, 1])
def test_a_list_that_says_it_has_no_pages_is_read_once(ids_of, total):
    asked = []

    def page(request):
        asked.append(request.page)
        return page_of(["a"], total)

    assert ids_of(page, FIRST) == ["a"]
    assert asked == [1]


@BOTH
def test_pages_that_promise_one_more_for_ever_end_with_the_first_empty_one(ids_of):
    asked = []

    def page(request):
        asked.append(request.page)
        assert len(asked) < 10, "it is read for ever"
        entries = [request.page] if request.page < 4 else []
        return page_of(entries, request.page + 1)

    assert ids_of(page, FIRST) == ["1", "2", "3"]
    assert asked == [1, 2, 3, 4]


@BOTH
def test_pages_that_are_all_the_same_are_read_as_often_as_there_are(ids_of):
    asked = []

    def page(request):
        asked.append(request.page)
        return page_of(["a", "b"], 3)

    assert ids_of(page, FIRST) == ["a", "b"]
    assert asked == [1, 2, 3]


async def test_no_page_is_read_before_it_is_needed():
    listing = Listing(5)
    iterator = paginator(listing.page, FIRST)

    assert listing.asked == []
    assert [(await anext(iterator)).id, (await anext(iterator)).id] == ["0", "1"]
    assert listing.asked == [1]
    assert (await anext(iterator)).id == "2"
    assert listing.asked == [1, 2]


async def test_a_page_that_could_not_be_read_is_read_again_by_the_next_call():
    listing = Listing(3)
    problems = [NotFoundError("gone", status_code=404, delivery=Delivery.REJECTED)]

    def page(request):
        if request.page == 2 and problems:
            raise problems.pop()
        return listing.page(request)

    pages = paginator(page, FIRST)
    await pages.next_entries()
    with pytest.raises(NotFoundError):
        await pages.next_entries()

    assert [each.id for each in await pages.next_entries()] == ["2"]
    assert await pages.next_entries() == []


async def length(iterator):
    count = 0
    async for _ in iterator:
        count += 1
    return count


def test_a_long_list_takes_the_memory_of_its_ids():
    def peak(pages):
        def page(request):
            names = [request.page * 100 + each for each in range(100)]
            return page_of(names, pages)

        tracemalloc.start()
        count = asyncio.run(length(paginator(page, FIRST)))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count == 100 * pages
        return most

    peak(3)

    assert peak(300) < peak(10) + 29_000 * 150
