"""The rows that make up a world: keys, templates and run tests.

Every list is in order of creation, oldest first; the service shows newest first.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs


DEFAULT_TIME = "2026-01-01T00:00:00Z"
"""When everything happened that has no time of its own."""


@attrs.define
class ApiKey:
    """A pair of key and secret, and its owner.

    Args:
        role: a `viewer` reads but does not write.
        enabled: a disabled key is rejected like a wrong one.
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
        """Whether requests that change something are accepted."""
        return self.role != "viewer"


@attrs.define
class Template:
    """An eval template.

    Args:
        organization: `None` for a system template, which every key sees.
        listed: whether the template list shows it; it is usable anyway.
        output_type: `Pass/Fail`, `score`, `choices` or `numeric`.
        required_keys: the inputs that a mapping may name.
        function_params_schema: what `config.params` is checked against.
        on_run: the result of an evaluation; by default it is made up.
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
    """An eval config of one run test; old rows can have null for most of it."""

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
        start_time: when it started, in the form of ISO 8601.
    """

    id: str
    status: str = "completed"
    calls: list[Call] = attrs.field(factory=list)
    start_time: str = DEFAULT_TIME


@attrs.frozen
class Scenario:
    """A scenario that the calls of a run test play."""

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

    def execution(self, execution_id: str) -> Execution | None:
        """Return the execution with this id."""
        return next((e for e in self.executions if e.id == execution_id), None)

    def calls(self) -> list[tuple[Execution, Call]]:
        """Return all calls with their executions, newest first."""
        return [
            (execution, call)
            for execution in reversed(self.executions)
            for call in reversed(execution.calls)
        ]


class RunTests(Protocol):
    """The run tests of a world, loaded or synthetic."""

    @property
    def ids(self) -> Sequence[str]:
        """All ids in order of creation."""
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
    return not template.deleted and (
        template.organization is None
        or (template.organization, template.workspace)
        == (key.organization, key.workspace)
    )
