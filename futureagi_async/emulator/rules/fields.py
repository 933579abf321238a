"""The kinds of values in requests: what each accepts, returns, and reports as wrong.

They are declared and composed as in the service's own framework, and their odd
tolerances are the framework's: `true` is a UUID, `1` and `"on"` are booleans, numbers
become text.
"""

from __future__ import annotations

import abc
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from futureagi_async.emulator.rules.envelope import NON_FIELD, Errors, Problem


_MISSING: Any = object()
"""Stands for a field that a request does not have."""


class InvalidError(Exception):
    """A value that a field rejects.

    Args:
        errors: what is wrong with it.
    """

    def __init__(self, errors: Errors) -> None:
        super().__init__(errors)
        self.errors = errors


class FormError(InvalidError):
    """An object whose fields have problems.

    Args:
        by_field: the problems.
    """

    def __init__(self, by_field: Mapping[str, Errors]) -> None:
        super().__init__(by_field)
        self.by_field = by_field


def invalid(message: str, code: str = "invalid") -> InvalidError:
    """Build the error of one value with one message."""
    return InvalidError([Problem(message, code)])


class FormData(dict[str, list[str]]):
    """The values of a form or a query: all are texts, and none can be null."""


@attrs.frozen(kw_only=True)
class Field(abc.ABC):
    """Base class of all fields.

    Args:
        required: whether a request without it is rejected.
        null: whether `null` is accepted.
        blank: whether an empty text is accepted, where texts are.
        default: the value of a missing field; without one it stays missing.
    """

    required: bool = False
    null: bool = False
    blank: bool = False
    default: Any = _MISSING

    def from_form(self, data: FormData, name: str) -> Any:
        """Return the raw value of the field in a form or a query."""
        if name not in data:
            return self.missing_in_form()
        value = data[name][-1]
        if value != "" or self.blank:
            return value
        # A form has no null: an empty text is what comes closest.
        if self.null:
            return None
        return value if self.required else _MISSING

    def missing_in_form(self) -> Any:
        """Return the value that a form without this field stands for."""
        return _MISSING

    def clean(self, value: Any) -> Any:
        """Return the value as the rules use it.

        Raises:
            InvalidError: it is missing or not acceptable.
        """
        if value is _MISSING:
            raise invalid("This field is required.", "required")
        if value is not None:
            return self.convert(value)
        if not self.null:
            raise invalid("This field may not be null.", "null")
        return None

    @abc.abstractmethod
    def convert(self, value: Any) -> Any:
        """Return the converted value, which is there and not null."""


_USUAL_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@attrs.frozen(kw_only=True)
class Id(Field):
    """A UUID in any spelling that Python reads, or the number of one."""

    def convert(self, value: Any) -> str:
        """Return the usual spelling: lower case with hyphens."""
        try:
            if isinstance(value, str):
                if _USUAL_ID.fullmatch(value):
                    return value
                return str(uuid.UUID(hex=value))
            if isinstance(value, int):  # true is 1 and so a UUID, too
                return str(uuid.UUID(int=value))
        except ValueError:
            pass
        raise invalid("Must be a valid UUID.")


_SURROGATES = re.compile("[\ud800-\udfff]")


