"""Lists in pages: counted, and never followed."""

from __future__ import annotations

import json

import pytest
from settling_service import (
    RulesSender,
    answered,
    client_of,
    failure,
    on_a_jumping_clock,
    small_world,
)

from futureagi_async import ServerError
from futureagi_async.endpoints.list_call_executions import ListCallExecutions
from futureagi_async.endpoints.list_test_executions import ListTestExecutions
from futureagi_async.pages import all_results


RUN_TEST = small_world().run_test_ids[0]


def read_all(sender, list_of):
    """Everything on all pages of two."""
    return on_a_jumping_clock(
        all_results(client_of(sender).send, lambda page: list_of(RUN_TEST, page, 2))
    )


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


def test_a_page_that_fails_fails_the_whole_list():
    sender = RulesSender(small_world(executions=5))
    sender.on_read = lambda number: answered(500) if number > 1 else None
    client = client_of(sender)

    error = on_a_jumping_clock(
        failure(
            all_results(client.send, lambda page: ListTestExecutions(RUN_TEST, page, 2))
        )
    )

    assert type(error) is ServerError
    assert error.attempts == 3
