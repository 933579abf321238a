"""Polls and rounds: how often a target is polled, and when a poll is final."""

from __future__ import annotations

import asyncio
from collections import deque

import attrs
import pytest
from evaluation_values import RUN_TEST, call_of, config_id, execution, execution_id
from jumping_clock import now, on_a_jumping_clock

from futureagi_async import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    Delivery,
    NotAttemptedError,
    NotFoundError,
    RateLimitError,
    ServerError,
)
from futureagi_async.evaluation.overview import ExecutionFilter
from futureagi_async.evaluation.plan import EvaluationPhase
from futureagi_async.evaluation.poll_schedule import PollSchedule
from futureagi_async.evaluation.poller import Poller, PollTarget, poll_once
from futureagi_async.evaluation.results import ResultScope
from futureagi_async.types import (
    ExecutionStatus,
    GetSimulationRuns,
    ListTestExecutions,
    SimulationRuns,
    TestExecutionsPage,
)


def page(kind, results, **values):
    count = len(results)
    return kind(
        raw={},
        count=count,
        total_pages=1,
        current_page=1,
        results=tuple(results),
        **values,
    )


class Script:
    """Responds to each poll with the next scene: executions and calls, or an error.

    Args:
        scenes: `"evaluating, done, analyzing: -"`, say: the state of an execution, and
            what its calls have; other executions come after `" + "`.
    """

    def __init__(self, *scenes):
        self.scenes = deque(scenes)
        self.thorough = []

    async def __call__(self, request):
        if isinstance(self.scenes[0], Exception):
            raise self.scenes[0]
        states = [each.split(", ") for each in self.scenes[0].split(" + ")]
        if isinstance(request, ListTestExecutions):
            listed = [execution(n, state) for n, (state, *_) in enumerate(states)]
            return page(TestExecutionsPage, listed)
        assert isinstance(request, GetSimulationRuns)
        self.thorough[-1] = True
        numbers = {execution_id(n): n for n in range(len(states))}
        state, *calls = states[numbers[request.execution_id]]
        found = [attrs.evolve(call_of(each), id=str(n)) for n, each in enumerate(calls)]
        return page(
            SimulationRuns,
            found,
            execution_id=request.execution_id,
            status=ExecutionStatus(state),
        )

    async def look(self, target, when):
        self.thorough.append(False)
        found = await poll_once(self, target, lambda: when)
        if len(self.scenes) > 1:
            self.scenes.popleft()
        return found


def looked(*scenes, every=1.0, **target):
    """Return what each poll finds, and which of them have read the calls.

    A poll comes so many seconds after the one before.
    """

    async def main():
        script, watched = Script(*scenes), PollTarget(RUN_TEST, **target)
        found = [await script.look(watched, n * every) for n in range(len(scenes))]
        return found, script.thorough

    return asyncio.run(main())


FINISHED = EvaluationPhase.FINISHED
NOT_STARTED = EvaluationPhase.NOT_STARTED
MISSING = EvaluationPhase.MISSING
STUCK = EvaluationPhase.STUCK

CHOSEN = ExecutionFilter(ids=frozenset({execution_id(0), execution_id(1)}))


def test_most_polls_read_the_status_only_and_one_a_minute_the_results():
    found, thorough = looked(*["evaluating, pending"] * 20, every=10.0)

    assert found == [None] * 20
    # The first reads what nothing is known of, the others after 70 s.
    assert [n for n, each in enumerate(thorough, 1) if each] == [1, 8, 15]


def test_the_results_are_read_as_soon_as_the_status_of_an_execution_changes():
    found, thorough = looked(
        *["evaluating, pending + evaluating, pending"] * 4,
        "evaluating, pending + completed, done",
        "evaluating, pending + completed, done",
        "completed, done + completed, done",
    )

    assert found == [None] * 6 + [FINISHED]
    assert thorough == [True, False, False, False, True, False, True]


def test_the_results_are_read_as_soon_as_the_executions_are_others():
    found, thorough = looked(
        *["evaluating, pending"] * 4, "evaluating, pending + evaluating, done"
    )

    assert found == [None] * 5
    assert thorough == [True, False, False, False, True]


def test_while_nothing_is_evaluating_results_are_read_four_times_a_minute():
    scenes = ["completed, done -, - -"] * 9

    found, thorough = looked(*scenes, every=10.0, execution_filter=CHOSEN)

    # Every 20 s, and when the time to believe them has come.
    assert [n for n, each in enumerate(thorough, 1) if each] == [1, 3, 5, 7, 8, 9]
    assert found == [None] * 7 + [MISSING] * 2


