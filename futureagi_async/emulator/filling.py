"""Long texts that a world describes by their size, made when they are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, overload

import attrs


Turn: TypeAlias = "tuple[str, str]"
"""Who speaks, `user` or `assistant`, and what is said."""

_SENTENCE = (
    "The caller explains the matter in detail and the agent asks back, notes the "
    "answer and repeats it to be sure. "
)

_STEP = 7
"""How many characters later each turn begins in the repetition of the sentence."""

_NODE_BYTES = 300
"""About how many bytes of JSON one node of a scenario graph has."""


@attrs.frozen
class FilledTranscript(Sequence[Turn]):
    """A transcript of a number of turns and characters; the user speaks first.

    Args:
        turns: how many turns there are.
        chars: how many characters all turns have together.
    """

    turns: int
    chars: int

    def __len__(self) -> int:
        """Return the number of turns."""
        return self.turns

    @overload
    def __getitem__(self, index: int) -> Turn: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Turn]: ...
    def __getitem__(self, index: int | slice) -> Turn | Sequence[Turn]:
        """Return one turn, or those of a slice."""
        if isinstance(index, slice):
            return [self._turn(place) for place in range(self.turns)[index]]
        return self._turn(range(self.turns)[index])

    def _turn(self, place: int) -> Turn:
        """Return the turn at a place."""
        size = self.chars // self.turns
        start = _STEP * place % len(_SENTENCE)
        text = _SENTENCE * (size // len(_SENTENCE) + 2)
        return ("assistant" if place % 2 else "user", text[start : start + size])


def scenario_graph(size: int) -> dict[str, Any]:
    """Return a graph of nodes in a row whose JSON has about so many bytes."""
    if not size:
        return {}
    count = max(1, size // _NODE_BYTES)
    nodes = [
        {
            "id": f"node-{place}",
            "type": "conversation",
            "name": f"step {place}",
            "prompt": _SENTENCE * 2,
        }
        for place in range(count)
    ]
    edges = [
        {
            "id": f"edge-{place}",
            "source": f"node-{place}",
            "target": f"node-{place + 1}",
        }
        for place in range(count - 1)
    ]
    return {"nodes": nodes, "edges": edges}
