"""What the service knows: keys, templates and run tests, made up or read from a file."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from futureagi_async.emulator.rows import (
    ApiKey,
    Call,
    EvalConfig,
    Execution,
    RunTest,
    RunTests,
    Scenario,
    Template,
    usable,
)
from futureagi_async.emulator.synthetic import (
    SyntheticRunTests,
    synthetic_key,
    synthetic_templates,
)


class WorldError(ValueError):
    """A world that cannot be read; the message says which part and why."""


class LoadedRunTests:
    """Run tests that are all there."""

    def __init__(self, run_tests: Iterable[RunTest]) -> None:
        self.by_id: dict[str, RunTest] = {
            run_test.id: run_test for run_test in run_tests
        }
        self.by_execution: dict[str, RunTest] = {
            execution.id: run_test
            for run_test in self.by_id.values()
            for execution in run_test.executions
        }
        self.by_call: dict[str, RunTest] = {
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
