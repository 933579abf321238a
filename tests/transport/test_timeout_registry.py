"""Deadlines: one timer for all, and the task is cancelled by nothing else."""

from __future__ import annotations

import asyncio
import math

import pytest
from jumping_clock import now, on_a_jumping_clock

from futureagi_async.transport.timeouts import TimeoutRegistry


SOON, LATE = 0.01, 100.0


async def waits(registry: TimeoutRegistry, seconds: float | None) -> None:
    with registry.after(seconds):
        await asyncio.Event().wait()


@pytest.fixture
async def registry():
    return TimeoutRegistry(asyncio.get_running_loop())


async def test_what_comes_late_ends_with_a_timeout(registry):
    with pytest.raises(TimeoutError):
        await waits(registry, SOON)

    assert not asyncio.current_task().cancelling()
    assert not registry._active


async def test_what_is_done_in_time_is_left_alone(registry):
    with registry.after(LATE):
        await asyncio.sleep(0)

    assert not registry._active


async def test_one_timer_serves_calls_that_come_and_go(registry):
    with registry.after(LATE):
        timer = registry._timer
    for _ in range(10):
        with registry.after(2 * LATE):
            assert registry._timer is timer


async def test_the_timer_is_set_anew_for_an_earlier_deadline(registry):
    with registry.after(LATE), pytest.raises(TimeoutError):
        await waits(registry, SOON)


def test_each_of_several_ends_at_its_own_deadline():
    ended = []

    async def end(registry, seconds):
        with pytest.raises(TimeoutError):
            await waits(registry, seconds)
        ended.append((now(), seconds))

    async def main():
        registry = TimeoutRegistry(asyncio.get_running_loop())
        await asyncio.gather(*(end(registry, each) for each in (3, 1, 2)))

    on_a_jumping_clock(main())

    assert ended == [(1, 1), (2, 2), (3, 3)]


async def test_a_deadline_that_was_moved_away_does_not_come(registry):
    with registry.after(SOON) as deadline:
        deadline.reschedule(math.inf)
        with pytest.raises(TimeoutError):
            await waits(registry, 3 * SOON)


async def test_a_deadline_that_was_moved_here_comes(registry):
    with pytest.raises(TimeoutError):  # noqa: SIM117 - the block is what is tested
        with registry.after(None) as deadline:
            deadline.reschedule(registry.now() + SOON)
            await asyncio.Event().wait()


async def test_all_come_when_they_are_told_to(registry):
    tasks = [asyncio.create_task(waits(registry, each)) for each in (None, LATE)]
    await asyncio.sleep(0)

    registry.expire_all()
    registry.expire_all()

    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in ends] == [TimeoutError, TimeoutError]
    assert not any(task.cancelling() for task in tasks)


async def test_what_is_ready_goes_on_before_all_are_told_to_end(registry):
    answer = asyncio.get_running_loop().create_future()

    async def wait_for_answer():
        with registry.after(LATE):
            return await answer

    task = asyncio.create_task(wait_for_answer())
    await asyncio.sleep(0)

    answer.set_result("done")
    registry.expire_all()

    assert await task == "done"


async def test_a_cancellation_from_outside_stays_one(registry):
    task = asyncio.create_task(waits(registry, LATE))
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_from_outside_wins_over_a_deadline(registry):
    task = asyncio.create_task(waits(registry, LATE))
    await asyncio.sleep(0)

    (deadline,) = registry._active
    deadline.expire()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_was_cancelled_before_can_still_have_a_deadline(registry):
    async def go_on_when_cancelled():
        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()
        await waits(registry, SOON)

    task = asyncio.create_task(go_on_when_cancelled())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(TimeoutError):
        await task


async def test_an_exception_of_the_call_comes_through_a_deadline_that_has_come(
    registry,
):
    async def fail_when_cancelled():
        with registry.after(SOON):
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
