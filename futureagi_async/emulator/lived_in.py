"""A made-up account that people have worked in: run tests with every kind of history.

Every run test has one kind of history, in turn, and is named after it: "stuck 13" is
the run test at position 13. `KINDS` describes the kinds.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import attrs

from futureagi_async.emulator.cells import pending
from futureagi_async.emulator.filling import FilledTranscript
from futureagi_async.emulator.rows import (
    DEFAULT_TIME,
    ApiKey,
    Call,
    EvalConfig,
    Execution,
    RunTest,
    Scenario,
    Snapshot,
    Template,
    User,
    Workspace,
)
from futureagi_async.emulator.rules.evaluations import synthetic_result
from futureagi_async.emulator.synthetic import (
    AGENT,
    RowKind,
    SyntheticRunTests,
    check_whole_number,
    row_id,
    synthetic_key,
    synthetic_templates,
)


_USUAL_TALK = FilledTranscript(14, 2_000)
_LONG_TALK = FilledTranscript(60, 30_000)
_GRAPH_BYTES = 9_000

_MAX_EXECUTIONS = 4_000
"""Executions of a run test, so that the ids of snapshots have room for their number."""

_FURTHER_EXECUTIONS = 3
"""How many executions a kind of history adds at most."""

_DAY = dt.timedelta(days=1)
_CALL_STEP = dt.timedelta(seconds=10)
_CALL_SECONDS = range(20, 120)

_ERROR: Mapping[str, Any] = MappingProxyType(
    {
        "output": None,
        "output_type": "Pass/Fail",
        "error": "error",
        "reason": "The evaluator did not answer.",
    }
)
_SKIPPED: Mapping[str, Any] = MappingProxyType(
    {
        "output": None,
        "output_type": None,
        "status": "skipped",
        "skipped": True,
        "reason": "Call transcript is unavailable, so processing was skipped.",
    }
)


def lived_in_templates(seed: int) -> list[Template]:
    """Make the templates: five system ones, and the organization's own."""
    system = synthetic_templates(5, seed)
    own = (
        ("solved_at_once", "choices", {"Yes": 1.0, "Partly": 0.5, "No": 0.0}),
        ("words_to_solution", "numeric", None),
        ("why_it_ended", "reason", None),
    )
    key = synthetic_key(seed)
    return system + [
        Template(
            id=row_id(RowKind.TEMPLATE, seed, place),
            name=name,
            organization=key.organization,
            workspace=key.workspace,
            output_type=output_type,
            required_keys=("conversation",),
            choices=list(scores) if scores else None,
            choice_scores=scores,
        )
        for place, (name, output_type, scores) in enumerate(own, start=len(system))
    ]


def lived_in_workspaces(seed: int) -> list[Workspace]:
    """Make two workspaces; everything is in the first, the default one."""
    key = synthetic_key(seed)
    second = row_id(RowKind.WORKSPACE, seed, 1)
    return [
        Workspace(str(key.workspace), key.organization, "Default", default=True),
        Workspace(second, key.organization, "Second"),
    ]


def lived_in_keys(seed: int) -> list[ApiKey]:
    """Make the owner's key, one that is bound to no workspace, and one that reads."""
    key = synthetic_key(seed)
    return [
        attrs.evolve(key, user="owner"),
        attrs.evolve(
            key,
            name="free",
            api_key=f"emulator-free-key-{seed}",
            workspace=None,
            user="owner",
        ),
        attrs.evolve(
            key,
            name="viewer",
            api_key=f"emulator-viewer-key-{seed}",
            role="viewer",
            user="viewer",
        ),
    ]


def lived_in_users(seed: int) -> list[User]:
    """Make the users whose rights the keys have."""
    key = synthetic_key(seed)
    return [
        User("owner", key.organization),
        User("viewer", key.organization, "viewer", [str(key.workspace)]),
    ]


