"""Worlds that are made up, and made only where somebody looks.

An id holds the place of its row, so that no table of ids is needed:

    iiiiiiii-eeee-4ccc-8kkk-ssssssssssss

`i` is the run test, `e` the execution, `c` the call, `k` the kind of row, `s` the seed.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, overload

from futureagi_async.emulator.rows import (
    MOMENT,
    ApiKey,
    Call,
    Execution,
    RunTest,
    Scenario,
    Template,
)


T = TypeVar("T")

PLACE = re.compile(
    r"([0-9a-f]{8})-([0-9a-f]{4})-4([0-9a-f]{3})-8([0-9a-f]{3})-([0-9a-f]{12})"
)

RUN_TEST, EXECUTION, CALL, TEMPLATE, SCENARIO, ORGANIZATION, WORKSPACE = range(7)

MOST_RUN_TESTS = 16**8
MOST_EXECUTIONS = 16**4
MOST_CALLS = 16**3
MOST_SEEDS = 16**12

# Names of templates that the service has, so that what users write looks familiar.
TEMPLATES = (
    ("tone", "choices", "output"),
    ("contains", "Pass/Fail", "text"),
    ("is_json", "Pass/Fail", "text"),
    ("task_completion", "Pass/Fail", "output"),
    ("embedding_similarity", "score", "text"),
)


def place_id(
    kind: int, seed: int, index: int = 0, execution: int = 0, call: int = 0
) -> str:
    """The id of the row at a place."""
    return f"{index:08x}-{execution:04x}-4{call:03x}-8{kind:03x}-{seed:012x}"


def synthetic_key(seed: int) -> ApiKey:
    """The one key of a synthetic world."""
    return ApiKey(
        name="owner",
        api_key=f"emulator-api-key-{seed}",
        secret_key=f"emulator-secret-key-{seed}",
        organization=place_id(ORGANIZATION, seed),
        workspace=place_id(WORKSPACE, seed),
    )


def synthetic_templates(count: int, seed: int) -> list[Template]:
    """System templates; behind the known names they are numbered."""
    made: list[Template] = []
    for index in range(count):
        name, output_type, key = TEMPLATES[index % len(TEMPLATES)]
        number = index // len(TEMPLATES)
        made.append(
            Template(
                id=place_id(TEMPLATE, seed, index),
                name=f"{name}_{number}" if number else name,
                output_type=output_type,
                required_keys=(key,),
            )
        )
    return made


class Lazy(Sequence[T], Generic[T]):
    """A sequence whose items are made when they are asked for.

    Args:
        places: Where the items stand.
        make: Makes the item of a place.
    """

    def __init__(self, places: Sequence[int], make: Callable[[int], T]) -> None:
        self.places = places
        self.make = make

    def __len__(self) -> int:
        """How many items there are, made or not."""
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Lazy[T]: ...
    def __getitem__(self, index: int | slice) -> T | Lazy[T]:
        """One item, or the items of a slice (which are not made yet)."""
        if isinstance(index, slice):
            return Lazy(self.places[index], self.make)
        return self.make(self.places[index])


class SyntheticRunTests:
    """Run tests that come into being when they are looked at, and then stay.

    Args:
        count: How many there are.
        executions: How many executions each has.
        calls: How many calls each execution has.
        seed: Part of every id.

    Raises:
        ValueError: A number is negative or does not fit into an id.
    """

    def __init__(self, count: int, executions: int, calls: int, seed: int) -> None:
        check_size("run_tests", count, MOST_RUN_TESTS)
        check_size("executions", executions, MOST_EXECUTIONS)
        check_size("calls", calls, MOST_CALLS)
        check_size("seed", seed, MOST_SEEDS - 1)
        self.count = count
        self.executions = executions
        self.calls = calls
        self.seed = seed
        self.owner: ApiKey = synthetic_key(seed)
        self.scenarios: tuple[Scenario, ...] = (
            Scenario(place_id(SCENARIO, seed), "Scenario 0"),
        )
        self.made: dict[str, RunTest] = {}

    @property
    def ids(self) -> Sequence[str]:
        """All ids in order of creation."""
        return Lazy(range(self.count), self.run_test_id)

    def get(self, run_test_id: str) -> RunTest | None:
        """The run test with this id."""
        return self.made.get(run_test_id) or self.at(run_test_id, RUN_TEST)

    def of_execution(self, execution_id: str) -> RunTest | None:
        """The run test that has this execution."""
        return self.at(execution_id, EXECUTION)

    def of_call(self, call_id: str) -> RunTest | None:
        """The run test that has this call."""
        return self.at(call_id, CALL)

    def seen_by(self, key: ApiKey, search: str = "") -> Sequence[RunTest]:
        """All of them, newest first, or those whose name or agent is searched for."""
        if key.workspace != self.owner.workspace:
            return ()
        places: Sequence[int] = range(self.count - 1, -1, -1)
        wanted = search.lower()
        if wanted and wanted not in AGENT.lower():
            places = [place for place in places if wanted in run_test_name(place)]
        return Lazy(places, self.run_test)

    def named(self, name: str, organization: str) -> RunTest | None:
        """The run test with exactly this name."""
        number = name.removeprefix(run_test_name(""))
        if organization != self.owner.organization or not number.isdecimal():
            return None
        place = int(number)
        exists = place < self.count and run_test_name(place) == name
        return self.run_test(place) if exists else None

    def at(self, row_id: str, kind: int) -> RunTest | None:
        """The run test that a row of this kind belongs to, if there is such a row."""
        match = PLACE.fullmatch(row_id)
        if not match:
            return None
        index, execution, call, found, seed = (int(part, 16) for part in match.groups())
        exists = (
            (found, seed) == (kind, self.seed)
            and index < self.count
            and (kind == RUN_TEST or execution < self.executions)
            and (kind != CALL or call < self.calls)
        )
        return self.run_test(index) if exists else None

    def run_test_id(self, index: int) -> str:
        """The id of the run test at a place."""
        return place_id(RUN_TEST, self.seed, index)

    def run_test(self, index: int) -> RunTest:
        """The run test at a place, made now if nobody asked before."""
        run_test_id = self.run_test_id(index)
        found = self.made.get(run_test_id)
        if found is None:
            found = self.made[run_test_id] = self.new_run_test(index, run_test_id)
        return found

    def new_run_test(self, index: int, run_test_id: str) -> RunTest:
        """A run test as it is before anybody changed it."""
        return RunTest(
            id=run_test_id,
            name=run_test_name(index),
            organization=self.owner.organization,
            workspace=self.owner.workspace,
            agent_name=AGENT,
            scenarios=self.scenarios,
            executions=[
                Execution(
                    place_id(EXECUTION, self.seed, index, execution),
                    calls=[
                        Call(place_id(CALL, self.seed, index, execution, call))
                        for call in range(self.calls)
                    ],
                    start_time=day(execution),
                )
                for execution in range(self.executions)
            ],
        )


AGENT = "Synthetic agent"


@functools.cache
def day(number: int) -> str:
    """When the execution of this number began: one a day, the newest last."""
    first = dt.datetime.fromisoformat(MOMENT)
    return f"{first + dt.timedelta(days=number):%Y-%m-%dT%H:%M:%SZ}"


def run_test_name(index: int | str) -> str:
    """The name of the run test at a place."""
    return f"run test {index}"


def check_size(name: str, value: int, most: int) -> None:
    """Numbers must be whole, and fit into ids or wherever else they go."""
    if not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(
            f"{name} must be a whole number between 0 and {most}, not {value!r}"
        )
