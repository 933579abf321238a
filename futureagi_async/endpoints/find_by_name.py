"""Finding the one thing that has a name."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Protocol, TypeVar

from futureagi_async.endpoints.list_eval_templates import (
    EvalTemplate,
    ListEvalTemplates,
)
from futureagi_async.endpoints.list_run_tests import ListRunTests, RunTestEntry
from futureagi_async.errors import NameLookupError
from futureagi_async.model import validation
from futureagi_async.model.paging import paginate


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from futureagi_async.model.paging import Read


class Named(Protocol):
    """What has an id and a name."""

    @property
    def id(self) -> str:
        """The id."""
        ...

    @property
    def name(self) -> str:
        """The name."""
        ...


NamedT = TypeVar("NamedT", bound=Named)

_SHOWN = 5
"""Names or ids that a message lists."""


async def find_run_test(read: Read, name: str) -> RunTestEntry:
    """Find the run test with exactly this name among those that the keys see.

    The service could tell an id by name (`get-id-by-name`), but looks into workspaces
    that the keys do not see, and gives one of several; so it is searched for.

    Raises:
        InvalidRequestError: the name is no text, or blank.
        NameLookupError: there is none, or more than one.
    """
    wanted = validation.said(name, "name")
    exact: list[RunTestEntry] = []
    others: list[str] = []
    async for each in paginate(read, ListRunTests(wanted)):
        if each.name == wanted:
            exact.append(each)
        elif len(others) < _SHOWN:
            others.append(each.name)
    if not exact and not others:
        newest = await read(ListRunTests())
        others = _close(wanted, [each.name for each in newest.results])
    return _only(exact, "run test", wanted, others)


async def find_eval_template(read: Read, name: str) -> EvalTemplate:
    """Find the eval template with exactly this name among those that can be used.

    Raises:
        InvalidRequestError: the name is no text, or blank.
        NameLookupError: there is none, or more than one.
    """
    wanted = validation.said(name, "name")
    templates = (await read(ListEvalTemplates())).result
    exact = [each for each in templates if each.name == wanted]
    close = _close(wanted, [each.name for each in templates])
    return _only(exact, "eval template", wanted, close)


def _close(wanted: str, names: Iterable[str]) -> list[str]:
    by_letters = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(wanted.casefold(), by_letters, n=_SHOWN)
    return [by_letters[each] for each in close]


def _only(
    found: Sequence[NamedT], kind: str, wanted: str, close: Iterable[str]
) -> NamedT:
    if len(found) == 1:
        return found[0]
    ids = tuple(each.id for each in found)
    if ids:
        shown = ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
        problem = f"{len(ids)} {kind}s are named {wanted!r}: {shown}; take the id"
    else:
        problem = f"no {kind} is named {wanted!r}"
        names = ", ".join(map(repr, close))
        problem += f"; close names are {names}" if names else ""
    raise NameLookupError(problem, name=wanted, matches=ids)
