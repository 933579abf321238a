"""Recorded phases of evaluations: no score before the end, and then the true one."""

from __future__ import annotations

import asyncio
import copy
import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from truth import PENDING_CELL, assert_true

from futureagi_async import AsyncFutureAGI, EvalConfig, EvaluationStatus, FutureAGI
from futureagi_async.emulator import Emulator, World
from futureagi_async.emulator.rules.service import Service


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from futureagi_async.emulator.rows import RunTest


RECORDED = Path(__file__).resolve().parents[1] / "recordings"
LIVED_IN = RECORDED / "lived"

NEVER = 3600.0
"""A timeout in seconds that the clock leaps over."""

SCORED = EvaluationStatus.SCORED
PENDING = EvaluationStatus.PENDING

METHODS = ["wait_for_evals", "evaluate"]

PHASES = {"phases", "rerun", "cancel", "deleted_configs"}
"""The tags of recorded scenarios in which evaluations go on or end."""


@attrs.frozen
class Life:
    """What was recorded of the life of a run test.

    Attributes:
        name: the scenario.
        dispatch: what becomes of work that is handed over.
        world: the run test, with all that belongs to it.
        steps: the moments, and the requests that write, as JSON.
    """

    name: str
    dispatch: str
    world: dict[str, Any] = attrs.field(repr=False)
    steps: list[str]

    @classmethod
    def of(cls, scenario: dict[str, Any]) -> Life:
        """Read a scenario."""
        steps = scenario["steps"]
        asked = [each["request"] for each in steps if "request" in each]
        run_test_id = next(
            each["path"].split("/")[3]
            for each in asked
            if each["path"].startswith("/simulate/run-tests/")
        )
        (run_test,) = (e for e in WORLD["run_tests"] if e["id"] == run_test_id)
        text = json.dumps([asked, [each.get("world") for each in steps]])
        kept = [each for each in run_test["executions"] if is_part(each, text)]
        return cls(
            scenario["name"],
            scenario["dispatch"],
            WORLD | {"run_tests": [run_test | {"executions": kept}]},
            [
                json.dumps({k: v for k, v in each.items() if k in ("world", "request")})
                for each in steps
                if "world" in each or each["request"]["method"] != "GET"
            ],
        )

    @property
    def requests(self) -> int:
        """The number of requests before the first moment."""
        steps = enumerate(map(json.loads, self.steps))
        return next((n for n, step in steps if "world" in step), len(self.steps))

    def without_late_requests(self) -> Life:
        """The same without the requests after the first moment, which change nothing."""
        late = (e for e in self.steps[self.requests :] if "world" in json.loads(e))
        return attrs.evolve(self, steps=[*self.steps[: self.requests], *late])

    @property
    def run_test_id(self) -> str:
        """The id of the run test."""
        (run_test,) = self.world["run_tests"]
        return str(run_test["id"])


def is_part(execution: dict[str, Any], steps: str) -> bool:
    """Whether an execution is named in the steps, or is not evaluated beside them."""
    if execution["status"] != "evaluating":
        return True
    ids = [execution["id"], *(each["id"] for each in execution.get("calls", ()))]
    return any(each in steps for each in ids)


WORLD = json.loads((LIVED_IN / "world.json").read_text())

LIVES = [
    Life.of(each)
    for each in map(json.loads, (LIVED_IN / "scenarios.jsonl").read_text().splitlines())
    if PHASES.intersection(each["tags"]) and "errors" not in each["tags"]
]


ENDING = [
    each.without_late_requests()
    for each in LIVES
    if each.name
    in {
        "phases.from_execute",
        "phases.voice_call_by_call",
        "phases.chat_config_by_config",
        "rerun.eval_only",
        "rerun.call_and_eval",
        "deleted_configs.pending_for_ever",
    }
]
"""The lives at whose ends all results are there."""


