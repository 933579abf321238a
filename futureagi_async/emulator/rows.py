"""The rows that make up a world: workspaces, users, keys, templates and run tests.

Every list is in order of creation, oldest first; the service shows newest first.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import attrs

from futureagi_async.emulator.filling import Turn


DEFAULT_TIME = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
"""When everything happened that has no time of its own."""


@attrs.define
class Workspace:
    """A workspace of an organization.

    Args:
        default: whether it is the one that is used where none is named.
        active: a retired one is as good as unknown.
    """

    id: str
    organization: str
    name: str = ""
    default: bool = False
    active: bool = True


@attrs.define
class User:
    """A person whose rights a key can have.

    Args:
        role: an `owner` reaches every workspace of the organization, a `member` and a
            `viewer` reach those listed.
        workspaces: their ids; the first request of a member without any adds the
            default one.
    """

    name: str
    organization: str
    role: str = "owner"
    workspaces: list[str] = attrs.field(factory=list)

    def may_use(self, workspace: Workspace) -> bool:
        """Return whether the user reaches a workspace of the organization."""
        return self.role == "owner" or workspace.id in self.workspaces


@attrs.define
class ApiKey:
    """A pair of key and secret, and its owner.

    Args:
        workspace: `None` for a key that is bound to none: its requests name theirs.
        role: a `viewer` reads but does not write.
        enabled: a disabled key is rejected like a wrong one.
        user: the name of the user whose rights it has; `None`: that user is gone.
    """

    name: str
    api_key: str
    secret_key: str
    organization: str
    workspace: str | None
    role: str = "owner"
    enabled: bool = True
    user: str | None = ""

    @property
    def may_write(self) -> bool:
        """Whether requests that change something are accepted."""
        return self.role != "viewer"


@attrs.define
class Template:
    """An eval template.

    Args:
        organization: `None` for a system template, which every key sees.
        workspace: `None` for one that every workspace of the organization can add.
        listed: whether the template list shows it; it is usable anyway.
        output_type: `Pass/Fail`, `score`, `choices`, `numeric` or `reason`.
        required_keys: the inputs that a mapping may name.
        function_params_schema: what `config.params` is checked against.
        on_run: the stored result of an evaluation; by default it is made up.
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
    description: str | None = None
    eval_tags: Sequence[str] = ()
    criteria: str | None = None
    choices: Sequence[str] | None = None
    multi_choice: bool = False
    choice_scores: Mapping[str, float] | None = None


@attrs.define
class EvalConfig:
    """An eval config of one run test; old rows can have null for most of it.

    Args:
        on_run: the stored result of an evaluation; by default that of its template.
    """

    id: str
    name: str | None
    template_id: str
    config: Any = attrs.field(factory=dict)
    mapping: Any = attrs.field(factory=dict)
    filters: Any = attrs.field(factory=list)
    error_localizer: bool = False
    model: str | None = None
    status: str = "Completed"
    deleted: bool = False
    created_at: dt.datetime = DEFAULT_TIME
    on_run: Mapping[str, Any] | None = None


@attrs.define
class Snapshot:
    """A call as it was before a rerun.

    Args:
        rerun_type: one of `call_and_eval` stands in the list of calls, at its
            `snapshot_timestamp`; one of `eval_only` is shown nowhere.
        eval_outputs: its stored cells by config id.
    """

    id: str
    rerun_type: str = "call_and_eval"
    snapshot_timestamp: dt.datetime = DEFAULT_TIME
    status: str | None = "completed"
    duration_seconds: int | None = None
    eval_outputs: dict[str, Any] | None = attrs.field(factory=dict)
    transcript: Sequence[Turn] | None = None


ENDED = frozenset({"completed", "failed", "cancelled"})
"""The statuses of a call that will not change by itself."""


