"""Eval configs: the ones to add, checked and encoded, and the ones that exist."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import attrs

from futureagi_async.errors import InvalidRequestError
from futureagi_async.model import codec, validation
from futureagi_async.model.codec import Serializable
from futureagi_async.model.resource import (
    EvalTemplateRef,
    IdentifiesEvalConfig,
    IdentifiesEvalTemplate,
)


_WHERE = "evaluations_config"
MAX_LENGTH = 255  # of names and models


def validate_template_id(value: EvalTemplateRef) -> str:
    """Return the id of an eval template in canonical form."""
    return validation.resource_id(value, "template_id", IdentifiesEvalTemplate)


def validate_name(value: str | None) -> str | None:
    """Check the name of an eval config."""
    return validation.bounded_text(value, "name", max_length=MAX_LENGTH)


def validate_model(value: str | None) -> str | None:
    """Return the model of an eval config, trimmed as the service does.

    The service rejects a blank one.
    """
    return validation.bounded_text(
        value, "model", max_length=MAX_LENGTH, not_blank=True
    )


def validate_config(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Copy the parameters of a template."""
    return validation.copy_json_object(value, "config")


def validate_mapping(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Copy a mapping of inputs to fields of a call."""
    return validation.copy_json_object(value, "mapping")


def validate_filters(
    value: Sequence[Any] | Mapping[str, Any] | None,
) -> list[Any] | dict[str, Any] | None:
    """Copy filters: a list, or the object that the documents speak of."""
    if isinstance(value, list | tuple):
        listed: list[Any] = validation.copy_json(value, "filters")
        return listed
    if value is None or isinstance(value, Mapping):
        return validation.copy_json_object(value, "filters")
    raise InvalidRequestError(
        f"filters: a list of filters is expected, not {validation.describe_type(value)}"
    )


def validate_error_localizer(value: bool | None) -> bool | None:
    """Check the flag of the error localizer."""
    return validation.optional_bool(value, "error_localizer")


@attrs.frozen
class EvalConfig:
    """One evaluation to attach: a template, and how it is to be applied.

    What is `None` is not sent, and the service takes its default. `config`, `mapping`
    and `filters` are copied when the value is made.

    Args:
        template_id: the evaluation template, a UUID in any spelling.
        name: how the evaluation is called in the run test, 255 characters at most.
            The service trims it; without one it takes `Eval-<template_id>`.
        config: parameters of the template, as `{"params": {"keyword": "order"}}`.
        mapping: which field of a call feeds which input of the template, as
            `{"text": "transcript"}`.
        filters: which calls to evaluate: a list of `{"column_id", "filter_config":
            {"filter_type", "filter_op", "filter_value"}}`. The service refuses the
            object that its documents speak of; either is sent as it is given.
        error_localizer: whether failures are to be located; the default is no.
        model: the model that runs the evaluation, 255 characters at most; trimmed, and
            not blank.

    Raises:
        InvalidRequestError: a value could never be accepted.
    """

    template_id: str = attrs.field(converter=validate_template_id)
    name: str | None = attrs.field(default=None, converter=validate_name)
    config: dict[str, Any] | None = attrs.field(
        default=None, converter=validate_config, hash=False
    )
    mapping: dict[str, Any] | None = attrs.field(
        default=None, converter=validate_mapping, hash=False
    )
    filters: list[Any] | dict[str, Any] | None = attrs.field(
        default=None, converter=validate_filters, hash=False
    )
    error_localizer: bool | None = attrs.field(
        default=None, converter=validate_error_localizer
    )
    model: str | None = attrs.field(default=None, converter=validate_model)
    encoded: bytes = attrs.field(init=False, repr=False, eq=False)
    """The JSON of this item, as it is sent."""

    def __attrs_post_init__(self) -> None:
        sent = {
            name: value
            for name in _FIELD_NAMES
            if (value := getattr(self, name)) is not None
        }
        object.__setattr__(self, "encoded", codec.encode(sent))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make one from a plain dict, as it stands in a JSON or YAML file.

        Raises:
            InvalidRequestError: a key is unknown (it is named), `template_id` is
                missing, or a value could never be accepted.
        """
        if not isinstance(values, Mapping):
            raise InvalidRequestError(
                f"an eval config is a dict or an EvalConfig, not {validation.describe_type(values)}"
            )
        unknown = [key for key in values if key not in _FIELD_NAMES]
        if unknown:
            named = ", ".join(_with_suggestion(key) for key in unknown)
            raise InvalidRequestError(
                f"unknown {'key' if len(unknown) == 1 else 'keys'} {named}; "
                f"an eval config has {', '.join(_FIELD_NAMES)}"
            )
        if values.get("template_id") is None:
            raise InvalidRequestError(
                "template_id: missing; it says which evaluation to attach"
            )
        return cls(**values)

    @property
    def effective_name(self) -> str:
        """The name that the service will give it."""
        return (self.name or "").strip() or f"Eval-{self.template_id}"

    def matches(self, kept: CreatedEvalConfig) -> bool:
        """Tell if what the service keeps is this: all that was sent is equal."""
        return (
            kept.name == self.effective_name
            and kept.template_id.lower() == self.template_id
            and all(
                (sent := getattr(self, name)) is None
                or settings_equal(sent, getattr(kept, name))
                for name in _SETTINGS
            )
        )

    def may_match(self, kept: CreatedEvalConfig) -> bool:
        """Tell if what the service keeps can be this with its parameters changed.

        Templates with a schema fill in parameters, and make numbers of texts.
        """
        return attrs.evolve(self, config=None).matches(kept) and may_match_parameters(
            self.config, kept.config
        )


def settings_equal(sent: Any, kept: Any) -> bool:
    """Tell if a setting was kept as it was sent.

    Old rows have null for an empty object, and an empty object for an empty list.
    """
    is_empty = isinstance(sent, dict | list) and not sent
    return not kept if is_empty else bool(sent == kept)


def may_match_parameters(
    sent: dict[str, Any] | None, kept: dict[str, Any] | None
) -> bool:
    """Tell if what is kept can be what was sent with its parameters changed."""
    sent, kept = sent or {}, kept or {}
    asked, params = sent.get("params") or {}, kept.get("params")
    return (
        isinstance(asked, dict)
        and isinstance(params, dict)
        and {**sent, "params": params} == kept
        and all(_may_convert_to(asked[name], params.get(name)) for name in asked)
    )


def _may_convert_to(sent: Any, kept: Any) -> bool:
    if sent == kept or not isinstance(sent, str) or isinstance(kept, str):
        return bool(sent == kept)
    # A blank text counts as none at all, and becomes the default.
    return not sent.strip() or _converts_to(sent, kept)


def _converts_to(sent: str, kept: Any) -> bool:
    """Tell if the service makes this of a text: numbers, and nothing else."""
    if isinstance(kept, bool) or not isinstance(kept, int | float):
        return False
    try:
        return type(kept)(sent) == kept
    except ValueError:
        return False


_SETTINGS = ("config", "mapping", "filters", "error_localizer", "model")
_FIELD_NAMES = ("template_id", "name", *_SETTINGS)


def _with_suggestion(key: Any) -> str:
    import difflib  # noqa: PLC0415 - for a mistake only

    wire_name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(key)).lower()
    close = difflib.get_close_matches(wire_name, _FIELD_NAMES, n=1)
    return (
        f"{validation.truncate_repr(key)} (did you mean {close[0]}?)"
        if close
        else validation.truncate_repr(key)
    )