def test_complete_results_need_no_second_poll():
    assert looked("completed, done") == ([FINISHED], [True])


CONTRADICTIONS = [
    ("evaluating, done", FINISHED),
    ("completed, done, analyzing: -", FINISHED),
    ("completed, pending", NOT_STARTED),
    ("completed, done, -", MISSING),
    ("evaluating", STUCK),
    ("evaluating, failed: done", STUCK),
]


@pytest.mark.parametrize(("scene", "verdict"), CONTRADICTIONS)
def test_a_contradiction_is_believed_when_it_has_not_changed_for_long(scene, verdict):
    found, _ = looked(*[scene] * 8, every=10.0)

    # From the first poll to that at 70 s, the first after more than 60 s.
    assert found == [None] * 7 + [verdict]


@pytest.mark.parametrize(("scene", "_verdict"), CONTRADICTIONS)
def test_no_number_of_polls_makes_a_contradiction_true(scene, _verdict):
    found, _ = looked(*[scene] * 61)

    assert set(found) == {None}


@pytest.mark.parametrize(("scene", "verdict"), CONTRADICTIONS)
def test_how_long_a_contradiction_must_last_can_be_set(scene, verdict):
    found, _ = looked(*[scene] * 4, stuck_after=2.5)

    assert found == [None, None, None, verdict]


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ("evaluating, done, pending", "evaluating, done, done", FINISHED),
        ("completed, done, -, -", "completed, done, done, -", MISSING),
        ("completed, pending, pending", "completed, done, pending", NOT_STARTED),
        ("completed, done, analyzing: -", "completed, done, ongoing: -", FINISHED),
        ("evaluating, failed: -", "evaluating, cancelled: -", STUCK),
    ],
)
def test_a_change_restarts_the_clock(before, after, verdict):
    found, _ = looked(*[before] * 7, *[after] * 8, every=10.0)

    assert found == [None] * 14 + [verdict]


def test_a_contradiction_that_has_gone_is_forgotten():
    found, _ = looked(
        *["evaluating, done"] * 7,
        "evaluating, pending",
        *["evaluating, done"] * 14,
        every=10.0,
    )

    # It is read at 70 s, when it is to be believed, at 140 s and at 210 s.
    assert found == [None] * 21 + [FINISHED]


@pytest.mark.parametrize(
    "scene",
    [
        "evaluating, pending",
        "evaluating, -",
        "evaluating, done, analyzing: done",
        "running, done",
        "cancelling, done",
    ],
)
def test_what_is_under_way_for_certain_is_under_way_for_ever(scene):
    scope = ResultScope((config_id(0),))

    found, _ = looked(*[scene] * 20, every=3600.0, scope=scope, execution_filter=CHOSEN)

    assert found == [None] * 20


def test_results_are_read_when_it_is_time_to_believe_them_and_not_before():
    found, thorough = looked(*["evaluating, done"] * 14, every=5.0)

    # The fourteenth poll is that after 65 s.
    assert [n for n, each in enumerate(thorough, 1) if each] == [1, 14]
    assert found == [None] * 13 + [FINISHED]


def test_only_the_requested_configs_are_polled():
    found, _ = looked("completed, done", scope=ResultScope((config_id(7),)))

    assert found == [MISSING]


def test_an_execution_that_was_cancelled_since_it_was_chosen_is_abandoned():
    found, _ = looked(
        "evaluating, pending + completed, done",
        "cancelled, pending + completed, done",
        execution_filter=CHOSEN,
    )

    assert found == [None, EvaluationPhase.ABANDONED]


def test_executions_that_are_not_evaluated_are_known_by_their_status():
    async def main():
        script, watched = Script("failed + completed, done"), PollTarget(RUN_TEST)
        await script.look(watched, 0.0)
        return watched.left_out

    assert asyncio.run(main()) == {execution_id(0): ExecutionStatus.FAILED}


CONTEXT = {"delivery": Delivery.NOT_SENT}
PASSING = [
    APIConnectionError("gone", **CONTEXT),
    APITimeoutError("late", **CONTEXT),
    RateLimitError("busy", status_code=429, **CONTEXT),
    ServerError("broken", status_code=502, **CONTEXT),
]
LASTING = [
    NotFoundError("none", status_code=404, **CONTEXT),
    AuthenticationError("no", status_code=401, **CONTEXT),
]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_the_third_transient_failure_in_a_row_is_final(error):
    found, _ = looked(error, error, error)

    assert found == [None, None, error]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_a_poll_that_works_resets_the_count_of_failures(error):
    found, _ = looked(
        error, error, "evaluating, pending", error, error, "completed, done"
    )

    assert found == [None] * 5 + [FINISHED]