@pytest.fixture(scope="module")
def replay() -> Any:
    """The program that plays the recording."""
    spec = importlib.util.spec_from_file_location("replay", RECORDED / "replay.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def copied():
    """Another emulator, where evaluating changes nothing of the life that goes on."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def live(emulator: Emulator, replay: Any):
    """Return what begins a life in a new world, and takes a step at each iteration."""

    def live(life: Life) -> Iterator[None]:
        emulator.reset(World.load(life.world), dispatch=life.dispatch)
        begun = ""
        yield
        for step in life.steps:
            match json.loads(step.replace("<uuid:1>", begun)):
                case {"world": changes}:
                    emulator.change_rows(changes)
                case {"request": request}:
                    answer = replay.send(emulator.url, request)
                    begun = answer.json.get("execution_id", begun)
            yield

    return live


def connection(emulator: Emulator) -> dict[str, Any]:
    return {
        "api_key": emulator.api_key,
        "secret_key": emulator.secret_key,
        "base_url": emulator.url,
    }


def arguments(method: str, run_test: RunTest) -> dict[str, Any]:
    """With what a method has to do with all eval configs of a run test."""
    if method == "wait_for_evals":
        return {"run_tests": [run_test.id]}
    configs = [
        EvalConfig(each.template_id, name=each.name)
        for each in reversed(run_test.live_configs())
    ]
    return {"run_tests": [run_test.id], "configs": configs, "on_conflict": "keep"}


def is_under_way(run_test: RunTest) -> bool:
    """Whether results still come in, or seem to, in what is not left out."""
    live_ids = {each.id for each in run_test.live_configs()}
    pending = {
        execution.id
        for execution, call in run_test.calls()
        for config_id, cell in (call.eval_outputs or {}).items()
        if cell == PENDING_CELL and config_id in live_ids
    }
    return any(
        each.status == "evaluating"
        or (each.status == "completed" and each.id in pending)
        for each in run_test.live_executions()
    )


def results_in(run_test: RunTest) -> dict[tuple[str, str], Any]:
    """The results that a run test has, by call and eval config."""
    return {
        (call.id, config_id): cell
        for _, call in run_test.calls()
        for config_id, cell in (call.eval_outputs or {}).items()
        if cell != PENDING_CELL
    }


@pytest.fixture
def look(emulator: Emulator, copied: Emulator, leap: Callable[[float], None]):
    """Return what reads a run test once, and is at its deadline if that is no end."""

    async def look(method: str, life: Life):
        copied.reset(copy.deepcopy(emulator.world), dispatch="accept")
        run_test = copied.world.run_tests.get(life.run_test_id)
        before = results_in(run_test)
        async with AsyncFutureAGI(**connection(copied)) as client:
            (end,) = await getattr(client, method)(
                **arguments(method, run_test),
                timeout=NEVER,
                on_progress=lambda now: leap(2 * NEVER) if now.waiting else None,
            )
        assert before.items() <= results_in(run_test).items()
        return end, run_test

    return look


UNSCORED = dict.fromkeys(
    (
        "parcel line weekly",
        "hotel desk",
        "refund chat",
        "bank chat",
        "claims line",
        "warranty line",
        "stuck line",
    ),
    PENDING,
)
UNSCORED |= dict.fromkeys(
    ("gallery check", "translation check", "old hands"), EvaluationStatus.PARTIAL
)
UNSCORED |= dict.fromkeys(
    ("front desk", "lobby", "no scenarios", "measured line"),
    EvaluationStatus.NOTHING_TO_EVALUATE,
)
"""What becomes of the run tests of the recorded account that are not scored."""


async def test_what_a_recorded_account_has_when_nothing_changes_is_read_truly(
    emulator, leap
):
    emulator.reset(World.load(WORLD), dispatch="accept")
    run_tests = {
        each.id: each
        for each in map(emulator.world.run_tests.get, emulator.world.run_test_ids)
        if each.is_visible_to(emulator.world.writing_key())
    }
    pending = sum(status is PENDING for status in UNSCORED.values())

    def pass_the_deadline(progress):
        if progress.finished == len(run_tests) - pending:
            leap(2 * NEVER)

    async with AsyncFutureAGI(**connection(emulator)) as client:
        report = await client.wait_for_evals(
            list(run_tests),
            timeout=NEVER,
            poll_interval=0.01,
            stuck_after=0.05,
            on_progress=pass_the_deadline,
        )

    for end in report:
        run_test = run_tests[end.run_test_id]
        assert_true(end, run_test)
        assert end.status is UNSCORED.get(run_test.name, SCORED), end


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.name)
async def test_no_step_of_a_recorded_life_is_scored_on_a_part(life, method, live, look):
    for _ in live(life):
        end, run_test = await look(method, life)

        assert_true(end, run_test)
        assert (end.status is PENDING) == is_under_way(run_test), end


@pytest.fixture
def life_goes_on(emulator: Emulator, live, monkeypatch: pytest.MonkeyPatch):
    """Return what lives until results come in, and then a step before each read."""

    def life_goes_on(life: Life) -> Iterator[None]:
        steps = live(life)
        for _ in range(1 + life.requests):
            next(steps)
        while not is_under_way(emulator.world.run_tests.get(life.run_test_id)):
            next(steps)
        serve = Service.serve

        def take_a_step(self: Service, request: Any, *args: Any, **more: Any) -> Any:
            if request.method == "GET":
                next(steps, None)
            return serve(self, request, *args, **more)

        monkeypatch.setattr(Service, "serve", take_a_step)
        return steps

    return life_goes_on


async def awaited(to: dict[str, Any], method: str, options: dict[str, Any]):
    async with AsyncFutureAGI(**to) as client:
        return list(await getattr(client, method)(**options))


async def streamed(to: dict[str, Any], _method: str, options: dict[str, Any]):
    async with (
        AsyncFutureAGI(**to) as client,
        client.stream_evaluations(**options) as stream,
    ):
        return [each async for each in stream]


async def blocking(to: dict[str, Any], method: str, options: dict[str, Any]):
    def call():
        with FutureAGI(**to) as client:
            return list(getattr(client, method)(**options))

    return await asyncio.to_thread(call)


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("wait_for_evals", awaited),
        ("wait_for_evals", blocking),
        ("evaluate", awaited),
        ("evaluate", blocking),
        ("evaluate", streamed),
    ],
)
@pytest.mark.parametrize("life", ENDING, ids=lambda life: life.name)
async def test_a_recorded_life_is_scored_when_it_is_over(
    life, method, call, emulator, life_goes_on
):
    steps = life_goes_on(life)
    run_test = emulator.world.run_tests.get(life.run_test_id)
    runs = dict(emulator.log.runs)

    (end,) = await call(
        connection(emulator),
        method,
        arguments(method, run_test) | {"timeout": 6, "poll_interval": 0.001},
    )

    assert next(steps, "over") == "over"
    assert end.status is SCORED
    assert_true(end, run_test)
    assert emulator.log.runs == runs
    await assert_like_summary(end, emulator)


async def assert_like_summary(end, emulator: Emulator) -> None:
    """Compare scores with those that the service sums up, if it counts the same calls."""
    if end.warnings:
        return  # it counts what is left out
    async with AsyncFutureAGI(**connection(emulator)) as client:
        summary = await client.get_eval_summary(end.run_test_id)
    theirs = {each.id: (each.total_cells, each.scores) for each in summary.configs}
    ours = {each.eval_config_id: (each.evaluated, each.scores) for each in end.configs}
    assert ours == theirs
