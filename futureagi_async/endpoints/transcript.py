"""The transcript of a call, in the forms of voice and of text agents."""

from __future__ import annotations

from typing import Any, Self

import attrs


@attrs.frozen(kw_only=True)
class TranscriptTurn:
    """One turn of a call.

    Attributes:
        role: who speaks: `user`, `assistant`, or `tool_calls` and `tool_call_result`;
            `None` if that is not known.
        text: the words, or the result of a tool.
        raw: the turn in the response, for example with its times.
    """

    role: str | None
    text: str
    raw: dict[str, Any] = attrs.field(factory=dict, hash=False, repr=False)

    @classmethod
    def from_wire(cls, value: Any) -> Self:
        """Return the turn in a response; every one is accepted.

        A turn of a voice agent has a text, one of a text agent a list of parts.
        """
        if not isinstance(value, dict):
            return cls(role=None, text=str(value), raw={"content": value})
        parts = _parts(value.get("content"))
        own_role = value.get("speaker_role") or value.get("role")
        roles = [role for role in (own_role, *(each[0] for each in parts)) if role]
        return cls(
            role=str(roles[0]) if roles else None,
            text="\n".join(text for _, text in parts),
            raw=value,
        )


def _parts(content: Any) -> list[tuple[Any, str]]:
    """Return the role and text of each part of the content of a turn."""
    if content is None:
        return []
    if isinstance(content, list):
        return [part for each in content for part in _parts(each)]
    if isinstance(content, dict):
        return [(content.get("role"), str(content.get("content") or ""))]
    return [(None, str(content))]


def read_transcript(value: Any) -> tuple[TranscriptTurn, ...]:
    """Return the turns of a transcript, none if there is no transcript."""
    turns = value if isinstance(value, list) else []
    return tuple(TranscriptTurn.from_wire(each) for each in turns)
