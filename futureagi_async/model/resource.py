"""Objects of the service that have an id, and are accepted in its place."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import ClassVar, TypeAlias
from uuid import UUID


class Identifiable:
    """Something that a list or a lookup returned, and that has an id.

    Attributes:
        resource_name: what it is, for messages: `run test`.
        id: its id.
    """

    __slots__ = ()

    resource_name: ClassVar[str]
    id: str


class IdentifiesRunTest(Identifiable):
    """Something that has the id of a run test."""

    __slots__ = ()

    resource_name: ClassVar[str] = "run test"


class IdentifiesEvalConfig(Identifiable):
    """Something that has the id of an eval config."""

    __slots__ = ()

    resource_name: ClassVar[str] = "eval config"


class IdentifiesEvalTemplate(Identifiable):
    """Something that has the id of an eval template."""

    __slots__ = ()

    resource_name: ClassVar[str] = "eval template"


class IdentifiesExecution(Identifiable):
    """Something that has the id of an execution."""

    __slots__ = ()

    resource_name: ClassVar[str] = "execution"


class IdentifiesCall(Identifiable):
    """Something that has the id of a call."""

    __slots__ = ()

    resource_name: ClassVar[str] = "call"


class IdentifiesScenario(Identifiable):
    """Something that has the id of a scenario."""

    __slots__ = ()

    resource_name: ClassVar[str] = "scenario"


RunTestRef: TypeAlias = UUID | str | IdentifiesRunTest
"""A run test: its id, or what a list or a lookup returned."""

EvalConfigRef: TypeAlias = UUID | str | IdentifiesEvalConfig
"""An eval config: its id, or what a list or a lookup returned."""

EvalTemplateRef: TypeAlias = UUID | str | IdentifiesEvalTemplate
"""An eval template: its id, or what a list or a lookup returned."""

ExecutionRef: TypeAlias = UUID | str | IdentifiesExecution
"""An execution: its id, or what a list returned."""

CallRef: TypeAlias = UUID | str | IdentifiesCall
"""A call: its id, or what a list returned."""

RunTestRefs: TypeAlias = Iterable[RunTestRef] | AsyncIterable[RunTestRef]
"""Any number of run tests; an iterator is read as they are worked on."""