def test_a_poll_that_reads_the_status_only_resets_the_count_of_failures_too():
    error, quiet = PASSING[0], "evaluating, pending"

    found, thorough = looked(quiet, quiet, error, quiet, quiet, error, error, quiet)

    assert found == [None] * 8
    assert thorough == [True] + [False] * 7


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_a_lasting_failure_is_final_at_once(error):
    assert looked(error)[0] == [error]


def test_a_poll_that_is_not_attempted_is_no_failure():
    late = NotAttemptedError("too late")

    assert looked(*[late] * 5)[0] == [None] * 5


class Round:
    """Poller over named things that end with a certain poll, and when each was seen."""

    def __init__(
        self, ends, *, random=lambda: 0.5, pause=1.0, workers=4, takes=0.0, slow=None
    ):
        self.ends = ends
        self.takes = takes
        self.slow = slow or {}
        self.seen = []
        self.in_work = self.most_in_work = 0
        self.given_up = []
        self.poller = Poller(
            self.visit,
            self.give_up,
            schedule=PollSchedule(pause, random),
            workers=workers,
        )

    def give_up(self, name):
        self.poller.remove(name)
        self.given_up.append((now(), name))

    async def visit(self, name):
        self.in_work += 1
        self.most_in_work = max(self.most_in_work, self.in_work)
        await asyncio.sleep(self.slow.get(name, self.takes))
        self.in_work -= 1
        self.seen.append((now(), name))
        if len([each for _, each in self.seen if each == name]) == self.ends.get(name):
            self.poller.remove(name)

    async def run(self, *, stop=lambda: False, deadline=None):
        for name in self.ends:
            self.poller.add(name)
        self.poller.close()
        await self.poller.run(stop, deadline)
        return self

    def moments_of(self, name):
        return [when for when, each in self.seen if each == name]


def test_every_target_is_polled_until_it_is_removed():
    async def main():
        return await Round({"a": 1, "b": 3, "c": 2}).run()

    names = [name for _, name in on_a_jumping_clock(main()).seen]
    assert sorted(names) == [*"abbbcc"]


def test_a_poll_comes_after_the_pause_of_its_schedule():
    async def main():
        return await Round({"a": 5}, pause=2.0).run()

    # At first after one pause, later when it is half as old again.
    moments = on_a_jumping_clock(main()).moments_of("a")
    assert moments == pytest.approx([2, 4, 6, 9, 13.5])


def test_so_many_targets_are_polled_at_a_time():
    async def main():
        names = dict.fromkeys("abcdefg", 2)
        return await Round(names, workers=3, takes=0.1).run()

    done = on_a_jumping_clock(main())
    assert sorted(name for _, name in done.seen) == sorted("abcdefg" * 2)
    assert done.most_in_work == 3


def test_a_target_that_is_added_later_is_polled_after_a_pause_of_its_own():
    async def main():
        round_ = Round({"a": 3, "b": 1})
        round_.poller.add("a")
        running = asyncio.create_task(round_.poller.run(lambda: False, None))
        await asyncio.sleep(1.25)
        round_.poller.add("b")
        round_.poller.close()
        await running
        return round_

    done = on_a_jumping_clock(main())
    assert done.moments_of("b") == pytest.approx([2.25])
    assert len(done.poller) == 0


def test_a_target_that_was_started_again_is_as_young_as_a_new_one():
    async def main():
        round_ = Round({"a": 9})
        round_.poller.add("a")
        running = asyncio.create_task(round_.poller.run(lambda: False, None))
        await asyncio.sleep(20)
        seen = len(round_.seen)
        round_.poller.add("a")
        round_.poller.close()
        await running
        return round_, seen

    round_, seen = on_a_jumping_clock(main())
    first, second = round_.moments_of("a")[seen : seen + 2]
    assert len(round_.poller) == 0
    assert second - first < 2  # and not half of its age


def test_without_targets_nothing_is_polled():
    async def main():
        round_ = Round({"a": 1})
        running = asyncio.create_task(round_.poller.run(lambda: False, None))
        await asyncio.sleep(100)
        round_.poller.add("a")
        await asyncio.sleep(100)
        round_.poller.close()
        await running
        return round_

    assert on_a_jumping_clock(main()).moments_of("a") == pytest.approx([101])


