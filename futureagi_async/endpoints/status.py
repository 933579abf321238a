"""The states of executions, calls and evaluations."""

from __future__ import annotations

import enum
from typing import Any, Self

from futureagi_async.model import codec


class ExecutionStatus(enum.StrEnum):
    """A state, as text in lower case.

    The service writes the same state in different cases: "Completed" in a list of
    executions, "completed" in a list of calls and in a filter. All of them are the same
    member. A state that this package does not know is no error: it equals its own text,
    and `is_known` is false.

    Example:
        >>> ExecutionStatus("Completed") is ExecutionStatus.COMPLETED
        True
        >>> ExecutionStatus("Paused") == "paused", ExecutionStatus("Paused").is_known
        (True, False)
    """

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    ONGOING = "ongoing"
    ANALYZING = "analyzing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    EVALUATING = "evaluating"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        text = value.lower()
        known = cls._value2member_map_.get(text)
        if isinstance(known, cls):
            return known
        # Not registered as a member: there is no limit to the texts that a service sends.
        unknown = str.__new__(cls, text)
        unknown._name_ = text.upper()
        unknown._value_ = text
        return unknown

    @classmethod
    def from_wire(cls, value: Any) -> Self:
        """Return the state in a response.

        Raises:
            TypeError: it is no text.
        """
        if isinstance(value, str):
            return cls(value)
        raise TypeError(f"text belongs here, not {codec.json_type_name(value)}")

    @property
    def is_known(self) -> bool:
        """Whether it is one of the states that this package knows."""
        return self._value_ in type(self)._value2member_map_
