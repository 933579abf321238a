"""JSON to results and back: the one converter of the package."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import types
from typing import Any, Self, TypeVar, Union, get_args, get_origin

import attrs
import cattrs
import orjson
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.preconf.orjson import OrjsonConverter, make_converter

from futureagi_async.errors import InvalidRequestError
from futureagi_async.model.validation import copy_json_object, describe_type


_TYPE_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}


class DecodeError(Exception):
    """A response that does not have the documented shape; the message has the place."""


class Serializable:
    """A value that can be written as plain JSON values and read back."""

    __slots__ = ()

    @classmethod
    def fields_in(cls, body: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of the value in the body of a response.

        They are the body itself, unless an endpoint puts them into something.
        """
        return body

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain JSON values; `from_dict` is the way back."""
        fields: dict[str, Any] = orjson.loads(_converter(wire=False).dumps(self))
        return fields

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Return the value of which `to_dict` returned the fields.

        Raises:
            InvalidRequestError: a field is missing or of another type; the message
                names it.
        """
        copied = copy_json_object(fields, cls.__name__)
        try:
            return _converter(wire=False).structure(copied, cls)
        except Exception:  # noqa: BLE001 - the message is made by a second pass
            problem = _explain(copied, cls, wire=False)
            raise InvalidRequestError(f"{cls.__name__}: {problem}") from None


ResultT = TypeVar("ResultT", bound=Serializable)
T = TypeVar("T")


def encode(value: Any) -> bytes:
    """Return the value as JSON. It must be JSON, as `validation.copy_json` checks."""
    # orjson's bytes keep the memory of its buffer, some KiB, as long as they live.
    return b"%b" % orjson.dumps(value)


