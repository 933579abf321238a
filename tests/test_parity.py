"""The two clients: what one has, the other has, and `help()` shows all of it."""

from __future__ import annotations

import inspect
import pydoc

import pytest

from futureagi_async import (
    AsyncFutureAGI,
    BlockingEvaluationStream,
    BlockingOutcomeStream,
    EvaluationStream,
    FutureAGI,
    OutcomeStream,
)
from futureagi_async.types import BatchOptions, EvaluationOptions, StreamOptions


def public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def parameters(function: object) -> list[tuple[str, object, object]]:
    signature = inspect.signature(function)  # type: ignore[arg-type]  # callable
    return [(p.name, p.kind, p.default) for p in signature.parameters.values()]


METHODS = sorted(public(FutureAGI) - {"close"})


def test_the_clients_have_the_same_attributes() -> None:
    assert public(AsyncFutureAGI) - {"aclose"} == public(FutureAGI) - {"close"}
    assert "aclose" not in public(FutureAGI)
    assert "close" not in public(AsyncFutureAGI)


@pytest.mark.parametrize("name", METHODS)
def test_methods_of_the_clients_take_the_same(name: str) -> None:
    assert parameters(getattr(FutureAGI, name)) == parameters(
        getattr(AsyncFutureAGI, name)
    )


def test_the_clients_are_made_from_the_same() -> None:
    assert parameters(FutureAGI) == parameters(AsyncFutureAGI)
    assert "api_key" in inspect.signature(FutureAGI).parameters


def test_closing_takes_nothing() -> None:
    assert parameters(FutureAGI.close) == parameters(AsyncFutureAGI.aclose)


@pytest.mark.parametrize("client", [AsyncFutureAGI, FutureAGI])
@pytest.mark.parametrize("name", METHODS)
def test_help_shows_every_argument_by_its_name(client: type, name: str) -> None:
    method = getattr(client, name)
    kinds = {p.kind for p in inspect.signature(method).parameters.values()}

    page = pydoc.plain(pydoc.render_doc(method))

    assert kinds <= {
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    }
    for parameter in inspect.signature(method).parameters:
        assert parameter in page.splitlines()[2]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("send_many", BatchOptions),
        ("add_eval_configs_many", BatchOptions),
        ("run_new_evals_many", BatchOptions),
        ("stream", StreamOptions),
        ("evaluate", EvaluationOptions),
        ("stream_evaluations", EvaluationOptions),
    ],
)
def test_shared_options_are_parameters(name: str, options: type) -> None:
    taken = inspect.signature(getattr(FutureAGI, name)).parameters

    assert set(options.__annotations__) <= set(taken)
    for key in options.__annotations__:
        assert taken[key].kind is inspect.Parameter.KEYWORD_ONLY
    # Each is documented, in the class or in one that it refers to.
    documented = f"{options.__doc__}{StreamOptions.__doc__}{shared_options().__doc__}"
    assert all(f"{key}: " in documented for key in options.__annotations__)


def shared_options() -> type:
    from futureagi_async.batch.options import SharedOptions

    return SharedOptions


def test_the_timeout_of_an_evaluation_has_no_default() -> None:
    taken = inspect.signature(AsyncFutureAGI.evaluate).parameters

    assert taken["timeout"].default is inspect.Parameter.empty
    assert taken["poll_interval"].default == 1.0
    assert taken["journal"].default is None


@pytest.mark.parametrize("name", METHODS)
def test_docstrings_of_the_blocking_client_await_nothing(name: str) -> None:
    text = inspect.getdoc(getattr(FutureAGI, name))

    assert text
    assert "await " not in text
    assert "async with" not in text
    assert "async for" not in text


@pytest.mark.parametrize("name", METHODS)
def test_methods_are_named_for_their_client(name: str) -> None:
    assert getattr(FutureAGI, name).__qualname__ == f"FutureAGI.{name}"


STREAMS = [
    (OutcomeStream, BlockingOutcomeStream),
    (EvaluationStream, BlockingEvaluationStream),
]


@pytest.mark.parametrize(
    "cls", [AsyncFutureAGI, FutureAGI, *(each for pair in STREAMS for each in pair)]
)
def test_whatever_is_public_has_a_docstring(cls: type) -> None:
    undocumented = {
        name for name in public(cls) if not inspect.getdoc(getattr(cls, name))
    }

    assert inspect.getdoc(cls)
    assert not undocumented


@pytest.mark.parametrize(("stream", "blocking"), STREAMS)
def test_streams_of_the_clients_have_the_same_attributes(
    stream: type, blocking: type
) -> None:
    assert public(stream) == public(blocking)


def test_whatever_is_done_for_many_can_be_bounded() -> None:
    bounded = {
        name
        for name in METHODS
        if "max_concurrency" in inspect.signature(getattr(FutureAGI, name)).parameters
    }

    assert bounded == {name for name in METHODS if name.endswith("_many")} | {
        "evaluate",
        "stream",
        "stream_evaluations",
        "wait_for_evals",
    }
    for name in bounded:
        assert "timeout" in inspect.signature(getattr(FutureAGI, name)).parameters


def test_no_method_of_the_blocking_client_gives_something_to_await() -> None:
    awaited = {
        name
        for name in public(FutureAGI)
        if inspect.iscoroutinefunction(getattr(FutureAGI, name))
        or inspect.isasyncgenfunction(getattr(FutureAGI, name))
        or "Async" in str(inspect.signature(getattr(FutureAGI, name)).return_annotation)
    }

    assert not awaited
