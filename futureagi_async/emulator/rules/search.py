"""How the database finds a text inside another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable


_PARTS = re.compile(r"\\.|.", re.DOTALL)


def like(text: str) -> Callable[[str], bool]:
    """Return whether a name contains a pattern of the database, in any case.

    `%` stands for any characters, `_` for one, and a backslash takes the meaning from
    the character behind it.
    """
    segments = [""]
    for part in _PARTS.findall(f"{text}%"):
        if part == "%":
            segments.append("")
        else:
            segments[-1] += "." if part == "_" else re.escape(part[-1])
    if segments[-1]:
        # A backslash at the end took the meaning from the last wildcard.
        segments[-1] += r"\Z"
    flags = re.DOTALL | re.IGNORECASE
    patterns = [re.compile(segment, flags) for segment in segments]

    def matches(name: str) -> bool:
        position = 0
        for pattern in patterns:
            match = pattern.search(name, position)
            if match is None:
                return False
            position = match.end()
        return True

    return matches