def decode(body: bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        DecodeError: it is not JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if not body:
            raise DecodeError("the response is empty") from None
        raise DecodeError(f"the response is not JSON: {error}") from None


def decode_result(
    body: bytes, result_type: type[ResultT], request_id: str | None
) -> ResultT:
    """Return the result in the body of a response.

    An empty body is read as an empty object where the result has no required field.

    Raises:
        DecodeError: it is not JSON, or not of the documented shape.
    """
    if not body and _has_no_required_fields(result_type):
        body = b"{}"
    raw = decode(body)
    if not isinstance(raw, dict):
        kind = json_type_name(raw)
        raise DecodeError(f"the response is {kind} where an object belongs")
    return build_result(raw, result_type, body=body, request_id=request_id)


def _has_no_required_fields(result_type: type[Any]) -> bool:
    fields = attrs.fields_dict(result_type).values()
    return all(f.name == "_raw" or f.default is not attrs.NOTHING for f in fields)


def build_result(
    raw: dict[str, Any],
    result_type: type[ResultT],
    *,
    body: bytes | None = None,
    request_id: str | None = None,
    reconciled: bool = False,
) -> ResultT:
    """Return a result of JSON that was received, or put together from what was read.

    A received one has a `body`.

    Raises:
        DecodeError: it is not of the documented shape.
    """
    try:
        received = result_type.fields_in(raw)
    except TypeError as error:
        raise DecodeError(str(error)) from None
    # What the package adds comes last: a field of the same name stays in `raw`.
    fields = {
        **received,
        "raw": raw if body is None else body,
        "request_id": request_id,
        "reconciled": reconciled,
    }
    if fields.get("warnings", ()) is None:
        del fields["warnings"]
    try:
        return _converter(wire=True).structure(fields, result_type)
    except Exception:  # noqa: BLE001 - the message is made by a second pass
        raise DecodeError(_explain(fields, result_type, wire=True)) from None


def _explain(fields: Any, type_: type[Any], *, wire: bool) -> str:
    """Return what is wrong with the fields, which are known not to be of this type."""
    try:
        _converter(wire=wire, detailed=True).structure(fields, type_)
    except Exception as error:  # noqa: BLE001 - turned into the message
        messages = cattrs.transform_error(error, "fields", _describe)
        return "; ".join(message.replace("fields.", "", 1) for message in messages)
    raise AssertionError("the two passes of the converter disagree")


def _describe(error: BaseException, type_: type[Any] | None) -> str:  # noqa: ARG001 - the signature that cattrs calls
    return "missing" if isinstance(error, KeyError) else str(error)


def json_type_name(value: Any) -> str:
    """Return what a value is in JSON, for a message: `an object`, `null`."""
    names = {dict: "an object", list: "a list", str: "text", type(None): "null"}
    return names.get(type(value)) or describe_type(value)


def read_field(entry: Any, name: str, type_: type[T]) -> T:
    """Return a field of an object that has to be there, and of this type.

    Raises:
        TypeError: it is missing or of another type, or the object is none.
    """
    if entry.__class__ is not dict:
        raise _mismatch("an object", entry)
    if name not in entry:
        raise TypeError(f"{name}: missing")
    value = entry[name]
    if value.__class__ is type_:
        found: T = value
        return found
    raise TypeError(f"{name}: {_mismatch(_TYPE_NAMES[type_], value)}")


def optional_field(entry: dict[str, Any], name: str, type_: type[T]) -> T | None:
    """Return a field of an object; one of another type counts as absent."""
    value = entry.get(name)
    return value if value.__class__ is type_ else None


def optional_number(entry: dict[str, Any], name: str) -> float | None:
    """Return a number of an object; one of another type counts as absent."""
    whole = optional_field(entry, name, int)
    return optional_field(entry, name, float) if whole is None else float(whole)


def _mismatch(expected: str, value: Any) -> TypeError:
    return TypeError(f"{expected} belongs here, not {json_type_name(value)}")


def _strict_hook(type_: type[Any]) -> Any:
    def structure(value: Any, _: Any) -> Any:
        if value.__class__ is type_:
            return value
        raise _mismatch(_TYPE_NAMES[type_], value)

    return structure


def _is_optional_str(type_: Any) -> bool:
    return set(_union_members(type_)) == {str, type(None)}


def _optional_str_hook(value: Any, _: Any) -> Any:
    if value is None or value.__class__ is str:
        return value
    raise _mismatch("text", value)


def _number_hook(value: Any, _: Any) -> float:
    if value.__class__ is float or value.__class__ is int:
        return float(value)
    raise _mismatch("a number", value)


def _is_optional_datetime(type_: Any) -> bool:
    return set(_union_members(type_)) == {dt.datetime, type(None)}


def _optional_datetime_hook(value: Any, _: Any) -> dt.datetime | None:
    return read_datetime(value)


def read_datetime(value: Any) -> dt.datetime | None:
    """Return a time stamp; an unreadable one counts as absent, since nothing needs it.

    One without a time zone is in UTC.
    """
    try:
        moment = dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


_RAW_JSON: dict[Any, tuple[type, str]] = {
    dict[str, Any]: (dict, "an object"),
    list[Any]: (list, "a list"),
    type(None): (type(None), "null"),
}


def _union_members(type_: Any) -> tuple[Any, ...]:
    is_union = isinstance(type_, types.UnionType) or get_origin(type_) is Union
    return get_args(type_) if is_union else (type_,)


def _is_raw_json(type_: Any) -> bool:
    """Return whether it is JSON that stays as it is: objects, lists, unions of these."""
    return all(member in _RAW_JSON for member in _union_members(type_))


def _raw_json_hook(type_: Any) -> Any:
    allowed, names = zip(
        *map(_RAW_JSON.__getitem__, _union_members(type_)), strict=True
    )
    expected = " or ".join(names)

    def structure(value: Any, _: Any) -> Any:
        if value.__class__ in allowed:
            return value
        raise _mismatch(expected, value)

    return structure


def _is_sequence(type_: Any) -> bool:
    return get_origin(type_) is tuple


def _sequence_hook(type_: Any, converter: Any) -> Any:
    """Read a tuple from a list only: text and objects can be iterated over as well."""
    as_list: Any = types.GenericAlias(list, get_args(type_)[:1])
    items = converter.get_structure_hook(as_list)

    def structure(value: Any, _: Any) -> Any:
        if isinstance(value, list):
            return tuple(items(value, as_list))
        raise _mismatch("a list", value)

    return structure


def _has_from_wire(type_: Any) -> bool:
    return hasattr(type_, "from_wire")


def _from_wire_hook(value: Any, type_: Any) -> Any:
    return type_.from_wire(value)


def _str_enum_hook(value: Any, type_: Any) -> Any:
    return getattr(type_, "from_wire", type_)(value)


def _is_mapping(type_: Any) -> bool:
    return get_origin(type_) is dict


def _mapping_hook(type_: Any, converter: Any) -> Any:
    """Read the values of an object; null is read as an empty one."""
    items = cattrs.gen.mapping_structure_factory(
        type_, converter, detailed_validation=converter.detailed_validation
    )
    has_int_keys = get_args(type_)[0] is int

    def structure(value: Any, _: Any) -> Any:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise _mismatch("an object", value)
        if has_int_keys:  # the keys of a JSON object are text
            value = {int(key): item for key, item in value.items()}
        return items(value, type_)

    return structure


def _as_it_is(value: Any, _: Any) -> Any:
    return value


def _json_fragment(raw: dict[str, Any] | bytes) -> Any:
    return orjson.Fragment(raw) if isinstance(raw, bytes) else raw


_RAW = override(struct_hook=_as_it_is, unstruct_hook=_json_fragment)


def _overrides(type_: type[Any]) -> dict[str, Any]:
    return {"_raw": _RAW} if "_raw" in attrs.fields_dict(type_) else {}


def _attrs_hook(type_: Any, converter: Any) -> Any:
    """Read a class of values, of which there may be thousands in a response."""
    twin = _mutable_twin(type_)
    fill = make_dict_structure_fn(
        twin, converter, _cattrs_use_alias=True, **_overrides(type_)
    )

    def structure(value: Any, _: Any) -> Any:
        made: Any = fill(value, twin)
        made.__class__ = type_
        return made

    return structure


def _positional(
    _: type[Any], fields: list[attrs.Attribute[Any]]
) -> list[attrs.Attribute[Any]]:
    positional = [field.evolve(kw_only=False) for field in fields]
    return sorted(positional, key=lambda field: field.default is not attrs.NOTHING)


def _mutable_twin(type_: type[Any]) -> type[Any]:
    """Return a subclass whose instances are filled before they are frozen.

    attrs fills a frozen instance by a call of `object.__setattr__` for each field,
    instead of assigning to it: for the response of a request that adds three eval
    configs, that is 5 % of the instructions of the request, and 2 % are those of
    passing them by keyword.
    """
    metaclass: Any = type(type_)
    namespace = {
        "__slots__": (),
        "__module__": type_.__module__,
        "__qualname__": type_.__qualname__,
        # Without both, Python assigns by a call as well.
        "__setattr__": object.__setattr__,
        "__delattr__": object.__delattr__,
    }
    twin = metaclass(type_.__name__, (type_,), namespace)
    defined: type[Any] = attrs.define(
        twin, eq=False, repr=False, field_transformer=_positional
    )
    return defined


def _to_dict_hook(type_: Any, converter: Any) -> Any:
    return make_dict_unstructure_fn(
        type_, converter, _cattrs_use_alias=True, **_overrides(type_)
    )


@functools.cache
def _converter(*, wire: bool, detailed: bool = False) -> OrjsonConverter:
    """Return the converter of responses, or else that of `to_dict` and `from_dict`.

    They differ in the classes that read themselves from a response (`from_wire`). A
    detailed one finds the place of a problem. It takes a quarter longer, so that it is
    made and used only where there is one.
    """
    converter = make_converter(detailed_validation=detailed)
    converter.register_structure_hook_factory(attrs.has, _attrs_hook)
    converter.register_unstructure_hook_factory(attrs.has, _to_dict_hook)
    for type_ in (str, int, bool):
        converter.register_structure_hook(type_, _strict_hook(type_))
    converter.register_structure_hook(float, _number_hook)
    converter.register_structure_hook_func(_is_optional_str, _optional_str_hook)
    converter.register_structure_hook_func(
        _is_optional_datetime, _optional_datetime_hook
    )
    if wire:
        converter.register_structure_hook_func(_has_from_wire, _from_wire_hook)
    # By class, or an enum of texts would be read as text.
    converter.register_structure_hook(enum.StrEnum, _str_enum_hook)
    converter.register_structure_hook_factory(_is_mapping, _mapping_hook)
    converter.register_structure_hook_factory(_is_raw_json, _raw_json_hook)
    converter.register_structure_hook_factory(_is_sequence, _sequence_hook)
    return converter
