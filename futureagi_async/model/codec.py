"""JSON to results and back: the one converter of the package."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import types
from typing import Any, TypeVar, Union, get_args, get_origin

import attrs
import cattrs
import orjson
from cattrs.gen import make_dict_structure_fn
from cattrs.preconf.orjson import OrjsonConverter, make_converter

from futureagi_async.model.freezing import unfrozen
from futureagi_async.model.request import Result
from futureagi_async.model.validation import describe_type


ResultT = TypeVar("ResultT", bound=Result)

_TYPE_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}
_PACKAGE_FIELDS = ("_raw", "request_id", "reconciled")  # to a result by the package


class DecodeError(Exception):
    """An answer that is not what was documented; the message says where."""


def encode(value: Any) -> bytes:
    """Write JSON. The value must have been checked, as `fields.json_value` does."""
    return sized(orjson.dumps(value))


def sized(written: bytes) -> bytes:
    """Copy what orjson wrote, which keeps the memory of its buffer, some KiB, for ever."""
    return b"%b" % written


def decode(body: bytes) -> Any:
    """Read JSON.

    Raises:
        DecodeError: it is none.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if not body:
            raise DecodeError("the answer is empty") from None
        raise DecodeError(f"the answer is not JSON: {error}") from None


def decode_result(
    body: bytes, result_type: type[ResultT], request_id: str | None
) -> ResultT:
    """Read an answer into its result class.

    An answer without a body is an empty object where the result needs nothing of it.

    Raises:
        DecodeError: it is no JSON, or not of the documented shape.
    """
    if not body and _has_no_required_fields(result_type):
        body = b"{}"
    raw = decode(body)
    if not isinstance(raw, dict):
        raise DecodeError(
            f"the answer is {json_type_name(raw)} where an object belongs"
        )
    return build_result(raw, result_type, body=body, request_id=request_id)


def _has_no_required_fields(result_type: type[Result]) -> bool:
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
    """Make a result of JSON that was read, or that was put together of what was read.

    Of the first there is the `body`, too.

    Raises:
        DecodeError: it is not of the documented shape.
    """
    fields = raw
    if raw.get("warnings", ()) is None:
        fields = {name: each for name, each in raw.items() if name != "warnings"}
    try:
        made: Any = _FAST.structure(fields, result_type)
    except Exception:  # noqa: BLE001 - whatever it was, the second pass says where
        raise DecodeError(_explain(fields, result_type)) from None
    # What the package adds comes last: a field of the same name stays in `raw`.
    made._raw = raw if body is None else body  # noqa: SLF001 - it is still open
    made.request_id, made.reconciled = request_id, reconciled
    made.__class__ = result_type
    result: ResultT = made
    return result


def _explain(fields: dict[str, Any], result_type: type[Any]) -> str:
    try:
        _detailed().structure(fields, result_type)
    except Exception as error:  # noqa: BLE001 - turned into the message
        messages = cattrs.transform_error(error, "answer", _describe)
        return "; ".join(message.replace("answer.", "", 1) for message in messages)
    raise AssertionError("the two passes of the converter disagree")


def _describe(error: BaseException, type_: type[Any] | None) -> str:  # noqa: ARG001 - the signature that cattrs calls
    if isinstance(error, KeyError):
        return "missing"
    return str(error)


def json_type_name(value: Any) -> str:
    """Name what a value is in JSON, for a message: `an object`, `null`."""
    names = {dict: "an object", list: "a list", str: "text", type(None): "null"}
    return names.get(type(value)) or describe_type(value)


def _strict_hook(type_: type[Any]) -> Any:
    def structure(value: Any, _: Any) -> Any:
        if value.__class__ is type_:
            return value
        raise TypeError(
            f"{_TYPE_NAMES[type_]} belongs here, not {json_type_name(value)}"
        )

    return structure


def _is_optional_str(type_: Any) -> bool:
    return set(_union_members(type_)) == {str, type(None)}