@attrs.define
class Call:
    """One call of an execution.

    Args:
        eval_outputs: its stored cells by config id.
        updated_at: when the row changed last, by which calls are listed.
        started_at: when it began; `None`: not yet.
        completed_at: when it ended; by default after its duration.
        transcript: what was said; `None`: nothing, so that evaluations are skipped;
            empty: it is not part of the world.
        scenario: the id of its scenario; by default the first of its run test.
        deleted: whether it is gone, except for its place in the list.
        snapshots: what it was before its reruns, oldest first.
    """

    id: str
    status: str = "completed"
    eval_outputs: dict[str, Any] | None = attrs.field(factory=dict)
    created_at: dt.datetime = DEFAULT_TIME
    updated_at: dt.datetime = DEFAULT_TIME
    started_at: dt.datetime | None = DEFAULT_TIME
    completed_at: dt.datetime | None = None
    duration_seconds: int | None = None
    phone_number: str | None = None
    transcript: Sequence[Turn] | None = ()
    scenario: str | None = None
    deleted: bool = False
    tool_outputs: Any = None
    snapshots: list[Snapshot] = attrs.field(factory=list)

    @property
    def ended_at(self) -> dt.datetime | None:
        """When it ended, if it did."""
        if self.completed_at or self.status not in ENDED or not self.started_at:
            return self.completed_at
        return self.started_at + dt.timedelta(seconds=self.duration_seconds or 0)


@attrs.define
class Execution:
    """One execution of a run test; only a `completed` one can be evaluated.

    Args:
        total_calls: a stored number, as are the next two: they are what lists show,
            and need not agree with the calls.
        scenarios: the ids of the scenarios that it plays; by default all of its run
            test.
        deleted: whether it and its calls are gone, except for their places in the list
            of calls.
    """

    id: str
    status: str = "completed"
    calls: list[Call] = attrs.field(factory=list)
    created_at: dt.datetime = DEFAULT_TIME
    started_at: dt.datetime | None = DEFAULT_TIME
    completed_at: dt.datetime | None = None
    total_calls: int = 0
    completed_calls: int = 0
    failed_calls: int = 0
    deleted: bool = False
    error_reason: str | None = None
    scenarios: Sequence[str] | None = None

    def live_calls(self) -> list[Call]:
        """Return the calls that are not deleted, oldest first."""
        return [call for call in self.calls if not call.deleted]

    def newest_calls(self) -> list[Call]:
        """Return the calls that are not deleted, those that changed last first."""
        return sorted(self.live_calls(), key=lambda call: call.updated_at)[::-1]


@attrs.frozen
class Scenario:
    """A scenario that the calls of a run test play.

    Args:
        graph_bytes: about how large its graph is.
        status: only a `Completed` one can be executed.
        dataset: whether it has data, without which evaluations fail.
    """

    id: str
    name: str
    row_count: int = 0
    graph_bytes: int = 0
    status: str = "Completed"
    dataset: bool = False