@attrs.define
class _History:
    """A run test that is being made up.

    Args:
        seed: part of every id.
        index: the position of the run test.
        run_test: the run test.
        executions: how many executions it has at least.
        calls: how many calls an execution has.
        templates: the templates by name.
        random: the random numbers of this run test alone.
        talk: what is said in its calls.
    """

    seed: int
    index: int
    run_test: RunTest
    executions: int
    calls: int
    templates: Mapping[str, Template]
    random: random.Random
    talk: FilledTranscript = _USUAL_TALK

    def configs(self, *names: str) -> list[EvalConfig]:
        """Add an eval config of each template; return them."""
        first = len(self.run_test.eval_configs)
        added = [
            EvalConfig(
                id=row_id(RowKind.CONFIG, self.seed, self.index, place),
                name=name,
                template_id=self.templates[name].id,
                mapping=dict.fromkeys(self.templates[name].required_keys, "transcript"),
                created_at=self._begin + dt.timedelta(seconds=place),
            )
            for place, name in enumerate(names, start=first)
        ]
        self.run_test.eval_configs += added
        return added

    @property
    def _begin(self) -> dt.datetime:
        """When the run test was made: one a day, the newest last."""
        return DEFAULT_TIME - _DAY * 400 + dt.timedelta(minutes=self.index)

    def execute(self, status: str = "completed") -> Execution:
        """Add an execution whose calls have all been talked to their end."""
        place = len(self.run_test.executions)
        begin = self._begin + _DAY * (place + 1)
        execution = Execution(
            row_id(RowKind.EXECUTION, self.seed, self.index, place),
            status,
            created_at=begin,
            started_at=begin,
        )
        execution.calls += [
            self._call(place, number, begin + _CALL_STEP * (number + 1))
            for number in range(self.calls)
        ]
        self.run_test.executions.append(execution)
        return execution

    def executed(self, *configs: EvalConfig, count: int | None = None) -> None:
        """Add the usual number of executions with all their results."""
        for _ in range(self.executions if count is None else count):
            self.evaluate(self.execute().calls, configs)

    def _call(self, execution: int, number: int, time: dt.datetime) -> Call:
        """Return a completed call without results."""
        return Call(
            row_id(RowKind.CALL, self.seed, self.index, execution, number),
            created_at=time,
            updated_at=time,
            started_at=time,
            duration_seconds=self.random.choice(_CALL_SECONDS),
            phone_number=f"+1555{self.random.randrange(10**7):07}",
            transcript=self.talk,
        )

    def evaluate(self, calls: Iterable[Call], configs: Iterable[EvalConfig]) -> None:
        """Store the results of configs for calls."""
        for call in calls:
            cells = {config.id: self.result(call, config) for config in configs}
            call.eval_outputs = {**(call.eval_outputs or {}), **cells}

    def result(self, call: Call, config: EvalConfig) -> dict[str, Any]:
        """Return the stored result of a config for a call."""
        template = next(
            each for each in self.templates.values() if each.id == config.template_id
        )
        made = synthetic_result(template.output_type, f"{call.id} {config.name}")
        result: dict[str, Any] = {
            **made,
            "name": config.name,
            "output_type": template.output_type,
        }
        if template.choice_scores:
            choice = self.random.choice(list(template.choice_scores))
            score = template.choice_scores[choice]
            result["output"] = {"score": score, "choice": choice}
        if self.run_test.agent_type == "voice":
            # Only text agents and evaluations that were asked for store a status.
            del result["status"]
        return result

    def store(self, call: Call, config: EvalConfig, cell: Mapping[str, Any]) -> None:
        """Store a cell in place of the usual result."""
        call.eval_outputs = {**(call.eval_outputs or {}), config.id: dict(cell)}

    def snapshot(self, call: Call, **columns: Any) -> None:
        """Add a snapshot of a call, taken when the call was made again."""
        number = len(call.snapshots)
        _, execution, place, *_ = call.id.split("-")
        call.snapshots.append(
            Snapshot(
                row_id(
                    RowKind.SNAPSHOT,
                    self.seed,
                    self.index,
                    int(execution, 16) * 16 + number,
                    int(place[1:], 16),
                ),
                snapshot_timestamp=call.updated_at - _CALL_STEP / (number + 2),
                eval_outputs=dict(call.eval_outputs or {}),
                **{"duration_seconds": 33, "transcript": self.talk, **columns},
            )
        )


def _fresh(history: _History) -> None:
    history.executed()


def _scored(history: _History) -> None:
    history.executed(*history.configs("tone", "contains", "embedding_similarity"))


def _chat(history: _History) -> None:
    history.run_test.agent_type = "text"
    history.executed(*history.configs("tone", "contains"))


def _call_by_call(history: _History) -> None:
    configs = history.configs("contains", "embedding_similarity")
    history.executed(*configs, count=history.executions - 1)
    newest = history.execute("evaluating")
    for place, call in enumerate(newest.calls):
        done = place % 3
        history.evaluate([call], configs[: len(configs) - done])
        call.status = "analyzing" if done else "completed"


