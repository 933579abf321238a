"""Eval configs: those to add, validated and encoded, and those that exist."""

from __future__ import annotations

import re
import warnings
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


MAX_LENGTH = 255  # of names and models


def validate_template_id(value: EvalTemplateRef) -> str:
    """Return the id of an eval template in canonical form."""
    return validation.resource_id(value, "template_id", IdentifiesEvalTemplate)


def validate_name(value: str | None) -> str | None:
    """Return the name of an eval config."""
    return validation.bounded_text(value, "name", max_length=MAX_LENGTH)


def validate_model(value: str | None) -> str | None:
    """Return the model of an eval config, trimmed as the service does.

    The service rejects a blank one.
    """
    return validation.bounded_text(
        value, "model", max_length=MAX_LENGTH, not_blank=True
    )


def validate_config(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a copy of the parameters of a template."""
    return validation.copy_json_object(value, "config")


def validate_mapping(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a copy of a mapping of inputs to fields of a call."""
    return validation.copy_json_object(value, "mapping")


def validate_filters(
    value: Sequence[Any] | Mapping[str, Any] | None,
) -> list[Any] | dict[str, Any] | None:
    """Return a copy of filters: a list, or the object that the API documents.

    They have no effect at the service, with a `UserWarning`.
    """
    copied: list[Any] | dict[str, Any] | None
    if isinstance(value, list | tuple):
        copied = validation.copy_json(value, "filters")
    elif value is None or isinstance(value, Mapping):
        copied = validation.copy_json_object(value, "filters")
    else:
        raise InvalidRequestError(
            "filters: a list of filters is expected, not "
            f"{validation.describe_type(value)}"
        )
    if copied:
        warnings.warn(
            "filters: the service stores and shows them, and never applies them: the eval "
            "config is run on every call",
            UserWarning,
            stacklevel=3,  # where the eval config, or the update, is made
        )
    return copied


def validate_error_localizer(value: bool | None) -> bool | None:
    """Return the setting of the error localizer."""
    return validation.optional_bool(value, "error_localizer")


@attrs.frozen
class EvalConfig:
    """One evaluation to attach: a template, and how to apply it.

    A field that is `None` is not sent, and the service uses its default. `config`,
    `mapping` and `filters` are copied.

    Args:
        template_id: the eval template, or its id in any spelling of a UUID.
        name: name of the eval config in the run test, at most 255 characters. The
            service trims it; the default is `Eval-<template_id>`.
        config: parameters of the template: `{"params": {"keyword": "order"}}`.
        mapping: the field of a call for each input of the template:
            `{"text": "transcript"}`.
        filters: which calls to evaluate, as the service documents them; it stores and
            shows them and **never applies them**: every call is evaluated, and paid for.
            So there is a `UserWarning`. A list of `{"column_id", "filter_config":
            {"filter_type", "filter_op", "filter_value"}}`; the service rejects the
            object that its documentation shows. Both are sent unchanged.
        error_localizer: whether to locate failures; the default is no.
        model: the model that runs the evaluation, at most 255 characters; trimmed, and
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
    """The JSON of this item in the body of a request."""

    def __attrs_post_init__(self) -> None:
        sent = {
            name: value
            for name in _FIELD_NAMES
            if (value := getattr(self, name)) is not None
        }
        object.__setattr__(self, "encoded", codec.encode(sent))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the eval config of a plain dict, for example of a JSON or YAML file.

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
                "template_id: missing; it selects the evaluation to attach"
            )
        return cls(**values)

    @property
    def effective_name(self) -> str:
        """The name that it will have in the run test."""
        return (self.name or "").strip() or f"Eval-{self.template_id}"

    def matches(self, stored: CreatedEvalConfig) -> bool:
        """Return whether a stored eval config has every value that this one sends."""
        return self._matches(stored, _SETTINGS)

    def may_match(self, stored: CreatedEvalConfig) -> bool:
        """Return whether a stored eval config can be this one with other parameters.

        Templates with a schema add parameters, and convert text to numbers.
        """
        others = [name for name in _SETTINGS if name != "config"]
        return self._matches(stored, others) and may_match_parameters(
            self.config, stored.config
        )

    def _matches(self, stored: CreatedEvalConfig, settings: Iterable[str]) -> bool:
        return (
            stored.name == self.effective_name
            and stored.template_id.lower() == self.template_id
            and all(
                (sent := getattr(self, name)) is None
                or settings_equal(sent, getattr(stored, name))
                for name in settings
            )
        )


def settings_equal(sent: Any, stored: Any) -> bool:
    """Return whether a setting is stored as it was sent.

    Old rows have null for an empty object, and an empty object for an empty list.
    """
    is_empty = isinstance(sent, dict | list) and not sent
    return not stored if is_empty else bool(sent == stored)


def may_match_parameters(
    sent: dict[str, Any] | None, stored: dict[str, Any] | None
) -> bool:
    """Return whether stored parameters can be the sent ones, added to or converted."""
    sent, stored = sent or {}, stored or {}
    asked, params = sent.get("params") or {}, stored.get("params")
    return (
        isinstance(asked, dict)
        and isinstance(params, dict)
        and {**sent, "params": params} == stored
        and all(_may_convert_to(asked[name], params.get(name)) for name in asked)
    )


def _may_convert_to(sent: Any, stored: Any) -> bool:
    if sent == stored or not isinstance(sent, str) or isinstance(stored, str):
        return bool(sent == stored)
    # The service replaces a blank text by the default.
    return not sent.strip() or _converts_to(sent, stored)


def _converts_to(sent: str, stored: Any) -> bool:
    """Return whether the service converts the text to this; it makes numbers only."""
    if isinstance(stored, bool) or not isinstance(stored, int | float):
        return False
    try:
        return type(stored)(sent) == stored
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
    """The eval configs of one request: validated together, and encoded once.

    Requests that add the same eval configs to many run tests share one of these.
    """

    body: bytes


def validate_eval_configs(
    values: Iterable[EvalConfig | Mapping[str, Any]],
    location: str = "evaluations_config",
) -> EncodedEvalConfigs:
    """Return a list of `EvalConfig` or plain dicts, validated and encoded.

    Raises:
        InvalidRequestError: an item is invalid, two of them have the same name, or the
            list is empty; the message names the item.
    """
    if isinstance(values, EncodedEvalConfigs):
        return values
    values = validation.as_list(values, location, "eval configs")
    if not values:
        raise InvalidRequestError(
            f"{location}: the list is empty; at least one is expected"
        )
    checked = EncodedEvalConfigs(
        [_item(value, location, index) for index, value in enumerate(values)]
    )
    names = [item.effective_name for item in checked]
    if len(set(names)) < len(names):
        raise _duplicate_name_error(names, location)
    joined = b",".join([item.encoded for item in checked])
    checked.body = b'{"evaluations_config":[%b]}' % joined
    return checked


def _duplicate_name_error(names: list[str], location: str) -> InvalidRequestError:
    first: dict[str, int] = {}
    again = [i for i, name in enumerate(names) if first.setdefault(name, i) != i]
    index, name = again[0], names[again[0]]
    return InvalidRequestError(
        f"{location}[{index}]: the name {validation.truncate_repr(name)} is that of "
        f"{location}[{first[name]}] too; names are compared trimmed, and a config "
        "without one is called Eval-<template_id>: name it differently"
    )


def _item(value: Any, location: str, index: int) -> EvalConfig:
    if isinstance(value, EvalConfig):
        return value
    try:
        return EvalConfig.from_dict(value)
    except InvalidRequestError as error:
        raise InvalidRequestError(f"{location}[{index}]: {error}") from None


@attrs.frozen(kw_only=True)
class CreatedEvalConfig(Serializable, IdentifiesEvalConfig):
    """An eval config as the service stores it.

    `name`, `config`, `mapping` and `filters` can be `None`, and `filters` an object, in
    rows that are older than the present rules of the service. `status` is "Completed"
    even before the first run, and "Failed" from a failed evaluation to the next that
    succeeds.
    """

    id: str
    name: str | None
    config: dict[str, Any] | None = attrs.field(hash=False)
    mapping: dict[str, Any] | None = attrs.field(hash=False)
    filters: list[Any] | dict[str, Any] | None = attrs.field(hash=False)
    error_localizer: bool
    model: str | None
    status: str
    eval_group: str | None
    template_id: str