@attrs.frozen(kw_only=True)
class Text(Field):
    """A text, trimmed; numbers are converted to their digits."""

    def clean(self, value: Any) -> Any:
        """Check for blank texts before anything else."""
        if isinstance(value, str) and not value.strip():
            if not self.blank:
                raise invalid("This field may not be blank.", "blank")
            return ""
        return super().clean(value)

    def convert(self, value: Any) -> str:
        """Return the text without white space around it."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise invalid("Not a valid string.")
        text = str(value).strip()
        problems = list(_forbidden_characters(text))
        if problems:
            raise InvalidError(problems)
        return text


def _forbidden_characters(text: str) -> Sequence[Problem]:
    """Return what a text may not contain, because a database or UTF-8 cannot."""
    problems: list[Problem] = []
    if "\x00" in text:
        problems.append(
            Problem("Null characters are not allowed.", "null_characters_not_allowed")
        )
    surrogate = _SURROGATES.search(text)
    if surrogate:
        problems.append(
            Problem(
                f"Surrogate characters are not allowed: U+{ord(surrogate.group()):X}.",
                "surrogate_characters_not_allowed",
            )
        )
    return problems


_TRUE = frozenset({"t", "y", "yes", "true", "on", "1", 1})
_FALSE = frozenset({"f", "n", "no", "false", "off", "0", 0})


@attrs.frozen(kw_only=True)
class Boolean(Field):
    """A boolean, or one of the words and numbers that stand for one."""

    def missing_in_form(self) -> Any:
        """Return false: a browser leaves out a box that is not ticked."""
        return False if self.default is _MISSING else self.default

    def convert(self, value: Any) -> bool:
        """Return the boolean; upper and lower case are alike."""
        key = value.lower() if isinstance(value, str) else value
        if isinstance(key, str | int | float):
            if key in _TRUE:
                return True
            if key in _FALSE:
                return False
        raise invalid("Must be a valid boolean.")


_MAX_DIGITS = 1000
_DECIMALS = re.compile(r"\.0*\s*$")


@attrs.frozen(kw_only=True)
class Integer(Field):
    """A whole number, or a text of one; `1.0` counts.

    Args:
        minimum: the smallest that is accepted.
        maximum: the largest.
    """

    minimum: int | None = None
    maximum: int | None = None

    def convert(self, value: Any) -> int:
        """Return the number."""
        if isinstance(value, str) and len(value) > _MAX_DIGITS:
            raise invalid("String value too large.", "max_string_length")
        try:
            number = int(_DECIMALS.sub("", str(value)))
        except ValueError:
            raise invalid("A valid integer is required.") from None
        if self.maximum is not None and number > self.maximum:
            raise invalid(
                f"Ensure this value is less than or equal to {self.maximum}.",
                "max_value",
            )
        if self.minimum is not None and number < self.minimum:
            raise invalid(
                f"Ensure this value is greater than or equal to {self.minimum}.",
                "min_value",
            )
        return number


@attrs.frozen(kw_only=True)
class Choice(Field):
    """One of a few words.

    Args:
        choices: the words.
    """

    choices: frozenset[str]

    def convert(self, value: Any) -> str:
        """Return the word itself."""
        word = str(value)
        if word in self.choices or (self.blank and word == ""):
            return word
        raise invalid(f'"{word}" is not a valid choice.', "invalid_choice")


@attrs.frozen(kw_only=True)
class ListOf(Field):
    """A list whose elements are of one kind.

    Args:
        child: their kind.
        min_length: how many there must be.
    """

    child: Field
    min_length: int = 0

    def from_form(self, data: FormData, name: str) -> Any:
        """Return the values of a name that a form repeats, or gives an index each."""
        if data.get(name):
            return data[name]
        indexed = _indexed_values(data, name)
        return [indexed[index] for index in sorted(indexed)] or _MISSING

    def convert(self, value: Any) -> list[Any]:
        """Return the converted elements, or raise all problems by their index."""
        if not isinstance(value, list):
            kind = type(value).__name__
            raise invalid(
                f'Expected a list of items but got type "{kind}".', "not_a_list"
            )
        if len(value) < self.min_length:
            raise invalid(
                f"Ensure this field has at least {self.min_length} elements.",
                "min_length",
            )
        converted: list[Any] = []
        errors: dict[str, Errors] = {}
        for index, element in enumerate(value):
            try:
                converted.append(self.child.clean(element))
            except InvalidError as error:
                errors[str(index)] = error.errors
        if errors:
            raise InvalidError(errors)
        return converted


def _indexed_values(data: FormData, name: str) -> dict[int, Any]:
    """Return the values of the fields `name[0]`, or those of `name[0]key` as objects."""
    pattern = re.compile(rf"{re.escape(name)}\[([0-9]+)\](.*)")
    found: dict[int, Any] = {}
    for field, values in data.items():
        if match := pattern.match(field):
            index, key = int(match[1]), match[2]
            if not key:
                found[index] = values[-1]
            elif isinstance(found.get(index), FormData):
                found[index][key] = [values[-1]]
            else:
                found[index] = FormData({key: [values[-1]]})
    return found


@attrs.frozen(kw_only=True)
class Form(Field):
    """An object with named fields.

    Args:
        fields: the fields in the order in which their problems are reported.
        unknown: `"first"`: unknown fields are reported and nothing else is checked;
            `"last"`: they are reported after the problems of known fields; `"ignore"`.
        checks: checks of single fields, after the field's own.
        check: a check of all fields, when none has a problem.
    """

    fields: Mapping[str, Field]
    unknown: str = "first"
    checks: Mapping[str, Callable[[Any], Any]] = attrs.field(factory=dict)
    check: Callable[[dict[str, Any]], None] | None = None

    def parse(self, data: Any) -> dict[str, Any]:
        """Return the cleaned data of a request.

        Raises:
            FormError: it is not acceptable.
        """
        if data is None:
            raise FormError({NON_FIELD: [Problem("No data provided", "null")]})
        if self.unknown != "last" or not isinstance(data, Mapping):
            return self.convert(data)
        # Where unknown fields come last they have no code of their own.
        unknown = self._unknown_fields(data, code=None)
        try:
            cleaned = self.convert(data)
        except FormError as error:
            raise FormError({**error.by_field, **unknown}) from None
        if unknown:
            raise FormError(unknown)
        return cleaned

    def convert(self, value: Any) -> dict[str, Any]:
        """Return the cleaned fields, without those missing that have no default."""
        if not isinstance(value, Mapping):
            kind = type(value).__name__
            message = f"Invalid data. Expected a dictionary, but got {kind}."
            raise FormError({NON_FIELD: [Problem(message)]})
        if self.unknown == "first" and not value.keys() <= self.fields.keys():
            raise FormError(self._unknown_fields(value, code="invalid"))
        cleaned: dict[str, Any] = {}
        errors: dict[str, Errors] = {}
        for name, field in self.fields.items():
            raw = _raw_value(value, name, field)
            if raw is _MISSING and not field.required:
                if field.default is not _MISSING:
                    cleaned[name] = field.default
                continue
            try:
                cleaned[name] = self._clean_field(name, field, raw)
            except InvalidError as error:
                errors[name] = error.errors
        if errors:
            raise FormError(errors)
        if self.check:
            self.check(cleaned)
        return cleaned

    def _clean_field(self, name: str, field: Field, raw: Any) -> Any:
        """Return one cleaned field, after its extra check."""
        cleaned = field.clean(raw)
        check = self.checks.get(name)
        return check(cleaned) if check else cleaned

    def _unknown_fields(
        self, data: Mapping[str, Any], *, code: str | None
    ) -> dict[str, Errors]:
        """Return a problem for each field that the form does not know."""
        names = sorted(data.keys() - self.fields.keys())
        return {name: [Problem("Unknown field.", code)] for name in names}


def _raw_value(data: Mapping[str, Any], name: str, field: Field) -> Any:
    """Return the value of a field before it is cleaned."""
    if isinstance(data, FormData):
        return field.from_form(data, name)
    return data.get(name, _MISSING)
