"""Worlds that are made up, row by row, when the rows are first used.

An id contains the position of its row, so that no table of ids is needed:

    iiiiiiii-eeee-4ccc-8kkk-ssssssssssss

`i` is the run test, `e` the execution, `c` the call, `k` the kind of row, `s` the seed.
"""

import datetime as dt
import enum
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Self, TypeVar, overload

from futureagi_async.emulator.rows import (
    DEFAULT_TIME,
    ApiKey,
    Call,
    Execution,
    RunTest,
    Scenario,
    Template,
)


_T = TypeVar("_T")

_ID_PATTERN = re.compile(
    r"([0-9a-f]{8})-([0-9a-f]{4})-4([0-9a-f]{3})-8([0-9a-f]{3})-([0-9a-f]{12})"
)


class RowKind(enum.IntEnum):
    """The kinds of rows, as ids contain them."""

    RUN_TEST = 0
    EXECUTION = 1
    CALL = 2
    TEMPLATE = 3
    SCENARIO = 4
    ORGANIZATION = 5
    WORKSPACE = 6
    CONFIG = 7
    SNAPSHOT = 8


MAX_RUN_TESTS = 16**8
MAX_EXECUTIONS = 16**4
MAX_CALLS = 16**3
MAX_SEED = 16**12 - 1

# Names of templates that the service has, so that what users write looks familiar.
_TEMPLATES = (
    ("tone", "choices", "output"),
    ("contains", "Pass/Fail", "text"),
    ("is_json", "Pass/Fail", "text"),
    ("task_completion", "Pass/Fail", "output"),
    ("embedding_similarity", "score", "text"),
)

AGENT = "Synthetic agent"
"""The name of the agent of every run test."""

_CALL_SECONDS = 40
"""How long every call lasted."""


def row_id(
    kind: RowKind, seed: int, index: int = 0, execution: int = 0, call: int = 0
) -> str:
    """Return the id of the row at a position."""
    return f"{index:08x}-{execution:04x}-4{call:03x}-8{kind:03x}-{seed:012x}"


def synthetic_key(seed: int) -> ApiKey:
    """Return the one key of a synthetic world."""
    return ApiKey(
        name="owner",
        api_key=f"emulator-api-key-{seed}",
        secret_key=f"emulator-secret-key-{seed}",
        organization=row_id(RowKind.ORGANIZATION, seed),
        workspace=row_id(RowKind.WORKSPACE, seed),
    )


def synthetic_templates(count: int, seed: int) -> list[Template]:
    """Make system templates; after the known names they are numbered."""
    return [_synthetic_template(index, seed) for index in range(count)]


def _synthetic_template(index: int, seed: int) -> Template:
    """Make the system template at a position."""
    number, known = divmod(index, len(_TEMPLATES))
    name, output_type, key = _TEMPLATES[known]
    return Template(
        id=row_id(RowKind.TEMPLATE, seed, index),
        name=f"{name}_{number}" if number else name,
        output_type=output_type,
        required_keys=(key,),
    )


class _LazySequence(Sequence[_T], Generic[_T]):
    """A sequence whose items are made when they are read.

    Args:
        indexes: the positions of the items.
        make: makes the item at a position.
    """

    def __init__(self, indexes: Sequence[int], make: Callable[[int], _T]) -> None:
        self._indexes = indexes
        self._make = make

    def __len__(self) -> int:
        """Return how many items there are, made or not."""
        return len(self._indexes)

    @overload
    def __getitem__(self, index: int) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> _T | Self:
        """Return one item, or the items of a slice, which are not made yet."""
        if isinstance(index, slice):
            return type(self)(self._indexes[index], self._make)
        return self._make(self._indexes[index])


