"""Eval configs: the ones to add, checked and encoded, and the ones that exist."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import attrs

from futureagi_async.errors import InvalidRequestError
from futureagi_async.model import codec, validation
from futureagi_async.model.freezing import unchecked


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID


_WHERE = "evaluations_config"
_LONGEST_NAME = 255
_LONGEST_MODEL = 255


def validate_template_id(value: UUID | str) -> str:
    """Bring the id of a template into canonical form."""
    return validation.uuid_text(value, "template_id")


def validate_name(value: str | None) -> str | None:
    """Check the name of an eval config."""
    return validation.bounded_text(value, "name", max_length=_LONGEST_NAME)


def validate_model(value: str | None) -> str | None:
    """Check the model of an eval config; trim it, as the service does.

    What is blank then the service refuses.
    """
    checked = validation.bounded_text(value, "model", max_length=_LONGEST_MODEL)
    return None if checked is None else validation.non_blank_text(checked, "model")


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
        f"filters: a list of filters is wanted, not {validation.describe_type(value)}"
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
        plain: Self | None = _plain(values) if cls is EvalConfig else None
        if plain is not None:
            return plain
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
_KNOWN = frozenset(_FIELD_NAMES)
_IN_ORDER = frozenset(
    names
    for count in range(len(_FIELD_NAMES) + 1)
    for names in itertools.combinations(_FIELD_NAMES, count)
)
_FILTERS = (list, dict)
_Unchecked = unchecked(EvalConfig)


def _plain(values: Any) -> Any:
    """Make an eval config of a dict in which everything is as it is sent.

    Most are, and are checked as a whole. `None` for any other: its fields are checked
    one by one, which says what is wrong if something is.
    """
    if type(values) is not dict:
        return None
    if tuple(values) not in _IN_ORDER:
        return _plain(_sent(values)) if values.keys() <= _KNOWN else None
    written = validation.roundtrip_json(values)
    if written is None:
        return None
    encoded, copied = written
    if None in copied.values():
        return _plain(_sent(copied))
    made = _Unchecked(*map(copied.get, _FIELD_NAMES), codec.sized(encoded))
    if not _is_good(made):
        return None
    made.__class__ = EvalConfig
    return made


def _sent(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not sent, and bring the rest into the order in which it is."""
    return {
        name: value for name in _FIELD_NAMES if (value := values.get(name)) is not None
    }


def _is_good(item: EvalConfig) -> bool:
    """Tell if what was read from JSON is what each field takes."""
    return (
        validation.is_canonical(item.template_id)
        and _is_plain_text(item.name, _LONGEST_NAME)
        and (item.config is None or type(item.config) is dict)
        and (item.mapping is None or type(item.mapping) is dict)
        and (item.filters is None or type(item.filters) in _FILTERS)
        and (item.error_localizer is None or type(item.error_localizer) is bool)
        and _is_plain_text(item.model, _LONGEST_MODEL)
        and (item.model is None or item.model.strip() == item.model != "")
    )


def _is_plain_text(value: Any, max_length: int) -> bool:
    return value is None or (
        type(value) is str and len(value) <= max_length and "\0" not in value
    )


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
class CreatedEvalConfig:
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
