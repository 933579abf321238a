"""Lists in pages that change while they are read: nothing lost, nothing repeated."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from hypothesis import example, given, strategies as st

from futureagi_async import (
    APITimeoutError,
    Delivery,
    ListChangedError,
    ResponseTooLargeError,
    ServerError,
    UnexpectedResponseError,
)
from futureagi_async.endpoints.list_run_tests import ListRunTests
from futureagi_async.model.page import MAX_EMPTY_PAGES, MAX_READINGS, Paginator


HOLE = "-"


class Listing:
    """A list of names, newest first, that changes between two reads of a page.

    `-` is the place of a deleted entry, which is counted and not shown.
    """

    def __init__(self, names, changes=(), *, past_the_end="empty"):
        self.names = list(names)
        self.changes = list(changes)
        self.past_the_end = past_the_end
        self.asked = []

    async def read(self, request):
        if self.asked and self.changes:
            self.changes.pop(0)(self.names)
        self.asked.append((request.page, request.limit))
        count = len(self.names)
        total = -(-count // request.limit)
        if request.page > max(1, total) and self.past_the_end == "error":
            raise ServerError("no page", status_code=500, delivery=Delivery.UNKNOWN)
        shown = self.names[request.offset : request.offset + request.limit]
        results = [SimpleNamespace(id=each) for each in shown if each != HOLE]
        return page_of(results, count, total)

    def everything(self, limit=2, **options):
        return asyncio.run(collect(Paginator(self.read, listed(limit), **options)))


def listed(limit, page=1):
    return ListRunTests(None, page, limit)


def page_of(results, count, total):
    return SimpleNamespace(results=results, count=count, total_pages=total)


async def collect(paginator):
    return [each.id async for each in paginator]


def prepend(*names):
    return lambda entries: entries.__setitem__(slice(0, 0), names)


def remove(*names):
    def change(entries):
        for name in names:
            entries.remove(name)

    return change


def move_to_front(*names):
    def change(entries):
        for name in names:
            entries.remove(name)
            entries.insert(0, name)

    return change


def leave_hole(*names):
    """A deleted call: its place moves to the front as well."""

    def change(entries):
        for name in names:
            entries.remove(name)
            entries.insert(0, HOLE)

    return change


def nothing(entries):
    pass


@pytest.mark.parametrize(
    "names", ["", "a", "abcde", "-", "--", "--ab", "a--b-c---d", "ab--"]
)
@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_holes_and_empty_pages_end_nothing(names, limit):
    listing = Listing(names)

    assert listing.everything(limit) == [each for each in names if each != HOLE]


def test_a_list_without_holes_is_read_with_one_request_a_page():
    listing = Listing("abcde")

    listing.everything()

    assert listing.asked == [(1, 2), (2, 2), (3, 2)]


def test_the_start_of_a_list_with_holes_is_looked_at_once_more():
    listing = Listing("--ab-c")

    assert listing.everything() == ["a", "b", "c"]
    assert listing.asked == [(1, 2), (2, 2), (3, 2), (1, 2)]


def test_a_page_with_holes_is_read_once_if_it_is_the_only_one():
    listing = Listing("-a")

    assert listing.everything() == ["a"]
    assert listing.asked == [(1, 2)]


def test_new_entries_make_others_appear_again_and_are_no_reason_to_read_again():
    listing = Listing("abcd", [prepend("x", "y", "z")])

    assert listing.everything() == ["a", "b", "z", "c", "d"]
    assert listing.asked == [(1, 2), (2, 2), (3, 2), (4, 2)]


@pytest.mark.parametrize(
    ("change", "remaining"),
    [
        (remove("a"), "bcdef"),
        (remove("a", "b"), "cdef"),
        (move_to_front("f"), "abcdef"),
        (move_to_front("f", "e", "d"), "abcdef"),
        (lambda names: (remove("b")(names), prepend("x")(names)), "acdef"),
        (lambda names: (move_to_front("e")(names), remove("a")(names)), "bcdef"),
        (remove("f"), "abcde"),
    ],
)
def test_an_entry_that_moved_to_a_page_that_was_read_is_found(change, remaining):
    listing = Listing("abcdef", [change])

    found = listing.everything()

    assert set(remaining) <= set(found) <= set("abcdefx")
    assert len(found) == len(set(found))


def test_an_entry_whose_move_is_hidden_by_a_hole_is_found():
    listing = Listing("a-bcdY", [nothing, move_to_front("Y")])

    assert sorted(listing.everything()) == ["Y", "a", "b", "c", "d"]


def test_a_list_whose_last_page_vanishes_is_read_again():
    listing = Listing("abcde", [nothing, remove("a", "b")], past_the_end="error")

    assert sorted(listing.everything()) == ["a", "b", "c", "d", "e"]


def test_a_list_that_is_shorter_than_the_page_it_is_read_from_is_empty():
    listing = Listing("abc", past_the_end="error")

    assert asyncio.run(collect(Paginator(listing.read, listed(2, page=5)))) == []
    assert listing.asked == [(5, 2), (1, 2)]


def test_a_list_is_read_again_from_the_page_where_it_began():
    listing = Listing("abcdefgh", [nothing, remove("c")])

    found = asyncio.run(collect(Paginator(listing.read, listed(2, page=2))))

    assert sorted(found) == ["c", "d", "e", "f", "g", "h"]
    assert [page for page, _ in listing.asked] == [2, 3, 4, 2, 3, 4]


def failing_once(listing, number, error):
    """The same list, of which the read with this number fails."""
    reads = iter(range(1, 100))

    async def read(request):
        if next(reads) == number:
            raise error
        return await listing.read(request)

    return read


BROKEN = ServerError("broken", status_code=500, delivery=Delivery.UNKNOWN)


async def test_the_last_entries_are_delivered_before_the_start_is_looked_at_again():
    paginator = Paginator(failing_once(Listing("-abc"), 3, BROKEN), listed(2))

    assert [each.id for each in await paginator.next_entries()] == ["a"]
    assert [each.id for each in await paginator.next_entries()] == ["b", "c"]
    with pytest.raises(ServerError, match="broken"):
        await paginator.next_entries()
    assert await paginator.next_entries() == []


async def test_entries_of_a_page_that_shows_a_change_are_delivered_before_the_error():
    listing = Listing("abcdefgh", [always_moving] * 6)
    paginator = Paginator(listing.read, listed(3))
    found = []

    with pytest.raises(ListChangedError):
        while entries := await paginator.next_entries():
            found += [each.id for each in entries]

    seen = {each.id for each in await paginator.next_entries()}
    assert not seen & set(found)
    assert len(found) == len(set(found)) >= 3 * MAX_READINGS - 3


@pytest.mark.parametrize("number", [3, 4])
def test_a_start_that_became_too_large_is_read_in_smaller_pages(number):
    listing = Listing("-abc")
    read = failing_once(listing, number, too_large(2))

    assert asyncio.run(collect(Paginator(read, listed(2)))) == ["a", "b", "c"]


def test_a_list_that_became_shorter_and_too_large_is_read_in_smaller_pages():
    listing = Listing("abcde", [nothing, remove("a", "b")], past_the_end="error")
    read = failing_once(listing, 4, too_large(2))

    assert sorted(asyncio.run(collect(Paginator(read, listed(2))))) == list("abcde")


def test_a_page_that_vanished_and_came_back_is_a_change():
    changes = [nothing, remove("e"), prepend("x"), nothing]
    listing = Listing("abcde", changes, past_the_end="error")

    assert set("abcd") <= set(listing.everything())


def always_moving(names):
    names.insert(0, names.pop())


def test_a_list_that_changes_every_time_is_reported():
    listing = Listing("abcdefgh", [always_moving] * 100)

    with pytest.raises(
        ListChangedError, match=f"each of the {MAX_READINGS} times"
    ) as e:
        listing.everything()

    assert e.value.delivery is Delivery.REJECTED


async def test_what_was_delivered_before_such_an_error_is_not_delivered_again():
    listing = Listing("abcdefgh", [always_moving] * 6)
    paginator = Paginator(listing.read, listed(2))
    found = []

    with pytest.raises(ListChangedError):
        while entries := await paginator.next_entries():
            found += [each.id for each in entries]
    found += await collect(paginator)

    assert sorted(found) == list("abcdefgh")


async def test_only_the_pages_of_a_list_are_marked_as_divisible():
    marked = []

    async def read(request):
        marked.append(request.is_divisible)
        return page_of([SimpleNamespace(id=f"e{len(marked)}")], 2, 2)

    await collect(Paginator(read, listed(1)))

    assert marked == [True, True]
    assert not listed(1).is_divisible
    assert listed(1).as_divisible() == listed(1)


def test_entries_that_are_not_wanted_are_left_out():
    listing = Listing("abcde")

    assert listing.everything(keep=lambda each: each.id in "bd") == ["b", "d"]


async def test_a_page_without_wanted_entries_is_no_end():
    paginator = Paginator(Listing("abcde").read, listed(2), lambda each: each.id == "e")

    assert [each.id for each in await paginator.next_entries()] == ["e"]
    assert await paginator.next_entries() == []


def endless(count):
    """Pages that are empty, of which there are said to be a million."""
    asked = []

    async def read(request):
        asked.append(request.page)
        return page_of([], count, 10**6)

    return read, asked


def test_empty_pages_without_a_place_in_the_list_end_it():
    read, asked = endless(count=3)

    assert asyncio.run(collect(Paginator(read, listed(2)))) == []
    assert asked == [1, 2, 3]


def test_empty_pages_without_end_are_an_error():
    read, asked = endless(count=10**9)

    with pytest.raises(UnexpectedResponseError, match="1000 pages before page 1001"):
        asyncio.run(collect(Paginator(read, listed(2))))

    assert len(asked) == MAX_EMPTY_PAGES + 1


def test_pages_that_are_all_the_same_are_reported():
    async def read(request):
        return page_of([SimpleNamespace(id="a"), SimpleNamespace(id="b")], 4, 2)

    with pytest.raises(ListChangedError):
        asyncio.run(collect(Paginator(read, listed(2))))


def too_large(limit):
    return ResponseTooLargeError(
        f"{limit} entries", status_code=200, delivery=Delivery.UNKNOWN
    )


def timed_out(limit):
    return APITimeoutError(f"{limit} entries", delivery=Delivery.UNKNOWN)


def heavy(listing, is_too_heavy, error=too_large):
    """The same list, of which some pages cannot be read."""

    async def read(request):
        shown = listing.names[request.offset : request.offset + request.limit]
        if is_too_heavy(shown):
            listing.asked.append((request.page, request.limit))
            raise error(request.limit)
        return await listing.read(request)

    return read


@pytest.mark.parametrize("error", [too_large, timed_out])
def test_a_page_that_cannot_be_read_is_read_in_halves(error):
    listing = Listing("abcdefgh")
    read = heavy(listing, lambda shown: "f" in shown and len(shown) > 1, error)

    assert asyncio.run(collect(Paginator(read, listed(4)))) == list("abcdefgh")
    assert listing.asked == [
        (1, 4), (2, 4), (3, 2), (5, 1), (6, 1), (7, 1), (8, 1),
    ]  # fmt: skip


def test_the_sizes_of_pages_divide_each_other():
    listing = Listing(str(number) for number in range(250))
    read = heavy(listing, lambda shown: len(shown) > 1)

    found = asyncio.run(collect(Paginator(read, listed(100))))

    assert found == [str(number) for number in range(250)]
    assert [limit for _, limit in listing.asked[:6]] == [100, 50, 25, 5, 1, 1]


@pytest.mark.parametrize("error", [too_large, timed_out])
def test_a_single_entry_that_cannot_be_read_is_an_error(error):
    listing = Listing("abc")

    with pytest.raises((ResponseTooLargeError, APITimeoutError), match="1 entries"):
        asyncio.run(
            collect(Paginator(heavy(listing, lambda shown: True, error), listed(2)))
        )

    assert listing.asked == [(1, 2), (1, 1)]


def test_a_connection_that_takes_too_long_says_nothing_about_the_page():
    async def read(request):
        raise APITimeoutError("connecting", delivery=Delivery.NOT_SENT)

    with pytest.raises(APITimeoutError, match="connecting"):
        asyncio.run(collect(Paginator(read, listed(2))))


CHANGES = st.one_of(
    st.tuples(st.just("new")),
    st.tuples(st.just("remove"), st.integers(0, 30)),
    st.tuples(st.just("hole"), st.integers(0, 30)),
)


def as_change(drawn, number):
    def change(names):
        entries = [each for each in names if each != HOLE]
        if drawn[0] == "new":
            prepend(f"new-{number}")(names)
        elif entries:
            name = entries[drawn[1] % len(entries)]
            {"remove": remove, "hole": leave_hole, "move": move_to_front}[drawn[0]](
                name
            )(names)

    return change


def check(names, drawn, limit, past_the_end, is_too_heavy=None):
    """Read a changing list; what stays in it is found once, or the change is reported."""
    changes = [as_change(each, number) for number, each in enumerate(drawn)]
    listing = Listing(names, changes, past_the_end=past_the_end)
    read = heavy(listing, is_too_heavy) if is_too_heavy else listing.read
    try:
        found = asyncio.run(collect(Paginator(read, listed(limit))))
    except ListChangedError:
        assert drawn
        return
    staying = set(names) & set(listing.names) - {HOLE}
    assert staying <= set(found)
    assert len(found) == len(set(found))


PLACES = st.integers(0, 25).map(lambda count: [f"e{n}" for n in range(count)])
LIMITS = st.sampled_from([1, 2, 3, 4, 10])
PAST_THE_END = st.sampled_from(["empty", "error"])


@given(
    PLACES,
    st.lists(
        CHANGES | st.tuples(st.just("move"), st.integers(0, 30)),
        max_size=8,
    ).filter(lambda drawn: not any(kind == "hole" for kind, *_ in drawn)),
    LIMITS,
    PAST_THE_END,
)
@example(["e0", "e1", "e2"], [("move", 2)], 1, "error")
def test_no_entry_of_a_changing_list_is_lost_or_repeated(
    names, drawn, limit, past_the_end
):
    check(names, drawn, limit, past_the_end)


@given(
    st.lists(st.booleans(), max_size=25),
    st.lists(CHANGES, max_size=8),
    LIMITS,
    PAST_THE_END,
)
def test_nor_is_one_of_a_list_with_holes(places, drawn, limit, past_the_end):
    names = [f"e{n}" if is_there else HOLE for n, is_there in enumerate(places)]

    check(names, drawn, limit, past_the_end)


@given(
    st.lists(st.booleans(), max_size=25),
    st.integers(0, 30),
    st.integers(0, 12),
    st.sampled_from([2, 3, 4, 10]),
)
def test_nor_is_one_that_moves_in_such_a_list(places, moved, when, limit):
    names = [f"e{n}" if is_there else HOLE for n, is_there in enumerate(places)]
    listing = Listing(names, [nothing] * when + [as_change(("move", moved), 0)])

    found = listing.everything(limit)

    assert sorted(found) == sorted(set(names) - {HOLE})


@given(
    PLACES,
    st.lists(
        CHANGES | st.tuples(st.just("move"), st.integers(0, 30)), max_size=4
    ).filter(lambda drawn: not any(kind == "hole" for kind, *_ in drawn)),
    st.sampled_from([4, 6, 7, 100]),
    st.sets(st.integers(0, 25)),
)
def test_nor_is_one_of_a_list_that_is_read_in_ever_smaller_pages(
    names, drawn, limit, heavy_ones
):
    weights = {f"e{n}" for n in heavy_ones}

    check(
        names,
        drawn,
        limit,
        "error",
        lambda shown: len(shown) > 1 and len(weights.intersection(shown)) > 0,
    )