class SyntheticRunTests:
    """Run tests that are made when they are first used, and then stored.

    Args:
        count: how many there are.
        executions: how many executions each has.
        calls: how many calls each execution has.
        seed: part of every id.

    Raises:
        ValueError: a number is negative or does not fit into an id.
    """

    def __init__(self, count: int, executions: int, calls: int, seed: int) -> None:
        check_whole_number("run_tests", count, MAX_RUN_TESTS)
        check_whole_number("executions", executions, MAX_EXECUTIONS)
        check_whole_number("calls", calls, MAX_CALLS)
        check_whole_number("seed", seed, MAX_SEED)
        self._count = count
        self._executions = executions
        self._calls = calls
        self._seed = seed
        self._owner = synthetic_key(seed)
        self._scenarios = (Scenario(row_id(RowKind.SCENARIO, seed), "Scenario 0"),)
        self._made: dict[str, RunTest] = {}
        self._adopted: dict[str, RunTest] = {}

    @property
    def ids(self) -> Sequence[str]:
        """All ids in order of creation."""
        return _LazySequence(range(self._count), self._run_test_id)

    def used(self) -> Iterator[RunTest]:
        """Iterate over those that are made already."""
        return iter(self._made.values())

    def get(self, run_test_id: str) -> RunTest | None:
        """Return the run test with this id."""
        return self._made.get(run_test_id) or self._find(run_test_id, RowKind.RUN_TEST)

    def of_execution(self, execution_id: str) -> RunTest | None:
        """Return the run test that has this execution."""
        return self._adopted.get(execution_id) or self._find(
            execution_id, RowKind.EXECUTION
        )

    def of_call(self, call_id: str) -> RunTest | None:
        """Return the run test that has this call."""
        return self._adopted.get(call_id) or self._find(call_id, RowKind.CALL)

    def adopt(self, run_test: RunTest, row: Execution | Call) -> None:
        """Remember that a new execution or call belongs to a run test."""
        self._adopted[row.id] = run_test

    def forget(self, row: Execution | Call) -> None:
        """Forget a new execution or call."""
        del self._adopted[row.id]

    def visible_to(self, key: ApiKey, search: str = "") -> Sequence[RunTest]:
        """Return all of them, newest first, or those with a matching name or agent."""
        if key.workspace != self._owner.workspace:
            return ()
        indexes: Sequence[int] = range(self._count - 1, -1, -1)
        text = search.lower()
        if text and text not in AGENT.lower():
            indexes = [index for index in indexes if text in self._name(index)]
        return _LazySequence(indexes, self._run_test)

    def find(self, name: str, organization: str) -> RunTest | None:
        """Return the run test with exactly this name."""
        number = name.rpartition(" ")[2]
        if organization != self._owner.organization or not number.isdecimal():
            return None
        index = int(number)
        exists = index < self._count and self._name(index) == name
        return self._run_test(index) if exists else None

    def _find(self, text: str, kind: RowKind) -> RunTest | None:
        """Return the run test that a row of this kind belongs to, if it exists."""
        match = _ID_PATTERN.fullmatch(text)
        if not match:
            return None
        index, execution, call, found, seed = (int(part, 16) for part in match.groups())
        exists = (
            (found, seed) == (kind, self._seed)
            and index < self._count
            and (kind == RowKind.RUN_TEST or self._has(execution, call))
        )
        return self._run_test(index) if exists else None

    def _run_test_id(self, index: int) -> str:
        """Return the id of the run test at a position."""
        return row_id(RowKind.RUN_TEST, self._seed, index)

    def _run_test(self, index: int) -> RunTest:
        """Return the run test at a position; make it on its first use."""
        run_test_id = self._run_test_id(index)
        if run_test_id not in self._made:
            self._made[run_test_id] = self._new_run_test(index, run_test_id)
        return self._made[run_test_id]

    def _has(self, execution: int, call: int) -> bool:
        """Return whether every run test has a row at these positions."""
        return execution < self._executions and call < max(1, self._calls)

    def _name(self, index: int) -> str:
        """Return the name of the run test at a position; it ends with the position."""
        return f"run test {index}"

    def _new_run_test(self, index: int, run_test_id: str) -> RunTest:
        """Make a run test that nothing has changed."""
        return RunTest(
            id=run_test_id,
            name=self._name(index),
            organization=self._owner.organization,
            workspace=row_id(RowKind.WORKSPACE, self._seed),
            agent_name=AGENT,
            scenarios=self._scenarios,
            executions=[
                Execution(
                    row_id(RowKind.EXECUTION, self._seed, index, execution),
                    calls=[
                        Call(
                            row_id(RowKind.CALL, self._seed, index, execution, call),
                            duration_seconds=_CALL_SECONDS,
                        )
                        for call in range(self._calls)
                    ],
                    created_at=_start_time(execution),
                    started_at=_start_time(execution),
                    completed_at=_start_time(execution),
                    total_calls=self._calls,
                    completed_calls=self._calls,
                )
                for execution in range(self._executions)
            ],
        )


@functools.cache
def _start_time(execution: int) -> dt.datetime:
    """Return when an execution started: one a day, the newest last."""
    return DEFAULT_TIME + dt.timedelta(days=execution)


def check_whole_number(
    name: str, value: int, maximum: int, *, minimum: int = 0
) -> None:
    """Raise `ValueError` unless a value is a whole number within its bounds."""
    if not isinstance(value, int) or not minimum <= value <= maximum:
        raise ValueError(
            f"{name} must be a whole number between {minimum} and {maximum}, "
            f"not {value!r}"
        )