class EncodedEvalConfigs(tuple[EvalConfig, ...]):  # noqa: SLOT001 - it holds the body
    """The eval configs of one request: checked together, and encoded once.

    Requests that add the same configs to many run tests share one of these.
    """

    body: bytes


def validate_eval_configs(
    values: Iterable[EvalConfig | Mapping[str, Any]],
) -> EncodedEvalConfigs:
    """Check a list of `EvalConfig` or plain dicts.

    Raises:
        InvalidRequestError: an item is invalid, two of them would take the same name,
            or there is none; the message names the item.
    """
    if isinstance(values, EncodedEvalConfigs):
        return values
    given = validation.as_list(values, _WHERE, "eval configs")
    if not given:
        raise InvalidRequestError(f"{_WHERE}: the list is empty; give at least one")
    checked = EncodedEvalConfigs([_item(value, i) for i, value in enumerate(given)])
    names = [item.effective_name for item in checked]
    if len(set(names)) < len(names):
        raise _duplicate_name_error(names)
    joined = b",".join([item.encoded for item in checked])
    checked.body = b'{"evaluations_config":[%b]}' % joined
    return checked


def _duplicate_name_error(names: list[str]) -> InvalidRequestError:
    first: dict[str, int] = {}
    again = [i for i, name in enumerate(names) if first.setdefault(name, i) != i]
    index, name = again[0], names[again[0]]
    return InvalidRequestError(
        f"{_WHERE}[{index}]: the name {validation.truncate_repr(name)} is that of "
        f"{_WHERE}[{first[name]}] too; names are compared trimmed, and a config "
        "without one is called Eval-<template_id>: name it differently"
    )


def _item(value: Any, index: int) -> EvalConfig:
    if isinstance(value, EvalConfig):
        return value
    try:
        return EvalConfig.from_dict(value)
    except InvalidRequestError as error:
        raise InvalidRequestError(f"{_WHERE}[{index}]: {error}") from None


@attrs.frozen(kw_only=True)
class CreatedEvalConfig(Serializable, IdentifiesEvalConfig):
    """An eval config as the service keeps it.

    `config`, `mapping` and `filters` can be `None`, and `filters` an object, in rows
    that are older than the service's present rules. `status` reads "Completed" before
    the config ever ran.
    """

    id: str
    name: str
    config: dict[str, Any] | None = attrs.field(hash=False)
    mapping: dict[str, Any] | None = attrs.field(hash=False)
    filters: list[Any] | dict[str, Any] | None = attrs.field(hash=False)
    error_localizer: bool
    model: str | None
    status: str
    eval_group: str | None
    template_id: str
