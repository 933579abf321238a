"""The state of the service: keys, templates and run tests, made up or loaded."""

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import attrs

from futureagi_async.emulator.clock import Clock
from futureagi_async.emulator.lived_in import (
    LivedInRunTests,
    lived_in_keys,
    lived_in_templates,
    lived_in_users,
    lived_in_workspaces,
)
from futureagi_async.emulator.loading import Loader, WorldError
from futureagi_async.emulator.rows import (
    ApiKey,
    Call,
    EvalConfig,
    Execution,
    RunTest,
    RunTests,
    Template,
    User,
    Workspace,
    is_usable,
)
from futureagi_async.emulator.scores import ScriptedResult
from futureagi_async.emulator.synthetic import (
    SyntheticRunTests,
    synthetic_key,
    synthetic_templates,
)


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
            for execution in run_test.executions
            for call in execution.calls
        }

    @property
    def ids(self) -> Sequence[str]:
        """All ids in order of creation."""
        return tuple(self._by_id)

    def used(self) -> Iterator[RunTest]:
        """Iterate over all of them."""
        return iter(self._by_id.values())

    def get(self, run_test_id: str) -> RunTest | None:
        """Return the run test with this id."""
        return self._by_id.get(run_test_id)

    def of_execution(self, execution_id: str) -> RunTest | None:
        """Return the run test that has this execution."""
        return self._by_execution.get(execution_id)

    def of_call(self, call_id: str) -> RunTest | None:
        """Return the run test that has this call."""
        return self._by_call.get(call_id)

    def adopt(self, run_test: RunTest, row: Execution | Call) -> None:
        """Remember that a new execution or call belongs to a run test."""
        self._owners(row)[row.id] = run_test

    def forget(self, row: Execution | Call) -> None:
        """Forget a new execution or call."""
        del self._owners(row)[row.id]

    def _owners(self, row: Execution | Call) -> dict[str, RunTest]:
        """Return the run tests of rows of this kind by the ids of the rows."""
        return self._by_call if isinstance(row, Call) else self._by_execution

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

    Create one with `World.synthetic`, `World.lived_in` or `World.load`.

    Attributes:
        keys: the pairs of key and secret.
        templates: the eval templates by id, oldest first.
        run_tests: the run tests.
        renew: returns the world as it was at the beginning, without scores.
        workspaces: the workspaces that a key which is bound to none can name.
        users: the people whose rights such a key has.
        loader: the reader of further rows.
        clock: the times of rows that change.
        scores: the scripted results of evaluations; the last one that matches counts.
    """

    keys: list[ApiKey]
    templates: dict[str, Template]
    run_tests: RunTests
    renew: Callable[[], Self] = attrs.field(repr=False)
    workspaces: list[Workspace] = attrs.field(factory=list)
    users: list[User] = attrs.field(factory=list)
    loader: Loader = attrs.field(factory=Loader, repr=False)
    clock: Clock = attrs.field(factory=Clock, repr=False)
    scores: list[ScriptedResult] = attrs.field(factory=list)

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
    def lived_in(
        cls,
        run_tests: int = 200,
        *,
        executions: int = 3,
        calls: int = 10,
        seed: int = 0,
    ) -> Self:
        """Create the world of an account that people have worked in.

        The run tests have histories of many kinds in turn, and are named after them:
        "fresh 0", "scored 1", "stuck 13", "fresh 17". The kinds and what they mean are
        `futureagi_async.emulator.lived_in.KINDS`. Beside the owner's key there are
        one that is bound to no workspace, and one that only reads. Rows are made when
        they are first used.

        Args:
            run_tests: how many run tests; from 17 on there is one of each kind.
            executions: how many executions each of them has, give or take one or two
                where its kind asks for it.
            calls: how many calls each execution has.
            seed: other ids and other results for another seed.

        Raises:
            ValueError: a number is negative or too large.

        Example:
            >>> world = World.lived_in(run_tests=20)
            >>> world.run_tests.get(world.run_test_ids[13]).name
            'stuck 13'
        """
        templates = lived_in_templates(seed)
        return cls(
            lived_in_keys(seed),
            _by_id(templates),
            LivedInRunTests(run_tests, executions, calls, seed, templates),
            functools.partial(
                cls.lived_in, run_tests, executions=executions, calls=calls, seed=seed
            ),
            lived_in_workspaces(seed),
            lived_in_users(seed),
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
        loader = Loader.of(source)
        return cls(
            loader.rows(ApiKey, source, "api_keys"),
            _by_id(loader.rows(Template, source, "eval_templates")),
            _LoadedRunTests(loader.rows(RunTest, source, "run_tests")),
            functools.partial(cls.load, source),
            loader.rows(Workspace, source, "workspaces"),
            loader.rows(User, source, "users"),
            loader,
        )

    def reset_copy(self) -> Self:
        """Return a copy of the world as it was at the beginning, with the scores."""
        copy = self.renew()
        copy.scores += self.scores
        return copy

    def score(
        self,
        name: str,
        value: Any = None,
        *,
        output_type: str | None = None,
        reason: str = "Scripted.",
        failed: bool = False,
        skipped: bool = False,
        calls: Iterable[UUID | str] | None = None,
        run_tests: Iterable[UUID | str] | None = None,
    ) -> None:
        """Script what evaluations yield from now on, where they really run.

        Of several that match the last one counts; results that exist stay.

        Args:
            name: the name of eval configs, or of their template.
            value: the result, in the form in which the service stores it: "Passed",
                0.4, "negative", ["price", "delivery"].
            output_type: its type; by default that of the template.
            reason: the reason of the result.
            failed: whether the evaluations fail instead.
            skipped: whether they are skipped instead.
            calls: the ids of the calls; by default of all.
            run_tests: the ids or names of the run tests; by default of all.

        Raises:
            ValueError: the arguments contradict each other.

        Example:
            >>> world = World.synthetic(run_tests=1)
            >>> world.score("tone", "negative", reason="The caller was cut off.")
        """
        scripted = ScriptedResult.create(
            name,
            value,
            output_type=output_type,
            reason=reason,
            failed=failed,
            skipped=skipped,
            calls=calls,
            run_tests=run_tests,
        )
        self.scores.append(scripted)

    def scripted_cell(self, config: EvalConfig, call: Call) -> dict[str, Any] | None:
        """Return the stored cell that is scripted for a config and a call, if any."""
        if not self.scores:
            return None
        template = self.templates.get(config.template_id)
        run_test = self.run_tests.of_call(call.id)
        for scripted in reversed(self.scores):
            if scripted.matches(config, template, run_test, call):
                return scripted.cell(config, template)
        return None

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

    def user(self, key: ApiKey) -> User:
        """Return the user whose rights a key has; by default one with its role."""
        for user in self.users:
            if (user.name, user.organization) == (key.user, key.organization):
                return user
        return User(key.name, key.organization, key.role)

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
