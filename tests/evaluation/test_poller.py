"""Looks and rounds: how often something is looked at, and when a look is believed."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import pairwise

import pytest
from evaluation_values import RUN_TEST, call, entries, execution
from hypothesis import given, strategies as st
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
from futureagi_async.evaluation.plan import EvaluationPhase
from futureagi_async.evaluation.poller import Rounds, Watched, look
from futureagi_async.types import (
    CallExecutionsPage,
    ListCallExecutions,
    TestExecutionsPage,
)


def page(kind, results, count=None):
    count = len(results) if count is None else count
    return kind(
        raw={}, count=count, total_pages=1, current_page=1, results=tuple(results)
    )


class Script:
    """Answers each look by the next scene: a state and results, or an error.

    Args:
        scenes: `"evaluating done"`, say: the state of the one execution, and what its
            one call has; `""` for the call that it does not have.
    """

    def __init__(self, *scenes):
        self.scenes = deque(scenes)
        self.thorough = []

    async def __call__(self, request):
        if isinstance(self.scenes[0], Exception):
            raise self.scenes[0]
        status, _, cells = self.scenes[0].partition(" ")
        if isinstance(request, ListCallExecutions):
            calls = [call(0, entries(cells))] if cells else []
            return page(CallExecutionsPage, calls)
        if request.limit == 1:
            return page(TestExecutionsPage, (), count=int(status == "evaluating"))
        self.thorough[-1] = True
        return page(TestExecutionsPage, [execution(0, status)])

    async def look(self, watched):
        self.thorough.append(False)
        found = await look(self, watched)
        if len(self.scenes) > 1:
            self.scenes.popleft()
        return found


def looked(*scenes, config_ids=None):
    """What each look finds, until one finds an end, and which of them were thorough."""

    async def main():
        script = Script(*scenes)
        watched = Watched(RUN_TEST, config_ids=config_ids)
        found = [await script.look(watched) for _ in scenes]
        return found, script.thorough

    return asyncio.run(main())


FINISHED = EvaluationPhase.FINISHED


def test_most_looks_only_count_and_those_of_a_power_of_two_read_the_calls():
    found, thorough = looked(*["evaluating pending"] * 20)

    assert found == [None] * 20
    assert [n for n, each in enumerate(thorough, 1) if each] == [2, 4, 8, 16]


def test_the_end_is_read_as_soon_as_nothing_is_evaluating():
    found, thorough = looked(*["evaluating pending"] * 5, "completed done")

    assert found == [None] * 5 + [FINISHED]
    assert thorough == [False, True, False, True, False, True]


def test_results_that_are_all_there_are_believed_at_once():
    assert looked("completed done") == ([FINISHED], [True])


@pytest.mark.parametrize(
    ("scene", "verdict"),
    [
        ("evaluating done", FINISHED),
        ("completed pending", EvaluationPhase.NOT_STARTED),
        ("evaluating", EvaluationPhase.STUCK),
    ],
)
def test_what_contradicts_itself_is_believed_when_seen_twice(scene, verdict):
    found, thorough = looked("evaluating pending", scene, scene)

    assert found == [None, None, verdict]
    assert thorough == [False, True, True]


def test_a_contradiction_that_has_gone_is_forgotten():
    found, _ = looked(
        "evaluating pending",
        "evaluating done",
        "evaluating pending",
        "evaluating done",
        "evaluating done",
    )

    assert found == [None, None, None, None, FINISHED]


def test_one_contradiction_does_not_confirm_another():
    found, _ = looked("completed pending", "evaluating", "evaluating")

    assert found == [None, None, EvaluationPhase.STUCK]


def test_only_the_configs_that_are_meant_are_looked_at():
    found, _ = looked("completed done", config_ids=["another"])

    assert found == [EvaluationPhase.MISSING]


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
def test_a_failure_that_can_pass_is_an_end_when_it_came_three_times(error):
    found, _ = looked(error, error, error)

    assert found == [None, None, error]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_a_look_that_works_again_forgets_the_failures_before_it(error):
    found, _ = looked(
        error, error, "evaluating pending", error, error, "completed done"
    )

    # The third look only counts what is evaluating; that is a look like any other.
    assert found == [None] * 5 + [FINISHED]


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_a_failure_that_will_not_pass_is_an_end_at_once(error):
    assert looked(error)[0] == [error]


def test_a_look_that_may_not_be_made_any_more_is_no_failure():
    late = NotAttemptedError("too late")

    assert looked(*[late] * 5)[0] == [None] * 5


class Round:
    """Rounds over named things that end in a certain round, and when each was seen."""

    def __init__(
        self,
        ends,
        *,
        random=lambda: 0.5,
        pause=1.0,
        workers=4,
        takes=0.0,
        slow=None,
    ):
        self.ends = ends
        self.takes = takes
        self.slow = slow or {}
        self.seen = []
        self.in_work = self.most_in_work = 0
        self.given_up = []
        self.rounds = Rounds(
            self.visit, self.give_up, pause=pause, workers=workers, random=random
        )

    def give_up(self, name):
        self.rounds.leave(name)
        self.given_up.append((now(), name))

    async def visit(self, name):
        self.in_work += 1
        self.most_in_work = max(self.most_in_work, self.in_work)
        await asyncio.sleep(self.slow.get(name, self.takes))
        self.in_work -= 1
        self.seen.append((now(), name))
        if len([each for _, each in self.seen if each == name]) == self.ends.get(name):
            self.rounds.leave(name)

    @property
    def moments(self):
        return sorted({when for when, _ in self.seen})

    @property
    def pauses(self):
        moments = [0.0, *self.moments]
        return [later - earlier for earlier, later in pairwise(moments)]

    async def run(self, *, stop=lambda: False, latest=None):
        for name in self.ends:
            self.rounds.enter(name)
        self.rounds.close()
        await self.rounds.run(stop, latest)
        return self


def test_pauses_grow_while_nothing_ends_and_are_short_again_after_an_end():
    async def main():
        return await Round({"a": 3, "b": 5}).run()

    assert on_a_jumping_clock(main()).pauses == pytest.approx([1, 1.5, 2.25, 1, 1.5])


def test_no_pause_is_longer_than_fifteen_times_the_first():
    async def main():
        return await Round({"a": 12}, pause=2.0).run()

    pauses = on_a_jumping_clock(main()).pauses
    assert pauses[:3] == pytest.approx([2, 3, 4.5])
    assert pauses[-3:] == pytest.approx([30, 30, 30])


@given(st.floats(0, 1, exclude_max=True))
def test_a_pause_is_a_fifth_shorter_or_longer_at_most(share):
    async def main():
        return await Round({"a": 1}, random=lambda: share).run()

    (pause,) = on_a_jumping_clock(main()).pauses
    assert 0.8 <= pause <= 1.2
    assert pause == pytest.approx(0.8 + 0.4 * share)


def test_all_that_waits_shares_a_round_and_so_many_are_looked_at_at_a_time():
    async def main():
        names = dict.fromkeys("abcdefg", 2)
        return await Round(names, workers=3, takes=0.1).run()

    done = on_a_jumping_clock(main())
    assert [name for _, name in done.seen] == list("abcdefg" * 2)
    assert done.most_in_work == 3


def test_what_enters_during_a_round_is_looked_at_in_the_next():
    async def main():
        round_ = Round({"a": 2, "b": 1}, takes=0.1)
        round_.rounds.enter("a")
        running = asyncio.create_task(round_.rounds.run(lambda: False, None))
        await asyncio.sleep(1.05)
        round_.rounds.enter("b")
        round_.rounds.close()
        await running
        return round_

    done = on_a_jumping_clock(main())
    assert [name for _, name in done.seen] == ["a", "a", "b"]
    assert len(done.rounds) == 0


def test_while_nothing_waits_no_round_is_made():
    async def main():
        round_ = Round({"a": 1})
        running = asyncio.create_task(round_.rounds.run(lambda: False, None))
        await asyncio.sleep(100)
        round_.rounds.enter("a")
        await asyncio.sleep(100)
        round_.rounds.close()
        await running
        return round_

    assert on_a_jumping_clock(main()).moments == pytest.approx([101])


def test_rounds_of_nothing_end_when_they_are_closed():
    async def main():
        rounds = Rounds(pytest.fail, pytest.fail, pause=1.0, workers=1)
        rounds.close()
        await rounds.run(lambda: False, None)
        return now()

    assert on_a_jumping_clock(main()) == 0.0


@pytest.mark.parametrize("waits", [True, False])
def test_the_deadline_ends_a_pause_and_leaves_what_waits(waits):
    async def main():
        round_ = Round({"a": None} if waits else {})
        if waits:
            round_.rounds.enter("a")
        await round_.rounds.run(lambda: now() >= 10, latest=10)
        return round_, now()

    round_, ended = on_a_jumping_clock(main())
    assert ended == 10
    # After 1, 2.5, 4.75 and 8.125 seconds; the pause after that is cut short.
    assert len(round_.moments) == (4 if waits else 0)
    assert round_.given_up == ([(10, "a")] if waits else [])
    assert round_.rounds.are_over


def test_a_stop_during_a_round_lets_visits_end_and_begins_no_other():
    async def main():
        names = dict.fromkeys("abc", None)
        round_ = Round(names, workers=2, takes=0.2, slow={"a": 0.1})
        await round_.run(stop=lambda: bool(round_.seen))
        return round_

    done = on_a_jumping_clock(main())
    assert [name for _, name in done.seen] == ["a", "b"]
    assert sorted(name for _, name in done.given_up) == ["a", "b", "c"]


def test_a_slow_visit_holds_up_nobody_and_is_not_made_twice_at_a_time():
    async def main():
        return await Round({"slow": 2, "a": 3, "b": 4}, slow={"slow": 50}).run()

    done = on_a_jumping_clock(main())
    assert [name for _, name in done.seen] == [*"ababab", "b", "slow", "slow"]
    assert done.most_in_work == 3


def test_rounds_end_with_the_last_visit_without_another_pause():
    async def main():
        await Round({"slow": 1, "a": 9}, slow={"slow": 500}).run()
        return now()

    assert on_a_jumping_clock(main()) == 501


def test_slow_visits_take_no_more_places_than_there_are():
    async def main():
        names = dict.fromkeys("abcde", 2)
        return await Round(names, workers=2, takes=40).run()

    done = on_a_jumping_clock(main())
    assert done.most_in_work == 2
    assert sorted(name for _, name in done.seen) == sorted("abcde" * 2)


@pytest.mark.parametrize("workers", [1, 4])
def test_at_the_deadline_all_is_given_up_at_once_except_what_is_being_visited(workers):
    async def main():
        names = {"slow": None, "a": None, "b": 1}
        round_ = Round(names, slow={"slow": 50}, workers=workers)
        await round_.run(stop=lambda: now() >= 10, latest=10)
        return round_

    done = on_a_jumping_clock(main())
    ends = [(10, "a"), (10, "b"), (51, "slow")]
    assert done.given_up == (ends if workers == 1 else [ends[0], ends[2]])


def test_whoever_leaves_during_a_pause_is_not_looked_at():
    async def main():
        round_ = Round({"a": 1})
        round_.rounds.enter("a")
        running = asyncio.create_task(round_.rounds.run(lambda: False, None))
        await asyncio.sleep(0.5)
        round_.rounds.leave("a")
        round_.rounds.close()
        await running
        return round_.seen

    assert on_a_jumping_clock(main()) == []


def test_whoever_leaves_twice_does_no_harm():
    async def main():
        rounds = Rounds(pytest.fail, pytest.fail, pause=1.0, workers=1)
        rounds.enter("a")
        rounds.leave("a")
        rounds.leave("a")
        return len(rounds)

    assert on_a_jumping_clock(main()) == 0