def _optional_str_hook(value: Any, _: Any) -> Any:
    if value is None or value.__class__ is str:
        return value
    raise TypeError(f"text belongs here, not {json_type_name(value)}")


def _number_hook(value: Any, _: Any) -> float:
    if value.__class__ is float or value.__class__ is int:
        return float(value)
    raise TypeError(f"a number belongs here, not {json_type_name(value)}")


def _is_optional_datetime(type_: Any) -> bool:
    return set(_union_members(type_)) == {dt.datetime, type(None)}


def _optional_datetime_hook(value: Any, _: Any) -> dt.datetime | None:
    """Read a time stamp; one that cannot be read is none, as it decides nothing.

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
    """Tell JSON that is handed through as it is: objects, lists, and their unions."""
    return all(member in _RAW_JSON for member in _union_members(type_))


def _raw_json_hook(type_: Any) -> Any:
    allowed, names = zip(
        *map(_RAW_JSON.__getitem__, _union_members(type_)), strict=True
    )
    wanted = " or ".join(names)

    def structure(value: Any, _: Any) -> Any:
        if value.__class__ in allowed:
            return value
        raise TypeError(f"{wanted} belongs here, not {json_type_name(value)}")

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
        raise TypeError(f"a list belongs here, not {json_type_name(value)}")

    return structure


def _has_from_wire(type_: Any) -> bool:
    return hasattr(type_, "from_wire")


def _from_wire_hook(value: Any, type_: Any) -> Any:
    return type_.from_wire(value)


def _is_mapping(type_: Any) -> bool:
    return get_origin(type_) is dict


def _mapping_hook(type_: Any, converter: Any) -> Any:
    """Read what stands under the keys of an object; null stands for an empty one."""
    items = cattrs.gen.mapping_structure_factory(
        type_,
        converter,
        detailed_validation=converter.detailed_validation,
    )

    def structure(value: Any, _: Any) -> Any:
        if isinstance(value, dict):
            return items(value, type_)
        if value is None:
            return {}
        raise TypeError(f"an object belongs here, not {json_type_name(value)}")

    return structure


def _frozen(type_: Any, converter: Any) -> Any:
    """Read a class, of which there may be thousands in an answer."""
    open_class: Any = unfrozen(type_)
    fill = make_dict_structure_fn(open_class, converter)

    def structure(value: Any, _: Any) -> Any:
        made: Any = fill(value, open_class)
        made.__class__ = type_
        return made

    return structure


def _is_result(type_: Any) -> bool:
    return attrs.has(type_) and issubclass(type_, Result)


def _open_result(type_: Any, converter: Any) -> Any:
    """Read a result as far as it is the service's, still to be completed and frozen."""
    open_class: Any = unfrozen(type_, later=_PACKAGE_FIELDS)
    return make_dict_structure_fn(open_class, converter)


def _converter(*, detailed: bool) -> OrjsonConverter:
    converter = make_converter(detailed_validation=detailed)
    if not detailed:
        converter.register_structure_hook_factory(attrs.has, _frozen)
    converter.register_structure_hook_factory(_is_result, _open_result)
    for type_ in (str, int, bool):
        converter.register_structure_hook(type_, _strict_hook(type_))
    converter.register_structure_hook(float, _number_hook)
    converter.register_structure_hook_func(_is_optional_str, _optional_str_hook)
    converter.register_structure_hook_func(
        _is_optional_datetime, _optional_datetime_hook
    )
    converter.register_structure_hook_func(_has_from_wire, _from_wire_hook)
    # By class as well, or what is a kind of text would be read as text.
    converter.register_structure_hook(enum.StrEnum, _from_wire_hook)
    converter.register_structure_hook_factory(_is_mapping, _mapping_hook)
    converter.register_structure_hook_factory(_is_raw_json, _raw_json_hook)
    converter.register_structure_hook_factory(_is_sequence, _sequence_hook)
    return converter


_FAST = _converter(detailed=False)


@functools.cache
def _detailed() -> OrjsonConverter:
    """Make the second converter when there is something wrong to be explained."""
    return _converter(detailed=True)
