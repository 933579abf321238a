"""A journal to look into, and to decide in what nobody else can know."""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import os
from typing import TYPE_CHECKING, Any, Self

import attrs

from futureagi_async.errors import JournalError
from futureagi_async.journal.database import (
    JournalFile,
    full_path,
    open_to_read,
    opened_by_parent,
    sqlite_errors,
)
from futureagi_async.journal.entry import JournalEntry, JournalState, identity
from futureagi_async.journal.store import ENTRIES, Store, entry_of, find
from futureagi_async.model.outcome import Failure, NotAttempted, Success
from futureagi_async.model.request import Request
from futureagi_async.model.validation import describe_type


if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from futureagi_async.model.outcome import Outcome


_AT_A_TIME = 500

_PAGE = f"{ENTRIES} WHERE entry.sequence > ? ORDER BY entry.sequence LIMIT {_AT_A_TIME}"

_COUNTS = """
    SELECT endpoint, coalesce(state, 'in_flight') AS now, count(*), total(reconciled),
        total(resolved), min(sent_at), max(sent_at)
    FROM entries
    JOIN targets USING (target)
    LEFT JOIN endings USING (sequence)
    GROUP BY endpoint, now
"""

_WORDS = {
    JournalState.DONE: "done",
    JournalState.FAILED: "failed",
    JournalState.UNKNOWN: "unknown",
    JournalState.IN_FLIGHT: "in flight or cut off",
}


@attrs.frozen(kw_only=True)
class JournalSummary:
    """A journal at one look; `str` gives it in a few lines.

    Attributes:
        path: the journal.
        states: how many requests are in each state; every state is there.
        endpoints: the same for each endpoint, by the name of its request class.
        reconciled: how many of the done were found done by reading back.
        resolved: how many were decided by a person.
        first_sent_at: when the first request was about to leave, in Unix seconds.
        last_sent_at: when the last one was.

    """

    path: str
    states: Mapping[JournalState, int]
    endpoints: Mapping[str, Mapping[JournalState, int]]
    reconciled: int
    resolved: int
    first_sent_at: float | None
    last_sent_at: float | None

    def __str__(self) -> str:
        lines = [f"{self.path}: {_counted(self.states)}"]
        lines += [
            f"  {name}: {_counted(each)}" for name, each in self.endpoints.items()
        ]
        if self.reconciled or self.resolved:
            lines.append(
                f"  {self.reconciled:,} found done by reading back, "
                f"{self.resolved:,} decided by hand"
            )
        if self.first_sent_at is not None and self.last_sent_at is not None:
            lines.append(
                f"  sent {_time(self.first_sent_at)} to {_time(self.last_sent_at)}"
            )
        return "\n".join(lines)


class Journal:
    """A journal to look into: a context manager, and an iterable of its entries.

    It only reads, also beside a fan-out that writes, except for `resolve`. It belongs to
    the thread that opened it.
    """

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._pid = os.getpid()

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a journal that is there.

        Raises:
            JournalError: there is none, it is no journal of this version, or the system
                refuses.

        """
        where = full_path(path)
        return cls(where, open_to_read(where))

    def summary(self) -> JournalSummary:
        """Count what is in it."""
        states = dict.fromkeys(_WORDS, 0)
        endpoints: dict[str, dict[JournalState, int]] = collections.defaultdict(
            lambda: dict.fromkeys(_WORDS, 0)
        )
        rows = self._read(_COUNTS)
        for endpoint, name, count, *_ in rows:
            states[JournalState(name)] += count
            endpoints[endpoint][JournalState(name)] += count
        return JournalSummary(
            path=self.path,
            states=states,
            endpoints=dict(endpoints),
            reconciled=int(sum(row[3] for row in rows)),
            resolved=int(sum(row[4] for row in rows)),
            first_sent_at=min((row[5] for row in rows), default=None),
            last_sent_at=max((row[6] for row in rows), default=None),
        )

    def __iter__(self) -> Iterator[JournalEntry]:
        # A few at a time: a query left open would keep the writer from tidying up.
        last = 0
        while rows := self._read(_PAGE, last):
            for row in rows:
                yield entry_of(row)
            last = rows[-1][0]

    def __len__(self) -> int:
        count: int = self._read("SELECT count(*) FROM entries")[0][0]
        return count

    def resolve(self, outcome: Outcome[Any] | JournalEntry, *, done: bool) -> None:
        """Decide what became of a request that is in doubt.

        Args:
            outcome: the request: an outcome of a fan-out, or an entry of this journal.
            done: whether its work was done. If it was, the request counts as done from
                now on; if it was not, the next fan-out sends it again.

        Raises:
            JournalError: there is no such request, an answer has decided it already, it
                is there for several services, or a fan-out is writing to the journal.

        """
        self._refuse_child()
        found = self._identity(outcome)
        file = JournalFile.open(self.path)
        with contextlib.closing(file), sqlite_errors(self.path):
            Store(file.path, file.connection).resolve(
                found, JournalState.DONE if done else JournalState.FAILED
            )

    def close(self) -> None:
        """Close it. Doing it twice is harmless."""
        with sqlite_errors(self.path):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _identity(self, outcome: Outcome[Any] | JournalEntry) -> bytes:
        if isinstance(outcome, JournalEntry):
            return outcome.identity
        if not isinstance(outcome, Success | Failure | NotAttempted):
            raise JournalError(
                "resolve: an outcome of a fan-out or an entry of the journal is wanted, "
                f"not {describe_type(outcome)}"
            )
        request = outcome.request
        if not isinstance(request, Request):
            raise JournalError(
                f"journal {self.path}: {describe_type(request)} is made of several "
                "requests; pass the entry that is meant, as iterating gives it"
            )
        found = [each for each in self._identities(request) if self._holds(each)]
        if len(found) == 1:
            return found[0]
        if found:
            raise JournalError(
                f"journal {self.path}: the request is in there for {len(found)} services "
                "or workspaces; pass the entry that is meant, as iterating gives it"
            )
        raise JournalError(f"journal {self.path}: this request is not in there")

    def _identities(self, request: Request[Any]) -> list[bytes]:
        services = self._read("SELECT DISTINCT base_url, workspace_id FROM targets")
        return [identity(url, workspace, request) for url, workspace in services]

    def _holds(self, identity: bytes) -> bool:
        with sqlite_errors(self.path):
            return find(self._connection, identity) is not None

    def _read(self, query: str, *arguments: Any) -> list[Any]:
        self._refuse_child()
        with sqlite_errors(self.path):
            return self._connection.execute(query, arguments).fetchall()

    def _refuse_child(self) -> None:
        if os.getpid() != self._pid:
            raise opened_by_parent(self.path)


def _counted(states: Mapping[JournalState, int]) -> str:
    counts = ", ".join(
        f"{states[state]:,} {word}" for state, word in _WORDS.items() if states[state]
    )
    total = sum(states.values())
    return f"{total:,} {'request' if total == 1 else 'requests'}: {counts or 'none'}"


def _time(seconds: float) -> str:
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
