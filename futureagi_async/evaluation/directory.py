"""Run tests with their eval configs, read a hundred at a time where that pays."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import attrs

from futureagi_async.endpoints.get_run_test import GetRunTest, RunTest
from futureagi_async.endpoints.list_run_tests import ListRunTests
from futureagi_async.errors import APIError
from futureagi_async.model import codec


if TYPE_CHECKING:
    from collections.abc import Callable

    from futureagi_async.model.page import SendRead


_MIN_RUN_TESTS = 20
"""Fewer run tests are read one by one."""

_MAX_LISTED = 4
"""How many run tests are listed at most for each that is asked for: an entry of the
list costs the service and the wire a third of a run test."""

_MAX_KEPT = 2000
"""How many listed run tests wait at most to be asked for."""

_FRESH_FOR = 300.0
"""Seconds for which an entry is used: others change eval configs meanwhile."""


@attrs.define(eq=False)
class RunTestDirectory:
    """Directory of the run tests of one evaluation.

    A run test is read by itself, or from a page of the list of all run tests, if so
    many are asked for that this takes fewer requests.

    Args:
        expected: how many will be asked for; `None` if that is unknown.
        now: a clock.
    """

    expected: int | None = 1
    now: Callable[[], float] = time.monotonic
    _asked: int = 0
    _next: ListRunTests | None = attrs.field(init=False, factory=ListRunTests)
    _listed: dict[str, tuple[float, RunTest]] = attrs.field(init=False, factory=dict)
    _lock: asyncio.Lock = attrs.field(init=False, factory=asyncio.Lock)
    _count: int | None = attrs.field(init=False, default=None)

    async def find(self, read: SendRead, run_test_id: str) -> tuple[RunTest, bool]:
        """Return a run test, and whether that was read just now for this purpose.

        Raises:
            APIError: it could not be read.
        """
        self._asked += 1
        listed = await self._find_listed(read, run_test_id)
        if listed is not None:
            return listed, False
        return await read(GetRunTest(run_test_id)), True

    async def _find_listed(self, read: SendRead, run_test_id: str) -> RunTest | None:
        while True:
            at, found = self._listed.pop(run_test_id, (0.0, None))
            if found is not None and self.now() - at < _FRESH_FOR:
                return found
            if self._next is None or not self._pays():
                return None
            async with self._lock:
                if run_test_id not in self._listed:
                    await self._read_page(read)

    def _pays(self) -> bool:
        """Return whether the list has not much more than what is asked for."""
        wanted = 2 * self._asked if self.expected is None else self.expected
        if wanted < _MIN_RUN_TESTS or len(self._listed) >= _MAX_KEPT:
            return False
        return self._count is None or self._count <= wanted * _MAX_LISTED

    async def _read_page(self, read: SendRead) -> None:
        """Read the next page; a list that cannot be read is not needed."""
        request = self._next
        if request is None:
            return
        try:
            page = await read(request)
            entries = [
                attrs.evolve(codec.build_result(each, RunTest), raw={})
                for each in page.raw["results"]
            ]
        except (APIError, codec.DecodeError):
            self._next = None
            return
        at = self.now()
        self._count = page.count
        self._listed.update((each.id.lower(), (at, each)) for each in entries)
        self._next = request.next_after(page)
