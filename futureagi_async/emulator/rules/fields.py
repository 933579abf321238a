"""The kinds of values in requests: what each accepts, turns into, and says otherwise.

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


MISSING: Any = object()
"""Stands for a field that a request does not have."""


class InvalidError(Exception):
    """A value that a field refuses.

    Args:
        errors: What is wrong with it.
    """

    def __init__(self, errors: Errors) -> None:
        super().__init__(errors)
        self.errors = errors


class FormError(InvalidError):
    """An object whose fields have problems.

    Args:
        by_field: The problems.
    """

    def __init__(self, by_field: Mapping[str, Errors]) -> None:
        super().__init__(by_field)
        self.by_field = by_field


def refuse(message: str, code: str = "invalid") -> InvalidError:
    """The refusal of one value with one sentence."""
    return InvalidError([Problem(message, code)])


class FormData(dict[str, list[str]]):
    """Values that came as a form or a query: all are texts, and none can be null."""


@attrs.frozen(kw_only=True)
class Field(abc.ABC):
    """What all fields have.

    Args:
        required: Whether a request without it is refused.
        null: Whether `null` is let through.
        blank: Whether an empty text is let through, where texts are.
        default: What a missing field becomes; by default it stays away.
    """

    required: bool = False
    null: bool = False
    blank: bool = False
    default: Any = MISSING

    def value_in(self, data: FormData, name: str) -> Any:
        """The value of the field in a form or a query."""
        if name not in data:
            return self.absent_in_form()
        value = data[name][-1]
        if value != "" or self.blank:
            return value
        # A form has no null: an empty text is what comes closest.
        if self.null:
            return None
        return value if self.required else MISSING

    def absent_in_form(self) -> Any:
        """What a form without this field means."""
        return MISSING

    def clean(self, value: Any) -> Any:
        """The value as the rules use it.

        Raises:
            InvalidError: It is missing or not acceptable.
        """
        if value is MISSING:
            raise refuse("This field is required.", "required")
        if value is None:
            if not self.null:
                raise refuse("This field may not be null.", "null")
            return None
        return self.convert(value)

    @abc.abstractmethod
    def convert(self, value: Any) -> Any:
        """The value when it is there and not null."""


USUAL_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@attrs.frozen(kw_only=True)
class Id(Field):
    """A UUID in any spelling that Python reads, or the number of one."""

    def convert(self, value: Any) -> str:
        """The usual spelling: lower case with hyphens."""
        try:
            if isinstance(value, str):
                if USUAL_ID.fullmatch(value):
                    return value
                return str(uuid.UUID(hex=value))
            if isinstance(value, int):  # true is 1 and so a UUID, too
                return str(uuid.UUID(int=value))
        except ValueError:
            pass
        raise refuse("Must be a valid UUID.")


SURROGATES = re.compile("[\ud800-\udfff]")


@attrs.frozen(kw_only=True)
class Text(Field):
    """A text, trimmed; numbers are taken for their digits."""

    def clean(self, value: Any) -> Any:
        """Blank texts are looked at before anything else."""
        if isinstance(value, str) and not value.strip():
            if not self.blank:
                raise refuse("This field may not be blank.", "blank")
            return ""
        return super().clean(value)

    def convert(self, value: Any) -> str:
        """The text without white space around it."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise refuse("Not a valid string.")
        text = str(value).strip()
        problems = list(forbidden_characters(text))
        if problems:
            raise InvalidError(problems)
        return text


def forbidden_characters(text: str) -> Sequence[Problem]:
    """What a text may not hold, because a database or UTF-8 cannot."""
    problems: list[Problem] = []
    if "\x00" in text:
        problems.append(
            Problem("Null characters are not allowed.", "null_characters_not_allowed")
        )
    surrogate = SURROGATES.search(text)
    if surrogate:
        problems.append(
            Problem(
                f"Surrogate characters are not allowed: U+{ord(surrogate.group()):X}.",
                "surrogate_characters_not_allowed",
            )
        )
    return problems


TRUE = frozenset({"t", "y", "yes", "true", "on", "1", 1})
FALSE = frozenset({"f", "n", "no", "false", "off", "0", 0})


@attrs.frozen(kw_only=True)
class Flag(Field):
    """A boolean, or one of the words and numbers that stand for one."""

    def absent_in_form(self) -> Any:
        """A browser leaves out a box that is not ticked, so absence is an answer."""
        return False if self.default is MISSING else self.default

    def convert(self, value: Any) -> bool:
        """Upper and lower case are alike."""
        key = value.lower() if isinstance(value, str) else value
        if isinstance(key, str | int | float):
            if key in TRUE:
                return True
            if key in FALSE:
                return False
        raise refuse("Must be a valid boolean.")


LONGEST_NUMBER = 1000
WHOLE = re.compile(r"\.0*\s*$")


