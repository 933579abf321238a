"""Keyword options that methods share: shown as parameters, and checked like them."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Unpack

import pytest

from futureagi_async import AsyncFutureAGI, FutureAGI
from futureagi_async.batch.options import StreamOptions, expand_options
from futureagi_async.evaluation.options import EvaluationOptions


if TYPE_CHECKING:
    from collections.abc import Callable


def test_keys_are_shown_as_keyword_parameters() -> None:
    @expand_options(StreamOptions, {"timeout": 5})
    def send(items: Any, *, own: int = 1, **options: Unpack[StreamOptions]) -> None:
        """Send."""

    shown = inspect.signature(send).parameters

    assert list(shown) == ["items", "own", "max_concurrency", "journal", "timeout"]
    assert shown["timeout"].default == 5
    assert shown["journal"].default is None
    assert shown["journal"].annotation == "str | PathLike[str] | None"


def test_required_keys_come_before_those_that_may_be_omitted() -> None:
    @expand_options(EvaluationOptions, {"wait": True})
    def run(items: Any, *, own: int = 1, **options: Unpack[EvaluationOptions]) -> None:
        """Run."""

    shown = inspect.signature(run).parameters

    assert list(shown)[:3] == ["items", "timeout", "own"]
    assert shown["timeout"].default is inspect.Parameter.empty


CALLS: dict[str, Callable[[Any], Any]] = {
    "send_many": lambda client: client.send_many([], retries=3),
    "stream": lambda client: client.stream([], retries=3),
    "a callback for a stream": lambda client: client.stream([], on_outcome=print),
    "evaluate": lambda client: client.evaluate([], [], timeout=3, retries=3),
    "no timeout": lambda client: client.evaluate([], []),
    "stream_evaluations": lambda client: client.stream_evaluations([], []),
    "add_eval_configs_many": lambda client: client.add_eval_configs_many(
        [], [{"template_id": "b968b200-c57b-5aca-9c9f-60672e3183e7"}], retries=3
    ),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_other_options_are_type_errors(call: Callable[[Any], Any]) -> None:
    expected = r"unexpected keyword argument|missing a required( keyword| keyword-only)? argument"
    async with AsyncFutureAGI("key", "secret") as client:
        with pytest.raises(TypeError, match=expected):
            await call(client)
    with (
        FutureAGI("key", "secret") as blocking,
        pytest.raises(TypeError, match=expected),
    ):
        call(blocking)
