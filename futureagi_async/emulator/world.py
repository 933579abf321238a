"""The state of the service: keys, templates and run tests, made up or loaded."""

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

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
    is_usable,
)
from futureagi_async.emulator.synthetic import (
    SyntheticRunTests,
    synthetic_key,
    synthetic_templates,
)


class WorldError(ValueError):
    """A world that cannot be loaded; the message names the part and the reason."""


class _LoadedRunTests:
    """Run tests that are all in memory."""

    def __init__(self, run_tests: Iterable[RunTest]) -> None:
        self._by_id = {run_test.id: run_test for run_test in run_tests}
        self._by_execution = {
            execution.id: run_test
            for run_test in self._by_id.values()
            for execution in run_test.executions
        }
        self._by_call = {
            call.id: run_test
            for run_test in self._by_id.values()
            for _, call in run_test.calls()
        }

    @property
    def ids(self) -> Sequence[str]:
        """All ids in order of creation."""
        return tuple(self._by_id)

    def get(self, run_test_id: str) -> RunTest | None:
        """Return the run test with this id."""
        return self._by_id.get(run_test_id)

    def of_execution(self, execution_id: str) -> RunTest | None:
        """Return the run test that has this execution."""
        return self._by_execution.get(execution_id)

    def of_call(self, call_id: str) -> RunTest | None:
        """Return the run test that has this call."""
        return self._by_call.get(call_id)

    def visible_to(self, key: ApiKey, search: str = "") -> Sequence[RunTest]:
        """Return what the key sees, newest first."""
        text = search.lower()
        return [
            run_test
            for run_test in reversed(self._by_id.values())
            if run_test.is_visible_to(key)
            and text in f"{run_test.name}\0{run_test.agent_name}".lower()
        ]

    def find(self, name: str, organization: str) -> RunTest | None:
        """Return the newest run test of the organization with exactly this name."""
        matching = (
            run_test
            for run_test in reversed(self._by_id.values())
            if run_test.name == name
            and run_test.organization == organization
            and not run_test.deleted
        )
        return next(matching, None)


@attrs.define
class World:
    """The state of an emulator.

    Create one with `World.synthetic` or `World.load`.

    Attributes:
        keys: the pairs of key and secret.
        templates: the eval templates by id, oldest first.
        run_tests: the run tests.
        reset_copy: returns a copy of the world as it was at the beginning.
    """

    keys: list[ApiKey]
    templates: dict[str, Template]
    run_tests: RunTests
    reset_copy: Callable[[], Self] = attrs.field(repr=False)

    @classmethod
    def synthetic(
        cls,
        run_tests: int = 200,
        *,
        executions: int = 1,
        calls: int = 2,
        templates: int = 5,
        seed: int = 0,
    ) -> Self:
        """Create a world of any size, the same for the same numbers.

        Rows are made when they are first used, so a large world is there at once.

        Args:
            run_tests: how many run tests; they have no eval configs yet.
            executions: how many completed executions each of them has.
            calls: how many completed calls each execution has.
            templates: how many system templates there are.
            seed: other ids for another seed.

        Raises:
            ValueError: a number is negative or too large.

        Example:
            >>> world = World.synthetic(run_tests=2)
            >>> len(world.run_test_ids)
            2
        """
        return cls(
            [synthetic_key(seed)],
            _by_id(synthetic_templates(templates, seed)),
            SyntheticRunTests(run_tests, executions, calls, seed),
            functools.partial(
                cls.synthetic,
                run_tests,
                executions=executions,
                calls=calls,
                templates=templates,
                seed=seed,
            ),
        )

    @classmethod
    def load(cls, source: str | Path | Mapping[str, Any]) -> Self:
        """Load a world from a JSON file, or from the content of one.

        Args:
            source: the path of the file, or its content.

        Raises:
            WorldError: something in it is missing or of the wrong kind.
            OSError: the file cannot be read.
        """
        if not isinstance(source, Mapping):
            try:
                source = json.loads(Path(source).read_bytes())
            except ValueError as error:
                raise WorldError(f"the world is not JSON: {error}") from error
        if not isinstance(source, Mapping):
            raise WorldError("a world is an object, with api_keys and run_tests")
        return cls(
            _load_rows(source, "api_keys", ApiKey),
            _by_id(_load_rows(source, "eval_templates", Template)),
            _LoadedRunTests(_load_rows(source, "run_tests", RunTest)),
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
        """Return the first key that is enabled and may write.

        Raises:
            WorldError: there is none.
        """
        for key in self.keys:
            if key.enabled and key.may_write:
                return key
        raise WorldError("no key of this world is enabled and may write")

    def run_test(self, run_test_id: str, key: ApiKey) -> RunTest | None:
        """Return the run test with this id, if the key sees it."""
        found = self.run_tests.get(run_test_id)
        return found if found and found.is_visible_to(key) else None

    def template(self, template_id: str, key: ApiKey) -> Template | None:
        """Return the template with this id, if the key may use it."""
        found = self.templates.get(template_id)
        return found if found and is_usable(found, key) else None


def _by_id(templates: Iterable[Template]) -> dict[str, Template]:
    """Return templates by their ids."""
    return {template.id: template for template in templates}


_NESTED_ROWS = {
    "scenarios": Scenario,
    "eval_configs": EvalConfig,
    "executions": Execution,
    "calls": Call,
}


def _load_rows(source: Mapping[str, Any], name: str, kind: type[Any]) -> list[Any]:
    """Build the rows of one list of a world, with the rows inside them."""
    rows = source.get(name, [])
    if not isinstance(rows, list):
        raise WorldError(f"{name} is a list")
    return [_load_row(row, f"{name}[{i}]", kind) for i, row in enumerate(rows)]


def _load_row(source: Any, location: str, kind: type[Any]) -> Any:
    """Build one row; columns that the emulator does not know are left out."""
    if not isinstance(source, Mapping):
        raise WorldError(f"{location} is an object")
    names = [field.name for field in attrs.fields(kind)]
    values = {name: source[name] for name in names if name in source}
    for name in _NESTED_ROWS.keys() & values.keys():
        try:
            values[name] = _load_rows(source, name, _NESTED_ROWS[name])
        except WorldError as error:
            raise WorldError(f"{location}.{error}") from None
    if "eval_outputs" in values:
        # Results change; the content that was passed in does not.
        values["eval_outputs"] = dict(values["eval_outputs"])
    try:
        return kind(**values)
    except TypeError as error:
        raise WorldError(f"{location}: {error}") from None
