"""The rows of which a world consists: what keys, templates and run tests are.

Every list is in order of creation, oldest first; the service shows newest first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import attrs


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


MOMENT = "2026-01-01T00:00:00Z"
"""When everything happened that has no time of its own."""


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


def usable(template: Template, key: ApiKey) -> bool:
    """System templates are everybody's, others their workspace's."""
    return not template.deleted and (
        template.organization is None
        or (template.organization, template.workspace)
        == (key.organization, key.workspace)
    )
