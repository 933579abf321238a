"""The twins: what one client has, the other has."""

from __future__ import annotations

import inspect

import pytest

from futureagi_async import (
    AsyncFutureAGI,
    BlockingEvaluationStream,
    BlockingOutcomeStream,
    EvaluationStream,
    FutureAGI,
    OutcomeStream,
)


def public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def parameters(function: object) -> list[tuple[str, object, object]]:
    signature = inspect.signature(function)  # type: ignore[arg-type]  # callable
    return [(p.name, p.kind, p.default) for p in signature.parameters.values()]


def test_the_twins_have_the_same_attributes() -> None:
    assert public(AsyncFutureAGI) - {"aclose"} == public(FutureAGI) - {"close"}
    assert "aclose" not in public(FutureAGI)
    assert "close" not in public(AsyncFutureAGI)


@pytest.mark.parametrize("name", sorted(public(FutureAGI) - {"close"}))
def test_methods_of_the_twins_take_the_same(name: str) -> None:
    assert parameters(getattr(FutureAGI, name)) == parameters(
        getattr(AsyncFutureAGI, name)
    )


def test_the_twins_are_made_from_the_same() -> None:
    assert parameters(FutureAGI) == parameters(AsyncFutureAGI)


def test_closing_takes_nothing() -> None:
    assert parameters(FutureAGI.close) == parameters(AsyncFutureAGI.aclose)


STREAMS = [
    (OutcomeStream, BlockingOutcomeStream),
    (EvaluationStream, BlockingEvaluationStream),
]


@pytest.mark.parametrize(
    "cls", [AsyncFutureAGI, FutureAGI, *(each for twins in STREAMS for each in twins)]
)
def test_whatever_is_public_has_a_docstring(cls: type) -> None:
    undocumented = {
        name for name in public(cls) if not inspect.getdoc(getattr(cls, name))
    }

    assert inspect.getdoc(cls)
    assert not undocumented


@pytest.mark.parametrize(("stream", "blocking"), STREAMS)
def test_streams_of_the_twins_have_the_same_attributes(
    stream: type, blocking: type
) -> None:
    assert public(stream) == public(blocking)


@pytest.mark.parametrize(
    "name",
    sorted(
        name
        for name in public(FutureAGI)
        if "deadline" in inspect.signature(getattr(FutureAGI, name)).parameters
    ),
)
def test_whatever_is_done_for_many_can_be_bounded(name: str) -> None:
    taken = inspect.signature(getattr(FutureAGI, name)).parameters

    assert "max_concurrency" in taken
    assert taken["deadline"].kind is inspect.Parameter.KEYWORD_ONLY


def test_no_method_of_the_blocking_client_gives_something_to_await() -> None:
    awaited = {
        name
        for name in public(FutureAGI)
        if inspect.iscoroutinefunction(getattr(FutureAGI, name))
        or inspect.isasyncgenfunction(getattr(FutureAGI, name))
    }

    assert not awaited
