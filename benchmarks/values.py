"""Conversion of values to bytes and back, beside code by hand and other libraries."""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import cattrs
import orjson

from benchmarks import server
from benchmarks.pairs import compare, repeated, timed
from benchmarks.rows import Row, skipped
from benchmarks.work import configs
from futureagi_async import AddEvalConfigs
from futureagi_async.model import codec
from futureagi_async.types import AddEvalConfigsResult


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_RUN_TEST = "00000000-0000-4000-8000-000000000000"
_SIZES = (1, 1_000, 10_000)
_LEAST = 0.02  # seconds that a run takes at least, for the clock to be exact


@attrs.frozen
class _Config:
    template_id: str
    name: str | None = None
    config: dict[str, Any] | None = None
    mapping: dict[str, Any] | None = None
    filters: list[Any] | None = None
    error_localizer: bool | None = None
    model: str | None = None


@attrs.frozen
class _Request:
    evaluations_config: list[_Config]


@attrs.frozen
class _Created:
    id: str
    name: str
    config: dict[str, Any]
    mapping: dict[str, Any]
    filters: list[Any]
    error_localizer: bool
    model: str | None
    status: str
    eval_group: str | None
    template_id: str


@attrs.frozen
class _Result:
    message: str
    created_eval_configs: list[_Created]
    run_test_id: str


@attrs.frozen
class _Way:
    """A way from dicts to the bytes of a request, and from bytes to a result."""

    name: str
    encode: Callable[[list[dict[str, Any]]], bytes]
    decode: Callable[[bytes], object]


def encode(dicts: list[dict[str, Any]]) -> bytes:
    """Return the bytes of a request that this package makes of dicts."""
    return AddEvalConfigs(_RUN_TEST, dicts).body


def decode(body: bytes) -> object:
    """Return the result that this package makes of the bytes of a response."""
    return codec.decode_result(body, AddEvalConfigsResult, None)


def _encode_by_hand(dicts: list[dict[str, Any]]) -> bytes:
    values = [_Config(**each) for each in dicts]
    return orjson.dumps({"evaluations_config": [_sent(each) for each in values]})


def _decode_by_hand(body: bytes) -> _Result:
    raw = orjson.loads(body)
    created = [
        _Created(
            each["id"],
            each["name"],
            each["config"],
            each["mapping"],
            each["filters"],
            each["error_localizer"],
            each["model"],
            each["status"],
            each["eval_group"],
            each["template_id"],
        )
        for each in raw["created_eval_configs"]
    ]
    return _Result(raw["message"], created, raw["run_test_id"])


def _sent(value: _Config) -> dict[str, Any]:
    sent = {
        "template_id": value.template_id,
        "name": value.name,
        "config": value.config,
        "mapping": value.mapping,
        "filters": value.filters,
        "error_localizer": value.error_localizer,
        "model": value.model,
    }
    return {key: each for key, each in sent.items() if each is not None}


def _default_cattrs() -> _Way:
    converter = cattrs.Converter()

    def encode(dicts: list[dict[str, Any]]) -> bytes:
        request = converter.structure({"evaluations_config": dicts}, _Request)
        plain = converter.unstructure(request)
        plain["evaluations_config"] = [
            {key: value for key, value in each.items() if value is not None}
            for each in plain["evaluations_config"]
        ]
        return json.dumps(plain).encode()

    def decode(body: bytes) -> object:
        return converter.structure(json.loads(body), _Result)

    return _Way("json + default cattrs", encode, decode)