def test_a_poller_without_targets_returns_when_it_is_closed():
    async def main():
        round_ = await Round({}).run()
        return round_.seen, now()

    assert on_a_jumping_clock(main()) == ([], 0.0)


@pytest.mark.parametrize("waits", [True, False])
def test_the_deadline_cuts_a_pause_short_and_targets_expire(waits):
    async def main():
        round_ = Round({"a": None} if waits else {})
        if waits:
            round_.poller.add("a")
        await round_.poller.run(lambda: now() >= 10, deadline=10)
        return round_, now()

    round_, ended = on_a_jumping_clock(main())
    assert ended == 10
    # After 1, 2, 3, 4.5 and 6.75 seconds; the pause after that is cut short.
    assert len(round_.seen) == (5 if waits else 0)
    assert round_.given_up == ([(10, "a")] if waits else [])
    assert round_.poller.stopped


def test_a_stop_lets_polls_finish_and_starts_no_other():
    async def main():
        names = dict.fromkeys("abc", None)
        round_ = Round(names, workers=2, takes=0.2, slow={"a": 0.1})
        await round_.run(stop=lambda: bool(round_.seen))
        return round_

    done = on_a_jumping_clock(main())
    assert [name for _, name in done.seen] == ["a", "b"]
    assert sorted(name for _, name in done.given_up) == ["a", "b", "c"]


def test_a_slow_poll_holds_up_no_other_and_is_not_repeated_meanwhile():
    async def main():
        return await Round({"slow": 2, "a": 3, "b": 4}, slow={"slow": 50}).run()

    done = on_a_jumping_clock(main())
    assert [name for _, name in done.seen][-2:] == ["slow", "slow"]
    assert [len(done.moments_of(name)) for name in "ab"] == [3, 4]


def test_the_poller_returns_after_the_last_poll_without_another_pause():
    async def main():
        await Round({"slow": 1, "a": 9}, slow={"slow": 500}).run()
        return now()

    assert on_a_jumping_clock(main()) == 501


def test_slow_polls_take_no_more_slots_than_there_are():
    async def main():
        names = dict.fromkeys("abcde", 2)
        return await Round(names, workers=2, takes=40).run()

    done = on_a_jumping_clock(main())
    assert done.most_in_work == 2
    assert sorted(name for _, name in done.seen) == sorted("abcde" * 2)


@pytest.mark.parametrize("workers", [1, 4])
def test_at_the_deadline_all_targets_expire_except_those_being_polled(workers):
    async def main():
        names = {"slow": None, "a": None, "b": 1}
        round_ = Round(names, slow={"slow": 50}, workers=workers)
        await round_.run(stop=lambda: now() >= 10, deadline=10)
        return round_

    done = on_a_jumping_clock(main())
    ends = [(10, "a"), (10, "b"), (51, "slow")]
    assert done.given_up == (ends if workers == 1 else [ends[0], ends[2]])


def test_a_target_removed_during_a_pause_is_not_polled():
    async def main():
        round_ = Round({"a": 1})
        round_.poller.add("a")
        running = asyncio.create_task(round_.poller.run(lambda: False, None))
        await asyncio.sleep(0.5)
        round_.poller.remove("a")
        round_.poller.close()
        await running
        return round_.seen

    assert on_a_jumping_clock(main()) == []


def test_a_target_that_was_removed_leaves_the_others_their_polls():
    async def main():
        round_ = Round({"a": 1, "b": 1})
        for name in "ab":
            round_.poller.add(name)
        running = asyncio.create_task(round_.poller.run(lambda: False, None))
        await asyncio.sleep(0.5)
        round_.poller.remove("a")
        round_.poller.close()
        await running
        return round_.seen

    assert on_a_jumping_clock(main()) == [(1.0, "b")]


def test_the_deadline_ends_the_wait_for_a_slot():
    async def main():
        round_ = Round({"slow": None, "b": None}, workers=1, slow={"slow": 50})
        return await round_.run(stop=lambda: now() >= 10, deadline=10)

    done = on_a_jumping_clock(main())
    assert done.given_up == [(10, "b"), (51, "slow")]


def test_a_target_can_be_removed_twice():
    async def main():
        poller = Round({}).poller
        poller.add("a")
        poller.remove("a")
        poller.remove("a")
        return len(poller)

    assert on_a_jumping_clock(main()) == 0
