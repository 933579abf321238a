"""Run tests by the hundred: when the list is read, and when one by one is better."""

from __future__ import annotations

import asyncio

import pytest

from futureagi_async import Delivery, GetRunTest, NotAttemptedError, ServerError
from futureagi_async.evaluation.directory import RunTestDirectory
from futureagi_async.types import ListRunTests, RunTest, RunTestsPage


def id_of(number):
    return f"{number:08x}-0000-4000-8000-000000000000"


def fields(number):
    return {
        "id": id_of(number),
        "name": f"run test {number}",
        "enable_tool_evaluation": False,
        "simulate_eval_configs_detail": [],
    }


class Service:
    """A list of run tests, that can fail."""

    def __init__(self, count, *, broken=False):
        self.count, self.broken = count, broken
        self.sent = []

    async def __call__(self, request):
        self.sent.append(type(request))
        await asyncio.sleep(0)
        if isinstance(request, GetRunTest):
            found = int(request.run_test_id[:8], 16)
            return RunTest(raw={}, **fields(found))
        if isinstance(self.broken, Exception):
            raise self.broken
        begin = (request.page - 1) * request.limit
        numbers = range(begin, min(begin + request.limit, self.count))
        results = [{} if self.broken else fields(number) for number in numbers]
        return RunTestsPage(
            raw={"results": results},
            count=self.count,
            total_pages=-(-self.count // request.limit),
            current_page=request.page,
            results=(),
        )

    async def find(self, directory, numbers):
        """Find run tests at the same time; return which were read just now."""
        found = await asyncio.gather(
            *(directory.find(self, id_of(number)) for number in numbers)
        )
        assert [run_test.id for run_test, _ in found] == list(map(id_of, numbers))
        return [is_now for _, is_now in found]

    @property
    def pages(self):
        return self.sent.count(ListRunTests)


def test_few_run_tests_are_read_one_by_one():
    service = Service(1000)

    asyncio.run(service.find(RunTestDirectory(19), range(19)))

    assert service.sent == [GetRunTest] * 19


def test_many_run_tests_are_read_by_the_hundred():
    service = Service(250)

    read_now = asyncio.run(service.find(RunTestDirectory(250), range(250)))

    assert service.sent == [ListRunTests] * 3
    assert not any(read_now)


def test_a_part_of_too_many_is_read_one_by_one():
    service = Service(1000)

    asyncio.run(service.find(RunTestDirectory(100), range(100)))

    assert service.pages == 1


def test_of_an_input_of_unknown_length_as_many_are_expected_as_were_asked_for():
    service = Service(100)

    asyncio.run(service.find(RunTestDirectory(None), range(60)))

    assert service.pages == 1
    assert service.sent.count(GetRunTest) == 9


def test_a_run_test_that_is_not_listed_is_read_when_the_list_has_ended():
    service = Service(30)
    directory = RunTestDirectory(30)

    read_now = asyncio.run(service.find(directory, [99, 98, *range(28)]))

    assert read_now == [True, True] + [False] * 28
    assert service.sent.count(GetRunTest) == 2


def test_an_entry_is_used_for_five_minutes():
    service, clock = Service(30), iter([0.0, *[301.0] * 9])
    directory = RunTestDirectory(30, now=lambda: next(clock))

    async def main():
        first = await service.find(directory, [0])
        return first + await service.find(directory, [1])

    assert asyncio.run(main()) == [True, True]


@pytest.mark.parametrize(
    "broken", [True, ServerError("no", status_code=500, delivery=Delivery.NOT_SENT)]
)
def test_without_a_list_run_tests_are_read_one_by_one(broken):
    service = Service(100, broken=broken)

    asyncio.run(service.find(RunTestDirectory(50), range(50)))

    assert service.pages == 1
    assert service.sent.count(GetRunTest) == 50


def test_a_deadline_is_not_taken_for_a_list_that_cannot_be_read():
    service = Service(100, broken=NotAttemptedError("too late"))

    with pytest.raises(NotAttemptedError):
        asyncio.run(service.find(RunTestDirectory(50), [0]))


def test_no_more_run_tests_are_kept_than_can_be_asked_for_soon():
    service = Service(10_000)
    directory = RunTestDirectory(10_000)

    async def main():
        return [await directory.find(service, id_of(9_999)) for _ in range(1)]

    asyncio.run(main())

    assert service.pages == 20
    assert service.sent[-1] is GetRunTest
