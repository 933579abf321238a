"""Transcripts as calls show them: those of voices, and those of chats."""

from __future__ import annotations

import datetime as dt
import zlib
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_OID, uuid5

from futureagi_async.emulator.rules.times import show_time


if TYPE_CHECKING:
    from collections.abc import Sequence

    from futureagi_async.emulator.filling import Turn
    from futureagi_async.emulator.rows import Call


_TURN_MS = 6_000
"""How long every turn of a voice takes."""

_MESSAGES_MS = 6
_MESSAGES_SEED = 156
"""Fitted to the recorded chats, whose milliseconds are an accident: no rule is known."""


def voice_transcript(
    row_id: str, turns: Sequence[Turn], created_at: dt.datetime
) -> list[dict[str, Any]]:
    """Return the turns of a call with voices; each takes the same time."""
    return [
        {
            "id": _turn_id(row_id, place),
            "speaker_role": role,
            "content": text,
            "start_time_ms": place * _TURN_MS,
            "start_time_seconds": place * _TURN_MS / 1000,
            "end_time_ms": (place + 1) * _TURN_MS,
            "end_time_seconds": (place + 1) * _TURN_MS / 1000,
            "confidence_score": 1.0,
            "created_at": show_time(created_at),
        }
        for place, (role, text) in enumerate(turns)
    ]


def chat_transcript(
    row_id: str, turns: Sequence[Turn], created_at: dt.datetime
) -> list[dict[str, Any]]:
    """Return the messages of a chat; their texts are one level deeper."""
    return [
        {
            "id": _turn_id(row_id, place),
            "role": role,
            "messages": [text],
            "content": [{"role": role, "content": text}],
            "tokens": None,
            "latency_ms": None,
            "created_at": show_time(created_at),
        }
        for place, (role, text) in enumerate(turns)
    ]


def chat_seconds(row: Call) -> float | None:
    """Return how long a chat took: from its first message to its last.

    The service takes the times at which the messages were stored, which were a few
    milliseconds for chats that were stored at once. The emulator makes them up from
    the id; for the recorded chats it comes to the recorded seconds.
    """
    if not row.transcript:
        return None
    milliseconds = zlib.crc32(row.id.encode(), _MESSAGES_SEED) % _MESSAGES_MS
    return round(milliseconds / 1000, 2)


def _turn_id(row_id: str, place: int) -> str:
    """Return the id of a turn."""
    return str(uuid5(NAMESPACE_OID, f"{row_id}/turn/{place}"))
