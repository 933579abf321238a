"""Random lives of executions that go on between two requests: no score of a part."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from proven import SEED
from truth import PENDING_CELL, Truth

from futureagi_async import AsyncFutureAGI, EvalConfig, EvaluationStatus
from futureagi_async.emulator import Emulator, World, rows
from futureagi_async.emulator.rules.service import Service


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


pytestmark = pytest.mark.slow

LIVES = int(os.environ.get("FUTUREAGI_TEST_LIVES", "12"))
"""How many lives each test goes through."""

TEMPLATES = {"choices": 0, "Pass/Fail": 1, "score": 4}
"""The kinds of results, and which template of a synthetic world has them."""

ENDED = {EvaluationStatus.SCORED, EvaluationStatus.NO_RESULT}


@attrs.define
class Lives:
    """The lives of the executions of a run test, until all of them are completed.

    Attributes:
        random: the random numbers of this life alone.
        run_test: the run test.
        kinds: the kind of the results of each eval config, by its id.
        haste: how likely a change is seen together with the next one.
    """

    random: random.Random
    run_test: rows.RunTest
    kinds: dict[str, str]
    haste: float

    def begin(self) -> Iterator[None]:
        """Have everything evaluated, and then evaluated again, change by change."""
        for execution in self.run_test.executions:
            for call in execution.calls:
                for config_id in self.kinds:
                    self._store(call, config_id)
        for _ in range(2):
            going_on = [self._evaluate(each) for each in self.run_test.executions]
            while going_on:
                one = self.random.choice(going_on)
                if next(one, "over") == "over":
                    going_on.remove(one)
                elif self.random.random() >= self.haste:
                    yield

    def _evaluate(self, execution: rows.Execution) -> Iterator[None]:
        execution.status = "evaluating"
        ways = [self._by_default, self._config_by_config, self._again, self._in_part]
        yield from self.random.choice(ways)(execution.calls)
        yield
        execution.status = "completed"

    def _by_default(self, calls: list[rows.Call]) -> Iterator[None]:
        for call in calls:
            call.eval_outputs = {}
            call.status = self.random.choice(["analyzing"] * 4 + ["failed"])
        calls[0].status = "analyzing"  # without a completed call there is no score
        yield from self._call_by_call([c for c in calls if c.status == "analyzing"])

    def _in_part(self, calls: list[rows.Call]) -> Iterator[None]:
        part = self.random.sample(calls, max(1, len(calls) // 2))
        for call in part:
            call.eval_outputs = {}
        yield
        yield from self._call_by_call(part)

    def _call_by_call(self, calls: list[rows.Call]) -> Iterator[None]:
        for call in calls:
            call.status = "analyzing"
            for config_id in self.kinds:
                yield
                self._store(call, config_id)
            yield
            call.status = "completed"

    def _config_by_config(self, calls: list[rows.Call]) -> Iterator[None]:
        for call in calls:
            call.status, call.eval_outputs = "completed", {}
        for config_id in self.kinds:
            for call in calls:
                yield
                self._store(call, config_id)

    def _again(self, calls: list[rows.Call]) -> Iterator[None]:
        config_ids = self.random.sample(list(self.kinds), 2)
        for call in calls:
            pending = {config_id: dict(PENDING_CELL) for config_id in config_ids}
            call.eval_outputs = {**(call.eval_outputs or {}), **pending}
        for call in self.random.sample(calls, len(calls)):
            for config_id in config_ids:
                yield
                self._store(call, config_id)

    def _store(self, call: rows.Call, config_id: str) -> None:
        kind = self.kinds[config_id]
        outputs: dict[str, list[Any]] = {
            "Pass/Fail": ["Passed", "Failed"],
            "score": [0.1, 0.25, 1],
            "numeric": [7, 12],
            "choices": ["a", ["a", "b"], {"choice": "b", "score": 1}],
        }
        cell = {"output": self.random.choice(outputs[kind]), "output_type": kind}
        if self.random.random() < 0.1:
            cell |= {"output": None, "error": "error", "reason": "no answer"}
        call.eval_outputs = {**(call.eval_outputs or {}), config_id: cell}

    def truth(self) -> dict[str, Truth] | None:
        """What is true now; `None` while anything is open."""
        executions = self.run_test.executions
        found = {each: Truth.by_rows(executions, each) for each in self.kinds}
        calls = [call for each in executions for call in each.calls]
        is_open = any(call.status == "analyzing" for call in calls)
        is_open = is_open or any(each.pending for each in found.values())
        return None if is_open else found


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def between_requests(monkeypatch: pytest.MonkeyPatch):
    """Have a function called before each request that reads."""

    def install(change: Callable[[], object]) -> None:
        def served(self: Service, request: Any, *args: Any, **more: Any) -> Any:
            if request.method == "GET":
                change()
            return serve(self, request, *args, **more)

        monkeypatch.setattr(Service, "serve", served)

    serve = Service.serve
    return install


def begin(emulator: Emulator, seed: int, calls: int, number_kind: str) -> Lives:
    """Put a run test with eval configs and one execution into the emulator.

    Several are read one after the other, each as it is at a moment of its own.
    """
    world = World.synthetic(1, executions=1, calls=calls, seed=seed % 1000)
    emulator.reset(world, dispatch="accept")
    run_test = world.run_tests.get(world.run_test_ids[0])
    assert run_test is not None
    kinds = {}
    for number, (kind, template) in enumerate(TEMPLATES.items()):
        config_id = f"{number:08x}-0000-4000-8000-00000000cccc"
        template_id = world.template_ids[template]
        run_test.eval_configs.append(rows.EvalConfig(config_id, kind, template_id))
        kinds[config_id] = number_kind if kind == "score" else kind
    # Of many calls, several change between two requests.
    return Lives(random.Random(seed), run_test, kinds, 1 - 4 / max(4, calls))


@pytest.mark.parametrize("method", ["wait_for_evals", "evaluate"])
@pytest.mark.parametrize(
    ("calls", "number_kind"),
    [(3, "score"), (3, "numeric"), (120, "score"), (120, "numeric")],
)
async def test_scores_are_the_truth_of_a_moment_in_which_nothing_was_open(
    emulator, between_requests, method, calls, number_kind
):
    for seed in range(SEED, SEED + LIVES):
        lives = begin(emulator, seed, calls, number_kind)
        steps, truths = lives.begin(), []

        def change(lives=lives, steps=steps, truths=truths):
            next(steps, None)
            truths.append(lives.truth())

        between_requests(change)
        options: dict[str, Any] = {"run_tests": [lives.run_test.id]}
        if method == "evaluate":
            options["configs"] = [
                EvalConfig(each.template_id, name=each.name)
                for each in lives.run_test.eval_configs
            ]
        keys = emulator.api_key, emulator.secret_key
        async with AsyncFutureAGI(*keys, base_url=emulator.url) as client:
            (end,) = await getattr(client, method)(
                **options, timeout=60, poll_interval=0.001, stuck_after=10
            )

        assert end.status in ENDED, f"seed {seed}: {end}"
        found = {each.eval_config_id: Truth.by_report(each) for each in end.configs}
        assert found in truths, f"seed {seed}: {end}"
        assert not emulator.log.runs, f"seed {seed}: {end}"