@attrs.define
class RunTest:
    """A run test and everything that belongs to it.

    Args:
        agent_type: `voice` or `text`.
    """

    id: str
    name: str
    organization: str
    workspace: str
    description: str = ""
    deleted: bool = False
    enable_tool_evaluation: bool = False
    agent_name: str = ""
    agent_type: str = "text"
    created_at: dt.datetime = DEFAULT_TIME
    scenarios: Sequence[Scenario] = ()
    eval_configs: list[EvalConfig] = attrs.field(factory=list)
    executions: list[Execution] = attrs.field(factory=list)

    @property
    def is_text(self) -> bool:
        """Whether its agent writes, so that other workers make its calls."""
        return self.agent_type == "text"

    def is_visible_to(self, key: ApiKey) -> bool:
        """Return whether it belongs to the key's workspace and is not deleted."""
        return (
            not self.deleted
            and self.workspace == key.workspace
            and self.organization == key.organization
        )

    def live_configs(self) -> list[EvalConfig]:
        """Return the configs that are not deleted, newest first."""
        return [config for config in reversed(self.eval_configs) if not config.deleted]

    def live_config(self, config_id: str) -> EvalConfig | None:
        """Return the config with this id, unless it is deleted."""
        return next((c for c in self.live_configs() if c.id == config_id), None)

    def live_executions(self) -> list[Execution]:
        """Return the executions that are not deleted, newest first."""
        return [each for each in reversed(self.executions) if not each.deleted]

    def execution(self, execution_id: str) -> Execution | None:
        """Return the execution with this id, unless it is deleted."""
        return next((e for e in self.live_executions() if e.id == execution_id), None)

    def calls(self) -> list[tuple[Execution, Call]]:
        """Return the calls that are not deleted with their executions, newest first."""
        return [
            (execution, call)
            for execution in self.live_executions()
            for call in reversed(execution.live_calls())
        ]

    def places(self) -> "list[Place]":
        """Return the places of the list of calls, the newest first.

        Calls stand where they changed last, and snapshots of reruns that called again
        where they were taken. What is deleted leaves its place empty.
        """
        places = [
            Place(execution, call, snapshot)
            for execution in reversed(self.executions)
            for call in reversed(execution.calls)
            for snapshot in (None, *reversed(call.snapshots))
            if snapshot is None or snapshot.rerun_type == "call_and_eval"
        ]
        places.sort(key=lambda place: place.time, reverse=True)
        return places

    def call(self, call_id: str) -> tuple[Execution, Call] | None:
        """Return the call with this id and its execution, unless one is deleted."""
        return next((pair for pair in self.calls() if pair[1].id == call_id), None)

    def scenario_of(self, call: Call) -> Scenario | None:
        """Return the scenario of a call."""
        first = next(iter(self.scenarios), None)
        return next(
            (each for each in self.scenarios if each.id == call.scenario), first
        )


@attrs.frozen
class Place:
    """A place in the list of a run test's calls.

    Args:
        execution: the execution of the call.
        call: the call.
        snapshot: the snapshot of the call that stands here, or `None` for itself.
    """

    execution: Execution
    call: Call
    snapshot: Snapshot | None

    @property
    def time(self) -> dt.datetime:
        """When what stands here changed last."""
        return (
            self.snapshot.snapshot_timestamp if self.snapshot else self.call.updated_at
        )

    @property
    def status(self) -> str | None:
        """The status of what stands here."""
        return self.snapshot.status if self.snapshot else self.call.status

    @property
    def is_empty(self) -> bool:
        """Whether what stood here is deleted; a snapshot stays without its call."""
        if self.snapshot:
            return False
        return self.call.deleted or self.execution.deleted


class RunTests(Protocol):
    """The run tests of a world, loaded or synthetic."""

    @property
    def ids(self) -> Sequence[str]:
        """All ids in order of creation."""
        ...

    def used(self) -> Iterator[RunTest]:
        """Iterate over those that anything can have changed."""
        ...

    def get(self, run_test_id: str) -> RunTest | None:
        """Return the run test with this id."""
        ...

    def of_execution(self, execution_id: str) -> RunTest | None:
        """Return the run test that has this execution."""
        ...

    def of_call(self, call_id: str) -> RunTest | None:
        """Return the run test that has this call."""
        ...

    def adopt(self, run_test: RunTest, row: Execution | Call) -> None:
        """Remember that a new execution or call belongs to a run test."""
        ...

    def forget(self, row: Execution | Call) -> None:
        """Forget a new execution or call."""
        ...

    def visible_to(self, key: ApiKey, search: str = "") -> Sequence[RunTest]:
        """Return what the key sees, newest first.

        Args:
            key: the key.
            search: a part of the name of the run test or of its agent.
        """
        ...

    def find(self, name: str, organization: str) -> RunTest | None:
        """Return the newest run test of the organization with exactly this name."""
        ...


def is_usable(template: Template, key: ApiKey) -> bool:
    """Return whether a key may use a template: a system one, or its workspace's."""
    if template.deleted or template.organization is None:
        return not template.deleted
    return template.organization == key.organization and template.workspace in (
        None,
        key.workspace,
    )