@attrs.frozen(kw_only=True)
class Whole(Field):
    """A whole number, or a text of one; `1.0` counts.

    Args:
        least: The smallest that is accepted.
        most: The largest.
    """

    least: int | None = None
    most: int | None = None

    def convert(self, value: Any) -> int:
        """The number."""
        if isinstance(value, str) and len(value) > LONGEST_NUMBER:
            raise refuse("String value too large.", "max_string_length")
        try:
            number = int(WHOLE.sub("", str(value)))
        except ValueError:
            raise refuse("A valid integer is required.") from None
        if self.most is not None and number > self.most:
            raise refuse(
                f"Ensure this value is less than or equal to {self.most}.", "max_value"
            )
        if self.least is not None and number < self.least:
            raise refuse(
                f"Ensure this value is greater than or equal to {self.least}.",
                "min_value",
            )
        return number


@attrs.frozen(kw_only=True)
class Choice(Field):
    """One of a few words.

    Args:
        choices: The words.
    """

    choices: frozenset[str]

    def convert(self, value: Any) -> str:
        """The word itself."""
        word = str(value)
        if word in self.choices or (self.blank and word == ""):
            return word
        raise refuse(f'"{word}" is not a valid choice.', "invalid_choice")


@attrs.frozen(kw_only=True)
class ListOf(Field):
    """A list whose elements are of one kind.

    Args:
        child: Their kind.
        shortest: How many there must be.
    """

    child: Field
    shortest: int = 0

    def value_in(self, data: FormData, name: str) -> Any:
        """In forms a list is one name several times."""
        return data.get(name, MISSING)

    def convert(self, value: Any) -> list[Any]:
        """The converted elements, or the problems of all bad ones by their index."""
        if not isinstance(value, list):
            kind = type(value).__name__
            raise refuse(
                f'Expected a list of items but got type "{kind}".', "not_a_list"
            )
        if len(value) < self.shortest:
            raise refuse(
                f"Ensure this field has at least {self.shortest} elements.",
                "min_length",
            )
        done: list[Any] = []
        errors: dict[str, Errors] = {}
        for index, each in enumerate(value):
            try:
                done.append(self.child.clean(each))
            except InvalidError as refusal:
                errors[str(index)] = refusal.errors
        if errors:
            raise InvalidError(errors)
        return done


@attrs.frozen(kw_only=True)
class Form(Field):
    """An object with named fields.

    Args:
        fields: The fields in the order in which their problems are told.
        unknown: `"alone"`: unknown fields are told and nothing else is looked at;
            `"also"`: they are told behind the problems of known fields; `"ignored"`.
        checks: Checks of single fields, after the field's own.
        check: A check of the whole, when no field has a problem.
    """

    fields: Mapping[str, Field]
    unknown: str = "alone"
    checks: Mapping[str, Callable[[Any], Any]] = attrs.field(factory=dict)
    check: Callable[[dict[str, Any]], None] | None = None

    def root(self, data: Any) -> dict[str, Any]:
        """The cleaned data of a whole request.

        Raises:
            FormError: It is not acceptable.
        """
        if data is None:
            raise FormError({NON_FIELD: [Problem("No data provided", "null")]})
        if self.unknown != "also" or not isinstance(data, Mapping):
            return self.convert(data)
        # Where unknown fields come last they bring no code of their own.
        strangers = sorted(set(data) - set(self.fields))
        told: dict[str, Errors] = {
            name: [Problem("Unknown field.", None)] for name in strangers
        }
        try:
            done = self.convert(data)
        except FormError as refusal:
            raise FormError({**refusal.by_field, **told}) from None
        if told:
            raise FormError(told)
        return done

    def convert(self, value: Any) -> dict[str, Any]:
        """The cleaned fields; those that are missing without a default are absent."""
        if not isinstance(value, Mapping):
            kind = type(value).__name__
            message = f"Invalid data. Expected a dictionary, but got {kind}."
            raise FormError({NON_FIELD: [Problem(message)]})
        if self.unknown == "alone":
            self.refuse_strangers(value)
        done: dict[str, Any] = {}
        errors: dict[str, Errors] = {}
        form = value if isinstance(value, FormData) else None
        for name, field in self.fields.items():
            raw = (
                value.get(name, MISSING) if form is None else field.value_in(form, name)
            )
            if raw is MISSING and not field.required:
                if field.default is not MISSING:
                    done[name] = field.default
                continue
            try:
                done[name] = self.cleaned(name, field, raw)
            except InvalidError as refusal:
                errors[name] = refusal.errors
        if errors:
            raise FormError(errors)
        if self.check:
            self.check(done)
        return done

    def cleaned(self, name: str, field: Field, raw: Any) -> Any:
        """One field, with its extra check."""
        cleaned = field.clean(raw)
        check = self.checks.get(name)
        return check(cleaned) if check else cleaned

    def refuse_strangers(self, data: Mapping[str, Any]) -> None:
        """Unknown fields end the validation before any field is looked at."""
        if data.keys() <= self.fields.keys():
            return
        problem = Problem("Unknown field.")
        strangers = sorted(data.keys() - self.fields.keys())
        raise FormError({name: [problem] for name in strangers})
