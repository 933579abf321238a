"""Values to bytes and bytes to values, beside code by hand and other libraries."""

from __future__ import annotations

import json
import timeit
from typing import TYPE_CHECKING, Any

import attrs
import cattrs
import orjson

from benchmarks import server
from benchmarks.rows import Row
from benchmarks.work import configs
from futureagi_async import AddEvalConfigs, AddEvalConfigsResult, codec


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_RUN_TEST = "00000000-0000-4000-8000-000000000000"
_SIZES = (1, 1_000, 10_000)


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


def _by_hand(body: bytes) -> _Result:
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


def rows(*, quick: bool) -> Iterator[Row]:
    """Measure."""
    structure = cattrs.Converter().structure
    rounds = 5 if quick else 15
    for size in _SIZES:
        asked = orjson.dumps({"evaluations_config": configs(size)})
        target = f"/simulate/run-tests/{_RUN_TEST}/eval-configs/".encode()
        body = server.answer(target, asked)

        def ours(body: bytes = body) -> object:
            return codec.decode_result(body, AddEvalConfigsResult, None)

        def default(body: bytes = body) -> object:
            return structure(json.loads(body), _Result)

        def by_hand(body: bytes = body) -> object:
            return _by_hand(body)

        name = f"bytes to result of {size:,} configs"
        goal = ">= 1.7" if size < max(_SIZES) else ">= 1.3"
        yield _row(f"{name}: json + default cattrs / ours", ours, default, rounds, goal)
        yield _row(f"{name}: ours / by hand", ours, by_hand, rounds, "<= 3")
        dicts = configs(size)

        def encode(dicts: list[dict[str, Any]] = dicts) -> object:
            return AddEvalConfigs(_RUN_TEST, dicts).body

        def dumps(dicts: list[dict[str, Any]] = dicts) -> object:
            values = [_Config(**each) for each in dicts]
            return orjson.dumps({"evaluations_config": [_sent(v) for v in values]})

        yield _row(
            f"dicts to request to bytes, {size:,} configs: ours / by hand",
            encode,
            dumps,
            rounds,
            "<= 3",
        )


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


def _row(
    name: str,
    ours: Callable[[], object],
    peer: Callable[[], object],
    rounds: int,
    goal: str,
) -> Row:
    times, _ = timeit.Timer(ours).autorange()
    mine, theirs = (
        min(timeit.repeat(work, number=times, repeat=rounds)) / times * 1e6
        for work in (ours, peer)
    )
    ratio = mine / theirs if goal.startswith("<") else theirs / mine
    return Row(name, mine, theirs, ratio, "us", goal)
