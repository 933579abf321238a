"""Deadlines: one timer for all, and the task is cancelled by nothing else."""

from __future__ import annotations

import asyncio
import math

import pytest
from jumping_clock import now, on_a_jumping_clock

from futureagi_async.transport.timeouts import TimeoutRegistry


SOON, LATE = 0.01, 100.0


async def waits(deadlines: TimeoutRegistry, seconds: float | None) -> None:
    with deadlines.after(seconds):
        await asyncio.Event().wait()


@pytest.fixture
async def deadlines():
    return TimeoutRegistry(asyncio.get_running_loop())


async def test_what_comes_late_ends_with_a_timeout(deadlines):
    with pytest.raises(TimeoutError):
        await waits(deadlines, SOON)

    assert not asyncio.current_task().cancelling()
    assert not deadlines._under_way


async def test_what_is_done_in_time_is_left_alone(deadlines):
    with deadlines.after(LATE):
        await asyncio.sleep(0)

    assert not deadlines._under_way


async def test_one_timer_serves_calls_that_come_and_go(deadlines):
    with deadlines.after(LATE):
        timer = deadlines._timer
    for _ in range(10):
        with deadlines.after(2 * LATE):
            assert deadlines._timer is timer


async def test_the_timer_is_set_anew_for_an_earlier_deadline(deadlines):
    with deadlines.after(LATE), pytest.raises(TimeoutError):
        await waits(deadlines, SOON)


def test_each_of_several_ends_at_its_own_deadline():
    ended = []

    async def end(deadlines, seconds):
        with pytest.raises(TimeoutError):
            await waits(deadlines, seconds)
        ended.append((now(), seconds))

    async def main():
        deadlines = TimeoutRegistry(asyncio.get_running_loop())
        await asyncio.gather(*(end(deadlines, each) for each in (3, 1, 2)))

    on_a_jumping_clock(main())

    assert ended == [(1, 1), (2, 2), (3, 3)]


async def test_a_deadline_that_was_moved_away_does_not_come(deadlines):
    with deadlines.after(SOON) as deadline:
        deadline.move(math.inf)
        with pytest.raises(TimeoutError):
            await waits(deadlines, 3 * SOON)


async def test_a_deadline_that_was_moved_here_comes(deadlines):
    with pytest.raises(TimeoutError):  # noqa: SIM117 - the block is what is tested
        with deadlines.after(None) as deadline:
            deadline.move(deadlines.now() + SOON)
            await asyncio.Event().wait()


async def test_all_come_when_they_are_told_to(deadlines):
    tasks = [asyncio.create_task(waits(deadlines, each)) for each in (None, LATE)]
    await asyncio.sleep(0)

    deadlines.expire_all()
    deadlines.expire_all()

    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in ends] == [TimeoutError, TimeoutError]
    assert not any(task.cancelling() for task in tasks)


async def test_what_is_ready_goes_on_before_all_are_told_to_end(deadlines):
    answer = asyncio.get_running_loop().create_future()

    async def wait_for_answer():
        with deadlines.after(LATE):
            return await answer

    task = asyncio.create_task(wait_for_answer())
    await asyncio.sleep(0)

    answer.set_result("done")
    deadlines.expire_all()

    assert await task == "done"


async def test_a_cancellation_from_outside_stays_one(deadlines):
    task = asyncio.create_task(waits(deadlines, LATE))
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_from_outside_wins_over_a_deadline(deadlines):
    task = asyncio.create_task(waits(deadlines, LATE))
    await asyncio.sleep(0)

    (deadline,) = deadlines._under_way
    deadline.expire()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_was_cancelled_before_can_still_have_a_deadline(deadlines):
    async def go_on_when_cancelled():
        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()
        await waits(deadlines, SOON)

    task = asyncio.create_task(go_on_when_cancelled())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(TimeoutError):
        await task


async def test_an_exception_of_the_call_comes_through_a_deadline_that_has_come(
    deadlines,
):
    async def fail_when_cancelled():
        with deadlines.after(SOON):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise KeyError from None

    with pytest.raises(KeyError):
        await fail_when_cancelled()
    assert not asyncio.current_task().cancelling()


def test_telling_the_calls_of_a_loop_that_has_ended_is_harmless():
    async def make():
        return TimeoutRegistry(asyncio.get_running_loop())

    asyncio.run(make()).expire_all()
