"""Run tests that are read from a list while others are being evaluated."""

from __future__ import annotations

import pytest

from futureagi_async import EvaluationStatus, RateLimitError, ServerError


LONG = {"timeout": 60, "poll_interval": 0.01}


@pytest.fixture(params=[429, 503])
def turned_away(request, emulator):
    """Have the list be turned away oftener than a request by itself is repeated."""
    return emulator.faults.add(
        "status", status=request.param, retry_after=0, times=5, endpoint="run_tests"
    )


async def test_a_throttled_list_does_not_interrupt_the_evaluation_that_reads_it(
    turned_away, connect, configs
):
    async with connect() as client:
        report = await client.evaluate(client.list_run_tests(), configs, **LONG)

    assert [each.status for each in report] == [EvaluationStatus.SCORED] * 8
    assert turned_away.hits == 5


def test_a_throttled_list_does_not_interrupt_the_blocking_client(
    turned_away, client, configs
):
    report = client.evaluate(client.list_run_tests(), configs, **LONG)

    assert [each.status for each in report] == [EvaluationStatus.SCORED] * 8
    assert turned_away.hits == 5


@pytest.mark.parametrize("status", [429, 500])
def test_a_list_that_is_throttled_for_longer_is_an_error(emulator, client, status):
    fault = emulator.faults.add(
        "status", status=status, retry_after=99, endpoint="run_tests"
    )

    with pytest.raises((RateLimitError, ServerError)):
        next(client.list_run_tests())

    assert fault.hits <= 3
