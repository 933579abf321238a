"""What the service knows: keys, templates and run tests with all that hangs on them.

Every list is in order of creation, oldest first; the service shows newest first.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import attrs


MOMENT = "2026-01-01T00:00:00Z"
"""When everything happened that has no time of its own."""


class WorldError(ValueError):
    """A world that cannot be read; the message says which part and why."""


@attrs.define
class ApiKey:
    """A pair of key and secret, and whose it is.

    Args:
        role: A `viewer` reads but does not write.
        enabled: A key that is not is refused like a wrong one.
    """

    name: str
    api_key: str
    secret_key: str
    organization: str
    workspace: str
    role: str = "owner"
    enabled: bool = True

    @property
    def may_write(self) -> bool:
        """Whether requests that change something are let through."""
        return self.role != "viewer"


@attrs.define
class Template:
    """An eval template.

    Args:
        organization: `None` for a system template, which everybody sees.
        listed: Whether the template list shows it; it is usable anyway.
        output_type: `Pass/Fail`, `score`, `choices` or `numeric`.
        required_keys: The inputs that a mapping may name.
        function_params_schema: What `config.params` is checked against.
        on_run: What an evaluation yields; made up where it is not given.
    """

    id: str
    name: str
    organization: str | None = None
    workspace: str | None = None
    deleted: bool = False
    listed: bool = True
    output_type: str = "Pass/Fail"
    required_keys: Sequence[str] = ()
    optional_keys: Sequence[str] = ()
    function_params_schema: Mapping[str, Any] | None = None
    on_run: Mapping[str, Any] | None = None


@attrs.define
class EvalConfig:
    """An eval config of one run test; old rows can hold null for most of it."""

    id: str
    name: str
    template_id: str
    config: Any = attrs.field(factory=dict)
    mapping: Any = attrs.field(factory=dict)
    filters: Any = attrs.field(factory=list)
    error_localizer: bool = False
    model: str | None = None
    status: str = "Completed"
    deleted: bool = False
    on_run: Mapping[str, Any] | None = None


@attrs.define
class Call:
    """One call of an execution, with the results of its evaluations by config id."""

    id: str
    status: str = "completed"
    eval_outputs: dict[str, Any] = attrs.field(factory=dict)


@attrs.define
class Execution:
    """One execution of a run test; only a `completed` one can be evaluated.

    Args:
        start_time: When it began, in the form of ISO 8601.
    """

    id: str
    status: str = "completed"
    calls: list[Call] = attrs.field(factory=list)
    start_time: str = MOMENT


@attrs.frozen
class Scenario:
    """What the calls of a run test play."""

    id: str
    name: str
    row_count: int = 0


@attrs.define
class RunTest:
    """A run test and everything that belongs to it."""

    id: str
    name: str
    organization: str
    workspace: str
    description: str = ""
    deleted: bool = False
    enable_tool_evaluation: bool = False
    agent_name: str = ""
    scenarios: Sequence[Scenario] = ()
    eval_configs: list[EvalConfig] = attrs.field(factory=list)
    executions: list[Execution] = attrs.field(factory=list)

    def visible_to(self, key: ApiKey) -> bool:
        """A key sees its own workspace and nothing else."""
        return (
            not self.deleted
            and self.workspace == key.workspace
            and self.organization == key.organization
        )

    def live_configs(self) -> list[EvalConfig]:
        """The configs that are not deleted, newest first."""
        return [config for config in reversed(self.eval_configs) if not config.deleted]

    def live_config(self, config_id: str) -> EvalConfig | None:
        """A config that is not deleted."""
        return next((c for c in self.live_configs() if c.id == config_id), None)

    def execution(self, execution_id: str) -> Execution | None:
        """One of its executions."""
        return next((e for e in self.executions if e.id == execution_id), None)

    def calls(self) -> list[tuple[Execution, Call]]:
        """All calls with their executions, newest first."""
        return [
            (execution, call)
            for execution in reversed(self.executions)
            for call in reversed(execution.calls)
        ]


class RunTests(Protocol):
    """The run tests of a world, wherever they come from."""

    @property
    def ids(self) -> Sequence[str]:
        """All ids in order of creation."""
        ...

    def get(self, run_test_id: str) -> RunTest | None:
        """The run test with this id."""
        ...

    def of_execution(self, execution_id: str) -> RunTest | None:
        """The run test that has this execution."""
        ...

    def of_call(self, call_id: str) -> RunTest | None:
        """The run test that has this call."""
        ...

    def seen_by(self, key: ApiKey, search: str = "") -> Sequence[RunTest]:
        """What the key sees, newest first; `search` looks at names and agents."""
        ...

    def named(self, name: str, organization: str) -> RunTest | None:
        """The newest run test of the organization with exactly this name."""
        ...


class LoadedRunTests:
    """Run tests that are all there."""

    def __init__(self, run_tests: Iterable[RunTest]) -> None:
        self.by_id = {run_test.id: run_test for run_test in run_tests}
        self.by_execution = {
            execution.id: run_test
            for run_test in self.by_id.values()
            for execution in run_test.executions
        }
        self.by_call = {
            call.id: run_test
            for run_test in self.by_id.values()
            for _, call in run_test.calls()
        }

    @property
    def ids(self) -> Sequence[str]:
        """All ids in order of creation."""
        return tuple(self.by_id)

    def get(self, run_test_id: str) -> RunTest | None:
        """The run test with this id."""
        return self.by_id.get(run_test_id)

    def of_execution(self, execution_id: str) -> RunTest | None:
        """The run test that has this execution."""
        return self.by_execution.get(execution_id)

    def of_call(self, call_id: str) -> RunTest | None:
        """The run test that has this call."""
        return self.by_call.get(call_id)

    def seen_by(self, key: ApiKey, search: str = "") -> Sequence[RunTest]:
        """What the key sees, newest first."""
        wanted = search.lower()
        return [
            run_test
            for run_test in reversed(self.by_id.values())
            if run_test.visible_to(key)
            and wanted in f"{run_test.name}\0{run_test.agent_name}".lower()
        ]

    def named(self, name: str, organization: str) -> RunTest | None:
        """The newest run test of the organization with exactly this name."""
        fitting = (
            run_test
            for run_test in reversed(self.by_id.values())
            if run_test.name == name
            and run_test.organization == organization
            and not run_test.deleted
        )
        return next(fitting, None)


@attrs.define
class World:
    """All that the emulator knows.

    Make one with `World.synthetic` or `World.load`.
    """

    keys: list[ApiKey]
    templates: dict[str, Template]
    run_tests: RunTests
    renewed: Callable[[], World] = attrs.field(repr=False)
    """Makes the world once more, as it was before anything happened in it."""

    @classmethod
    def synthetic(
        cls,
        run_tests: int = 200,
        *,
        executions: int = 1,
        calls: int = 2,
        templates: int = 5,
        seed: int = 0,
    ) -> World:
        """A world of any size, the same for the same numbers.

        Rows are made when they are first asked for, so a large world is there at once.

        Args:
            run_tests: How many run tests; they have no eval configs yet.
            executions: How many completed executions each of them has.
            calls: How many completed calls each execution has.
            templates: How many system templates there are.
            seed: Other ids for another seed.

        Raises:
            ValueError: A number is negative or too large.

        Example:
            >>> world = World.synthetic(run_tests=2)
            >>> len(world.run_test_ids)
            2
        """
        from futureagi_async.emulator.synthetic import (  # noqa: PLC0415 (circular)
            SyntheticRunTests,
            synthetic_key,
            synthetic_templates,
        )

        return cls(
            [synthetic_key(seed)],
            {each.id: each for each in synthetic_templates(templates, seed)},
            SyntheticRunTests(run_tests, executions, calls, seed),
            lambda: cls.synthetic(
                run_tests,
                executions=executions,
                calls=calls,
                templates=templates,
                seed=seed,
            ),
        )

    @classmethod
    def load(cls, source: str | Path | Mapping[str, Any]) -> World:
        """A world from a JSON file, or from what such a file holds.

        Args:
            source: The path of the file, or its content.

        Raises:
            WorldError: Something in it is missing or of the wrong kind.
            OSError: The file cannot be read.
        """
        if not isinstance(source, Mapping):
            try:
                source = json.loads(Path(source).read_bytes())
            except ValueError as error:
                raise WorldError(f"the world is not JSON: {error}") from error
        if not isinstance(source, Mapping):
            raise WorldError("a world is an object, with api_keys and run_tests")
        return cls(
            rows(source, "api_keys", ApiKey),
            {each.id: each for each in rows(source, "eval_templates", Template)},
            LoadedRunTests(rows(source, "run_tests", RunTest)),
            functools.partial(cls.load, source),
        )

    @property
    def run_test_ids(self) -> Sequence[str]:
        """The ids of all run tests, oldest first."""
        return self.run_tests.ids

    @property
    def template_ids(self) -> Sequence[str]:
        """The ids of all templates, oldest first."""
        return tuple(self.templates)

    @property
    def api_key(self) -> str:
        """The first key that may write."""
        return self.writing_key().api_key

    @property
    def secret_key(self) -> str:
        """The secret that belongs to `api_key`."""
        return self.writing_key().secret_key

    def writing_key(self) -> ApiKey:
        """The first key that is enabled and may write.

        Raises:
            WorldError: There is none.
        """
        for key in self.keys:
            if key.enabled and key.may_write:
                return key
        raise WorldError("no key of this world is enabled and may write")

    def run_test(self, run_test_id: str, key: ApiKey) -> RunTest | None:
        """The run test with this id, if the key sees it."""
        found = self.run_tests.get(run_test_id)
        return found if found and found.visible_to(key) else None

    def template(self, template_id: str, key: ApiKey) -> Template | None:
        """The template with this id, if the key may use it."""
        found = self.templates.get(template_id)
        return found if found and usable(found, key) else None


def usable(template: Template, key: ApiKey) -> bool:
    """System templates are everybody's, others their workspace's."""
    return not template.deleted and (
        template.organization is None
        or (template.organization, template.workspace)
        == (key.organization, key.workspace)
    )


NESTED = {
    "scenarios": Scenario,
    "eval_configs": EvalConfig,
    "executions": Execution,
    "calls": Call,
}


def rows(source: Mapping[str, Any], name: str, kind: type[Any]) -> list[Any]:
    """The rows of one list of a world, with the rows inside them."""
    listed = source.get(name, [])
    if not isinstance(listed, list):
        raise WorldError(f"{name} is a list")
    return [row(each, f"{name}[{index}]", kind) for index, each in enumerate(listed)]


def row(source: Any, where: str, kind: type[Any]) -> Any:
    """One row; columns that the emulator does not know are left out."""
    if not isinstance(source, Mapping):
        raise WorldError(f"{where} is an object")
    known = {name: source[name] for name in fields_of(kind) if name in source}
    for name in NESTED.keys() & known.keys():
        try:
            known[name] = rows(source, name, NESTED[name])
        except WorldError as error:
            raise WorldError(f"{where}.{error}") from None
    if "eval_outputs" in known:
        # Results come and go; what was passed in stays as it is.
        known["eval_outputs"] = dict(known["eval_outputs"])
    try:
        return kind(**known)
    except TypeError as error:
        raise WorldError(f"{where}: {error}") from None


def fields_of(kind: type[Any]) -> list[str]:
    """The names of an attrs class's fields."""
    return [field.name for field in attrs.fields(kind)]