def _pydantic() -> _Way:
    pydantic: Any = importlib.import_module("pydantic")
    config, created = (
        pydantic.create_model(
            each.__name__,
            __config__=pydantic.ConfigDict(frozen=True, extra="forbid"),
            **_fields(each),
        )
        for each in (_Config, _Created)
    )
    request = pydantic.create_model("Request", evaluations_config=(list[config], ...))  # type: ignore[valid-type]  # made just now
    result = pydantic.create_model(
        "Result",
        message=(str, ...),
        created_eval_configs=(list[created], ...),  # type: ignore[valid-type]  # made just now
        run_test_id=(str, ...),
    )

    def encode(dicts: list[dict[str, Any]]) -> bytes:
        value = request.model_validate({"evaluations_config": dicts})
        body: str = value.model_dump_json(exclude_none=True)
        return body.encode()

    return _Way("pydantic", encode, result.model_validate_json)


def _msgspec() -> _Way:
    msgspec: Any = importlib.import_module("msgspec")
    config, created = (
        msgspec.defstruct(
            each.__name__,
            [
                (name, kind) if default is ... else (name, kind, default)
                for name, (kind, default) in _fields(each).items()
            ],
            frozen=True,
            omit_defaults=True,
        )
        for each in (_Config, _Created)
    )
    request = msgspec.defstruct("Request", [("evaluations_config", list[config])])  # type: ignore[valid-type]  # made just now
    result = msgspec.defstruct(
        "Result",
        [
            ("message", str),
            ("created_eval_configs", list[created]),  # type: ignore[valid-type]  # made just now
            ("run_test_id", str),
        ],
    )
    encoder, decoder = msgspec.json.Encoder(), msgspec.json.Decoder(result)

    def encode(dicts: list[dict[str, Any]]) -> bytes:
        value = msgspec.convert({"evaluations_config": dicts}, request)
        body: bytes = encoder.encode(value)
        return body

    return _Way("msgspec", encode, decoder.decode)


def _fields(values: type) -> dict[str, tuple[Any, Any]]:
    """Return the types and defaults of a class; `...` where there is no default."""
    attrs.resolve_types(values)
    return {
        each.name: (each.type, ... if each.default is attrs.NOTHING else each.default)
        for each in attrs.fields(values)
    }


def rows(*, quick: bool) -> Iterator[Row]:
    """Yield the measured rows."""
    rounds = 5 if quick else 15
    peers = [
        (_Way("by hand", _encode_by_hand, _decode_by_hand), "<= 3", "<= 3"),
        (_default_cattrs(), ">= 1.7", ">= 1.3"),
    ]
    for name, make in (("pydantic", _pydantic), ("msgspec", _msgspec)):
        if importlib.util.find_spec(name) is None:
            yield skipped(f"values / {name}", f"{name} is not installed")
        else:
            peers.append((make(), "", ""))
    for size in _SIZES[:2] if quick else _SIZES:
        dicts = configs(size)
        body = server.added(size)
        for way, goal, goal_at_most in peers:
            each_goal = goal_at_most if size == max(_SIZES) else goal
            for direction, ours, peer, value in (
                ("dicts to request to bytes", encode, way.encode, dicts),
                ("bytes to result", decode, way.decode, body),
            ):
                name = f"{direction}, {size:,} configs"
                yield _row(name, way.name, (ours, peer, value), rounds, each_goal)


def _row(
    name: str,
    peer: str,
    pair: tuple[Callable[[Any], object], Callable[[Any], object], Any],
    rounds: int,
    goal: str,
) -> Row:
    mine, theirs, value = pair
    # The first calls build what later ones use.
    once = min(timed(partial(mine, value)).clock for _ in range(5))
    times = math.ceil(_LEAST / once)
    ours, other = (
        1e6 * each / times
        for each in _least(partial(mine, value), partial(theirs, value), times, rounds)
    )
    if goal.startswith(">"):
        return Row(f"{name}: {peer} / ours", ours, other, other / ours, "us", goal)
    return Row(f"{name}: ours / {peer}", ours, other, ours / other, "us", goal)


def _least(
    mine: Callable[[], object], theirs: Callable[[], object], times: int, rounds: int
) -> tuple[float, float]:
    least = compare(repeated(mine, times), repeated(theirs, times), rounds).least
    return least.ours, least.peer
