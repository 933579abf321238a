"""Find the one run test or eval template that has a name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from futureagi_async.endpoints.list_eval_templates import (
    EvalTemplate,
    ListEvalTemplates,
)
from futureagi_async.endpoints.list_run_tests import ListRunTests, RunTestEntry
from futureagi_async.errors import NameLookupError
from futureagi_async.model import validation
from futureagi_async.model.page import Paginator, SendRead


class Named(Protocol):
    """Something with an id and a name."""

    @property
    def id(self) -> str:
        """The id."""
        ...

    @property
    def name(self) -> str:
        """The name."""
        ...


NamedT = TypeVar("NamedT", bound=Named)

_MAX_LISTED = 5
"""Most names or ids that a message lists."""


async def find_run_test(read: SendRead, name: str) -> RunTestEntry:
    """Find the run test with exactly this name among those that the keys can read.

    The service has a lookup by name (`get-id-by-name`), which includes workspaces that
    the keys cannot read, and returns any of several; so the lists are searched.

    Raises:
        InvalidRequestError: the name is no text, or is blank.
        NameLookupError: there is none, or more than one.
    """
    expected = validation.non_blank_text(name, "name")
    exact: list[RunTestEntry] = []
    others: list[str] = []
    async for each in Paginator[RunTestEntry](read, ListRunTests(expected)):
        if each.name == expected:
            exact.append(each)
        elif len(others) < _MAX_LISTED:
            others.append(each.name)
    if not exact and not others:
        newest = await read(ListRunTests())
        others = _similar_names(expected, [each.name for each in newest.results])
    return _exactly_one(exact, "run test", expected, others)


async def find_eval_template(read: SendRead, name: str) -> EvalTemplate:
    """Find the eval template with exactly this name among those that can be used.

    Raises:
        InvalidRequestError: the name is no text, or is blank.
        NameLookupError: there is none, or more than one.
    """
    expected = validation.non_blank_text(name, "name")
    templates = (await read(ListEvalTemplates())).result
    exact = [each for each in templates if each.name == expected]
    close = _similar_names(expected, [each.name for each in templates])
    return _exactly_one(exact, "eval template", expected, close)


def _similar_names(expected: str, names: Iterable[str]) -> list[str]:
    by_letters = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(expected.casefold(), by_letters, n=_MAX_LISTED)
    return [by_letters[each] for each in close]


def _exactly_one(
    found: Sequence[NamedT], kind: str, expected: str, close: Iterable[str]
) -> NamedT:
    if len(found) == 1:
        return found[0]
    ids = tuple(each.id for each in found)
    if ids:
        shown = ", ".join(ids[:_MAX_LISTED]) + (", …" if len(ids) > _MAX_LISTED else "")
        problem = f"{len(ids)} {kind}s are named {expected!r}: {shown}; take the id"
    else:
        problem = f"no {kind} is named {expected!r}"
        names = ", ".join(map(repr, close))
        problem += f"; close names are {names}" if names else ""
    raise NameLookupError(problem, name=expected, matches=ids)
