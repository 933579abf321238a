"""Reading a journal, and deciding by hand about unknown outcomes."""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import os
import sqlite3
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import attrs

from futureagi_async.errors import JournalError
from futureagi_async.journal.database import (
    JournalFile,
    forked_journal_error,
    open_to_read,
    resolve_path,
    sqlite_errors,
)
from futureagi_async.journal.entry import JournalEntry, JournalState, request_key
from futureagi_async.journal.store import ENTRIES, Store, find, to_entry
from futureagi_async.model.outcome import Failure, NotAttempted, Outcome, Success
from futureagi_async.model.request import Request
from futureagi_async.model.validation import describe_type


_ROWS_PER_PAGE = 500

_PAGE = (
    f"{ENTRIES} WHERE entry.sequence > ? ORDER BY entry.sequence LIMIT {_ROWS_PER_PAGE}"
)

_COUNTS = """
    SELECT endpoint, coalesce(state, 'in_flight') AS now, count(*), total(reconciled),
        total(resolved), min(sent_at), max(sent_at)
    FROM entries
    JOIN targets USING (target)
    LEFT JOIN outcomes USING (sequence)
    GROUP BY endpoint, now
"""

_LABELS = {
    JournalState.DONE: "done",
    JournalState.FAILED: "failed",
    JournalState.UNKNOWN: "unknown",
    JournalState.IN_FLIGHT: "in flight or interrupted",
}


@attrs.frozen(kw_only=True)
class JournalSummary:
    """The counts of a journal; `str` formats them in a few lines.

    Attributes:
        path: the path of the journal.
        states: how many requests are in each state, including states with none.
        endpoints: the same for each endpoint, by the name of its request class.
        reconciled: how many of those done were found done by reading.
        resolved: how many were decided by a person.
        first_sent_at: when the first request was about to be sent, in Unix seconds.
        last_sent_at: the same of the last one.
    """

    path: str
    states: Mapping[JournalState, int]
    endpoints: Mapping[str, Mapping[JournalState, int]]
    reconciled: int
    resolved: int
    first_sent_at: float | None
    last_sent_at: float | None

    def __str__(self) -> str:
        lines = [f"{self.path}: {_format_counts(self.states)}"]
        lines += [
            f"  {name}: {_format_counts(states)}"
            for name, states in self.endpoints.items()
        ]
        if self.reconciled or self.resolved:
            lines.append(
                f"  {self.reconciled:,} reconciled, {self.resolved:,} decided by hand"
            )
        if self.first_sent_at is not None and self.last_sent_at is not None:
            first, last = map(_format_time, (self.first_sent_at, self.last_sent_at))
            lines.append(f"  sent {first} to {last}")
        return "\n".join(lines)


class Journal:
    """A journal opened for reading: a context manager, and an iterable of its entries.

    It can be read while a batch writes to it; only `resolve` writes. It belongs to the
    thread that opened it.
    """

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._pid = os.getpid()

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open an existing journal.

        Args:
            path: the path of its file.

        Raises:
            JournalError: it does not exist, it is no journal of this version, or the
                system refuses.
        """
        resolved = resolve_path(path)
        return cls(resolved, open_to_read(resolved))

    def summary(self) -> JournalSummary:
        """Count its requests by state and endpoint."""
        states = dict.fromkeys(_LABELS, 0)
        endpoints: dict[str, dict[JournalState, int]] = collections.defaultdict(
            lambda: dict.fromkeys(_LABELS, 0)
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
        # In pages: a query left open would keep the writer from moving its WAL.
        last = 0
        while rows := self._read(_PAGE, last):
            for row in rows:
                yield to_entry(row)
            last = rows[-1][0]

    def __len__(self) -> int:
        count: int = self._read("SELECT count(*) FROM entries")[0][0]
        return count

    def resolve(self, outcome: Outcome[Any] | JournalEntry, *, done: bool) -> None:
        """Decide whether a request with an unknown outcome was carried out.

        Args:
            outcome: an outcome of a batch, or an entry of this journal.
            done: whether its work was done. If it was, the request counts as done from
                now on; if it was not, the next batch sends it again.

        Raises:
            JournalError: there is no such request, its response has decided it already,
                it was sent to several services, or a batch is writing to the journal.
        """
        self._reject_forked_child()
        key = self._key(outcome)
        file = JournalFile.open(self.path)
        with contextlib.closing(file), sqlite_errors(self.path):
            Store(file.path, file.connection).resolve(
                key, JournalState.DONE if done else JournalState.FAILED
            )

    def close(self) -> None:
        """Close it; a second call does nothing."""
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

    def _key(self, outcome: Outcome[Any] | JournalEntry) -> bytes:
        if isinstance(outcome, JournalEntry):
            return outcome.key
        if not isinstance(outcome, Success | Failure | NotAttempted):
            raise JournalError(
                "resolve: an outcome of a batch or an entry of the journal is expected, "
                f"not {describe_type(outcome)}"
            )
        if not isinstance(outcome.request, Request):
            raise JournalError(
                f"journal {self.path}: {describe_type(outcome.request)} sends several "
                "requests; pass one of the entries that iterating the journal yields"
            )
        keys = [key for key in self._keys(outcome.request) if self._contains(key)]
        if not keys:
            raise JournalError(f"journal {self.path}: this request is not in it")
        if len(keys) > 1:
            raise JournalError(
                f"journal {self.path}: the request was sent to {len(keys)} services or "
                "workspaces; pass one of the entries that iterating the journal yields"
            )
        return keys[0]

    def _keys(self, request: Request[Any]) -> list[bytes]:
        services = self._read("SELECT DISTINCT base_url, workspace_id FROM targets")
        return [request_key(url, workspace, request) for url, workspace in services]

    def _contains(self, key: bytes) -> bool:
        with sqlite_errors(self.path):
            return find(self._connection, key) is not None

    def _read(self, query: str, *arguments: Any) -> list[Any]:
        self._reject_forked_child()
        with sqlite_errors(self.path):
            return self._connection.execute(query, arguments).fetchall()

    def _reject_forked_child(self) -> None:
        if os.getpid() != self._pid:
            raise forked_journal_error(self.path)


def _format_counts(states: Mapping[JournalState, int]) -> str:
    counts = ", ".join(
        f"{states[state]:,} {label}"
        for state, label in _LABELS.items()
        if states[state]
    )
    total = sum(states.values())
    return f"{total:,} {'request' if total == 1 else 'requests'}: {counts or 'none'}"


def _format_time(seconds: float) -> str:
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
