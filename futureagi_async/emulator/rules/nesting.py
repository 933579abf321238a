"""JSON that is nested deeper than Python's recursion reaches, as the service reads it.

The service accepts thousands of levels; the parser, the encoder and every check here
that walks through a value therefore go without recursion.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Iterator


MAX_DEPTH = 5_000
"""Levels that the service reads; it breaks below its framework at more."""

_SPACE = re.compile(r"[ \t\n\r]*")


def leaves(value: Any) -> Iterator[Any]:
    """Iterate over the keys and the values inside a value, at any depth."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict() as mapping:
                yield from mapping
                waiting.extend(mapping.values())
            case list() as items:
                waiting.extend(items)
            case leaf:
                yield leaf


def decode_nested(text: str, decoder: json.JSONDecoder) -> Any:
    """Parse JSON without recursion.

    Args:
        text: the JSON.
        decoder: what parses the numbers and words in it.

    Raises:
        json.JSONDecodeError: it is no JSON.
        RecursionError: it is nested too deep for the service.
    """
    return _Reader(text, decoder).read()


class _Reader:
    """The state of a parser: what is open, and where it is in the text.

    Args:
        text: the JSON.
        decoder: what parses the numbers and words in it.
    """

    def __init__(self, text: str, decoder: json.JSONDecoder) -> None:
        self._text = text
        self._decoder = decoder
        self._at = 0
        self._open: list[Any] = []
        self._keys: list[str] = []

    def read(self) -> Any:
        """Return the value of all the text."""
        while True:
            value = self._value()
            if self._open and value is self._open[-1]:
                if isinstance(value, dict):
                    self._keys.append(self._key())
                continue
            value = self._close(value)
            if not self._open:
                break
        if self._peek():
            raise json.JSONDecodeError("Extra data", self._text, self._at)
        return value

    def _peek(self) -> str:
        """Return the next character that is no space, or nothing at the end."""
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._text[self._at : self._at + 1]

    def _value(self) -> Any:
        """Read a scalar or an empty container, or open one that is not empty."""
        match self._peek():
            case "[":
                return self._opened([], "]")
            case "{":
                return self._opened({}, "}")
            case _:
                return self._scalar()

    def _scalar(self) -> Any:
        """Read a text, a number or a word."""
        value, self._at = self._decoder.raw_decode(self._text, self._at)
        return value

    def _opened(self, container: Any, end: str) -> Any:
        """Open a container unless it is empty."""
        self._at += 1
        if self._peek() == end:
            self._at += 1
            return container
        if len(self._open) >= MAX_DEPTH:
            raise RecursionError("the JSON is nested too deep")
        self._open.append(container)
        return container

    def _key(self) -> str:
        """Read a key and the colon behind it."""
        if self._peek() != '"':
            raise json.JSONDecodeError(
                "Expecting property name enclosed in double quotes",
                self._text,
                self._at,
            )
        key: str = self._scalar()
        if self._peek() != ":":
            raise json.JSONDecodeError("Expecting ':' delimiter", self._text, self._at)
        self._at += 1
        return key

    def _close(self, value: Any) -> Any:
        """Put a value into what is open, and close what ends behind it."""
        while self._open:
            container = self._open[-1]
            if isinstance(container, dict):
                container[self._keys.pop()] = value
            else:
                container.append(value)
            if not self._ends(container):
                return value
            value = self._open.pop()
        return value

    def _ends(self, container: Any) -> bool:
        """Read what stands behind a value; return whether its container ends."""
        is_object = isinstance(container, dict)
        found = self._peek()
        if found not in (",", "}" if is_object else "]"):
            raise json.JSONDecodeError("Expecting ',' delimiter", self._text, self._at)
        self._at += 1
        if found == "," and is_object:
            self._keys.append(self._key())
        return found != ","


def encode_nested(value: Any) -> bytes:
    """Encode a value as JSON without recursion.

    Raises:
        UnicodeEncodeError: the value contains a lone surrogate.
    """
    parts: list[str] = []
    waiting = [value]
    while waiting:
        match waiting.pop():
            case _Text() as text:
                parts.append(text)
            case dict() as mapping:
                waiting.extend(reversed(_object_parts(mapping)))
            case list() | tuple() as items:
                waiting.extend(reversed(_list_parts(items)))
            case scalar:
                parts.append(json.dumps(scalar, ensure_ascii=False))
    return "".join(parts).encode()


class _Text(str):
    """Text of the encoded JSON, in contrast to a text inside the value."""

    __slots__ = ()


_COMMA = _Text(",")


def _object_parts(mapping: dict[Any, Any]) -> list[Any]:
    """Return the text and the values that an object consists of."""
    parts: list[Any] = [_Text("{")]
    for place, (key, value) in enumerate(mapping.items()):
        name = json.dumps(str(key), ensure_ascii=False)
        parts += [_COMMA] * bool(place) + [_Text(f"{name}:"), value]
    return [*parts, _Text("}")]


def _list_parts(items: Any) -> list[Any]:
    """Return the text and the values that a list consists of."""
    parts: list[Any] = [_Text("[")]
    for place, value in enumerate(items):
        parts += [_COMMA] * bool(place) + [value]
    return [*parts, _Text("]")]
