"""How the service finds a text inside another: as a pattern, or as it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable


_WILDCARDS = {"%": ".*", "_": "."}


def like(text: str) -> Callable[[str], bool]:
    """Return whether a name contains a pattern of the database, in any case.

    `%` stands for any characters, `_` for one, and a backslash takes the meaning from
    the character behind it.
    """
    parts = re.findall(r"\\\\.|.", f"{text}%", re.DOTALL)
    pattern = "".join(_WILDCARDS.get(part) or re.escape(part[-1]) for part in parts)
    compiled = re.compile(f".*{pattern}", re.DOTALL | re.IGNORECASE)
    return lambda name: compiled.fullmatch(name) is not None
