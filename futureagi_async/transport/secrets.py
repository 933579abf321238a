"""Keys that can be used but not seen."""

from __future__ import annotations

from typing import NoReturn, final


MASK = "**********"


class RevealedSecret(str):
    """A key as text for a header, masked wherever its repr is shown.

    Tools that print the local variables of a traceback call `repr`.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{MASK}'"


@final
class Secret:
    """A key: never in a repr, a log line, an error or a pickle."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = RevealedSecret(value)

    def reveal(self) -> RevealedSecret:
        """Give the key itself, to be put into a header and nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied; pass the key anew")