def _under_way(history: _History) -> None:
    configs = history.configs("contains", "is_json")
    history.executed(configs[0])
    newest = history.run_test.executions[-1:]
    for execution in newest:
        execution.status = "evaluating"
        for call in execution.calls:
            history.store(call, configs[1], pending())


def _emptied(history: _History) -> None:
    configs = history.configs("tone", "contains")
    history.executed(*configs, count=history.executions - 1)
    history.execute("evaluating")


def _rerun(history: _History) -> None:
    configs = history.configs("contains", "solved_at_once")
    history.executed(*configs)
    calls = [call for _, call in history.run_test.calls()]
    for call in calls[::2]:
        history.snapshot(call)
    for call in calls[::4]:
        history.snapshot(call, status="failed", duration_seconds=0, transcript=None)
        history.snapshot(call, status=None)
    for call in calls[1::2]:
        history.snapshot(call, rerun_type="eval_only")


def _holes(history: _History) -> None:
    history.executed(*history.configs("contains"), count=history.executions + 1)
    for execution in history.run_test.executions[1:]:
        for call in history.random.sample(execution.calls, len(execution.calls) // 2):
            call.deleted = True
            if execution is history.run_test.executions[-1]:
                # Deleted lately, so that their places are the first of the list.
                call.updated_at += _DAY
    for execution in history.run_test.executions[:1]:
        execution.deleted = True


def _deleted_configs(history: _History) -> None:
    kept, deleted, was_pending = history.configs("contains", "is_json", "tone")
    history.executed(kept, deleted)
    for _, call in history.run_test.calls()[: history.calls]:
        history.store(call, was_pending, pending())
    deleted.deleted = was_pending.deleted = True


_CHOICE_FORMS: Sequence[Any] = (
    "Yes",
    ["Yes", "Partly"],
    {"score": 0.5, "choice": "Partly"},
    {"score": 0.4, "choices": ["No", "Partly"]},
    {"score": 0.0, "choice": None},
    [],
    None,
    3,
    True,
)
"""The forms in which choices are stored."""


def _choices(history: _History) -> None:
    (config,) = history.configs("solved_at_once")
    history.executed(config)
    for place, (_, call) in enumerate(history.run_test.calls()):
        output = _CHOICE_FORMS[place % len(_CHOICE_FORMS)]
        cells = {**history.result(call, config), "output": output}
        history.store(call, config, cells)


def _failures(history: _History) -> None:
    passes, scores = history.configs("contains", "embedding_similarity")
    history.executed(passes, scores)
    for place, (_, call) in enumerate(history.run_test.calls()):
        match place % 5:
            case 0:
                history.store(call, passes, {**_ERROR, "name": passes.name})
            case 1:
                history.store(call, scores, {**_SKIPPED, "name": scores.name})
            case 2:
                call.status = "failed"
            case 3:
                call.status, call.eval_outputs, call.transcript = "cancelled", {}, None
            case _:
                pass


def _large(history: _History) -> None:
    history.talk = _LONG_TALK
    history.executed(*history.configs("contains", "embedding_similarity"))


def _statuses(history: _History) -> None:
    configs = history.configs("contains")
    history.executed(*configs)
    for status in ("failed", "cancelled", "completed"):
        execution = history.execute(status)
        execution.error_reason = "All calls failed" if status == "failed" else None
        for call in execution.calls:
            call.status = status
        if status == "completed":
            history.evaluate(execution.calls, configs)


def _stuck(history: _History) -> None:
    configs = history.configs("contains", "is_json")
    history.executed(*configs)
    for execution in history.run_test.executions[-1:]:
        # All results are in, but nobody looked whether it is finished.
        execution.status = "evaluating"
    nobody = history.execute("evaluating")
    for call in nobody.calls:
        call.status = "failed"


def _running(history: _History) -> None:
    configs = history.configs("contains")
    history.executed(*configs, count=history.executions - 1)
    newest = history.execute("running")
    for place, call in enumerate(newest.calls):
        call.status = ("pending", "ongoing", "analyzing", "completed")[place % 4]
        if call.status == "completed":
            history.evaluate([call], configs)
        if call.status in ("pending", "ongoing"):
            call.duration_seconds = call.transcript = None
        if call.status == "pending":
            call.started_at = None


def _numbers(history: _History) -> None:
    history.executed(*history.configs("contains", "words_to_solution", "why_it_ended"))


def _nameless(history: _History) -> None:
    (config,) = history.configs("contains")
    config.name = None
    history.executed(config)
    config.config = config.mapping = config.filters = None
    for _, call in history.run_test.calls()[::3]:
        call.eval_outputs = None


KINDS: Mapping[str, Callable[[_History], None]] = MappingProxyType(
    {
        "fresh": _fresh,
        "scored": _scored,
        "chat": _chat,
        "call by call": _call_by_call,
        "under way": _under_way,
        "emptied": _emptied,
        "rerun": _rerun,
        "holes": _holes,
        "deleted configs": _deleted_configs,
        "choices": _choices,
        "failures": _failures,
        "large": _large,
        "statuses": _statuses,
        "stuck": _stuck,
        "running": _running,
        "numbers": _numbers,
        "nameless": _nameless,
    }
)
"""The kinds of history, in the order in which run tests have them:

- `fresh`: completed executions without an eval config;
- `scored`: completed, with all results;
- `chat`: the same of a text agent;
- `call by call`: the newest execution is evaluating by default; some of its calls are
  analyzing, with some of their results or none;
- `under way`: evaluations of one eval config were asked for and are pending;
- `emptied`: the newest execution was to be evaluated again, so that it has no result;
- `rerun`: calls that were made again, with the snapshots of what they were before;
- `holes`: deleted calls and a deleted execution, whose places in the list stay;
- `deleted configs`: results of eval configs that are deleted, one of them pending;
- `choices`: one choice template whose results are stored in all forms;
- `failures`: failed and cancelled calls, and evaluations that failed or were skipped;
- `large`: calls with transcripts of 30,000 characters, and scenario graphs;
- `statuses`: beside the usual executions a failed and a cancelled one;
- `stuck`: two executions are evaluating for ever, one with all its results;
- `running`: the newest execution is running, its calls in every phase;
- `numbers`: results of types that have no summary, so that the summary is a 500;
- `nameless`: rows of old versions, with null in place of a name, a config, or results.
"""


class LivedInRunTests(SyntheticRunTests):
    """Run tests with histories, made when they are first used.

    Args:
        count: how many there are.
        executions: how many executions each has at least, about.
        calls: how many calls each execution has.
        seed: part of every id.
        templates: the templates that eval configs use.

    Raises:
        ValueError: a number is negative or does not fit into an id.
    """

    def __init__(
        self,
        count: int,
        executions: int,
        calls: int,
        seed: int,
        templates: Iterable[Template],
    ) -> None:
        check_whole_number("executions", executions, _MAX_EXECUTIONS)
        super().__init__(count, executions, calls, seed)
        self._templates = {template.name: template for template in templates}

    def _kind(self, index: int) -> str:
        """Return the kind of history of the run test at a position."""
        return tuple(KINDS)[index % len(KINDS)]

    def _name(self, index: int) -> str:
        """Return the name of the run test at a position: its kind and the position."""
        return f"{self._kind(index)} {index}"

    def _has(self, execution: int, call: int) -> bool:
        """Return whether a run test can have such a row; a run test knows if it has."""
        further = self._executions + _FURTHER_EXECUTIONS
        return execution < further and call < self._calls

    def _new_run_test(self, index: int, run_test_id: str) -> RunTest:
        """Make a run test with its history."""
        kind = self._kind(index)
        run_test = RunTest(
            id=run_test_id,
            name=self._name(index),
            organization=self._owner.organization,
            workspace=str(self._owner.workspace),
            agent_name=AGENT,
            agent_type="voice",
            scenarios=(self._scenario(index, kind),),
        )
        # Seeded by what the run test is, so that the order of use does not matter.
        numbers = random.Random(f"{self._seed}/{index}")  # noqa: S311 - nothing secret
        history = _History(
            self._seed,
            index,
            run_test,
            self._executions,
            self._calls,
            self._templates,
            numbers,
        )
        KINDS[kind](history)
        for execution in run_test.executions:
            _count_calls(execution)
        return run_test

    def _scenario(self, index: int, kind: str) -> Scenario:
        """Return the one scenario of a run test."""
        return Scenario(
            row_id(RowKind.SCENARIO, self._seed, index),
            f"Scenario {index}",
            graph_bytes=_GRAPH_BYTES if kind == "large" else 0,
            dataset=True,
        )


def _count_calls(execution: Execution) -> None:
    """Store the numbers of an execution as they are at the end of its calls."""
    statuses = [call.status for call in execution.calls]
    execution.total_calls = len(statuses)
    execution.completed_calls = statuses.count("completed")
    execution.failed_calls = statuses.count("failed")
    if execution.status in ("completed", "failed", "cancelled"):
        execution.completed_at = max(
            (call.ended_at for call in execution.calls if call.ended_at),
            default=execution.started_at,
        )
