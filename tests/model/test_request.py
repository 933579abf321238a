"""Requests made of items: collections at once, iterators when they are read."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from futureagi_async import RunNewEvals
from futureagi_async.errors import InvalidRequestError
from futureagi_async.model.request import InvalidItem, Request, Result, build_requests


RUN_TEST = "b968b200-c57b-5aca-9c9f-60672e3183e7"


@attrs.frozen
class Ping(Request[Result]):
    """The smallest request there is."""

    number: int

    method = "GET"
    result_type = Result

    run_test_id = None
    path = "/ping/"
    body = None


def ping(item: Any) -> Ping:
    if item < 0:
        raise InvalidRequestError(f"{item} is negative")
    return Ping(item)


async def arriving(*items: Any):
    for item in items:
        yield item


@pytest.mark.parametrize(
    "items",
    [[1, 2], (1, 2), {1: "a", 2: "b"}, {1, 2}, range(1, 3), {1: 0, 2: 0}.keys()],
)
def test_a_request_is_made_of_each_item_of_a_collection(items):
    assert build_requests(items, ping, "items") == [Ping(1), Ping(2)]


def test_a_bad_item_of_a_collection_is_named_before_anything_is_sent():
    with pytest.raises(InvalidRequestError, match=r"^items\[2\]: -1 is negative$"):
        build_requests([1, 2, -1, -2], ping, "items")


def test_an_iterator_is_not_read_before_its_requests_are():
    read = []
    items = (read.append(number) or number for number in range(3))

    requests = iter(build_requests(items, ping, "items"))
    read_at_first = list(read)
    next(requests)

    assert read_at_first == []
    assert read == [0]


def test_a_bad_item_of_an_iterator_takes_the_place_of_its_request():
    first, second, third = build_requests(iter([1, -1, 3]), ping, "items")

    assert (first, third) == (Ping(1), Ping(3))
    assert isinstance(second, InvalidItem)
    assert second.item == -1
    assert str(second.error) == "items[1]: -1 is negative"


async def test_a_bad_item_of_an_asynchronous_iterable_takes_the_place_of_its_request():
    requests = build_requests(arriving(1, -1, 3), ping, "items")

    first, second, third = [each async for each in requests]

    assert (first, third) == (Ping(1), Ping(3))
    assert str(second.error) == "items[1]: -1 is negative"


async def test_an_asynchronous_iterable_is_not_read_before_its_requests_are():
    read = []

    async def items():
        for number in range(3):
            read.append(number)
            yield number

    requests = aiter(build_requests(items(), ping, "items"))
    read_at_first = list(read)
    await anext(requests)
    read_for_one = list(read)
    rest = [each async for each in requests]

    assert read_at_first == []
    assert read_for_one == [0]
    assert rest == [Ping(1), Ping(2)]


def test_an_error_of_the_caller_is_not_taken_for_a_bad_item():
    def items():
        yield 1
        raise LookupError

    with pytest.raises(LookupError):
        list(build_requests(items(), ping, "items"))


@pytest.mark.parametrize(
    ("items", "named"),
    [
        (None, "None"),
        (5, "an int"),
        ("abc", "a str"),
        (b"abc", "a bytes"),
        (Ping(1), "a Ping"),
    ],
)
def test_a_single_item_is_no_iterable(items, named):
    with pytest.raises(
        InvalidRequestError,
        match=f"^items: an iterable is expected, not {named}; put a single item into a list",
    ):
        build_requests(items, ping, "items")


def test_a_request_is_not_safe_to_repeat_unless_it_says_so():
    assert not Ping(1).idempotent


def test_a_request_objects_to_nothing_unless_it_says_so():
    assert Ping(1).validate_response(Result(raw={})) is None
    assert Ping(1).error_class(400, "no") is None


def test_a_request_without_the_parts_of_one_cannot_be_made():
    class Nothing(Request[Result]):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Nothing()


@pytest.mark.parametrize(
    ("item", "run_test_id"), [("abc", "abc"), (5, None), (None, None)]
)
def test_a_rejected_item_is_about_the_run_test_that_it_was_to_be(item, run_test_id):
    refused = InvalidItem(item, InvalidRequestError("no"))

    assert refused.run_test_id == run_test_id


async def test_an_invalid_item_raises_its_error_when_it_is_run():
    item = InvalidItem("abc", InvalidRequestError("no"))

    with pytest.raises(InvalidRequestError, match="no"):
        await item.run(None)


def test_results_are_compared_by_what_they_say():
    first = Result(raw={"a": 1}, request_id="r-1")
    second = Result(raw={"a": 2}, request_id="r-2")

    assert first == second
    assert first != Result(raw={}, warnings=("one",))


def test_the_raw_answer_is_not_shown():
    assert "raw" not in repr(Result(raw={"a": 1}))


def test_a_request_of_an_endpoint_is_one():
    assert isinstance(RunNewEvals(RUN_TEST, [RUN_TEST], select_all=True), Request)
