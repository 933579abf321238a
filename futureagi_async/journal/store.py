"""The rows of a journal: how intents and outcomes are written and read."""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import attrs

from futureagi_async.errors import Delivery, JournalError
from futureagi_async.journal.entry import JournalEntry, JournalState
from futureagi_async.model.outcome import Success


if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from futureagi_async.model.outcome import Outcome


ROWS_PER_STATEMENT = 64
"""Rows of one statement: old versions of SQLite take 999 values in one."""

ENTRIES = """
    SELECT entry.sequence, entry.key, base_url, workspace_id, endpoint, method,
        entry.path, entry.run_test_id, coalesce(entry.body, source.body),
        coalesce(state, 'in_flight'), coalesce(attempts, 0), coalesce(elapsed, 0.0),
        entry.sent_at, response, request_id, coalesce(reconciled, 0), error, error_class,
        delivery, coalesce(resolved, 0)
    FROM entries AS entry
    JOIN targets USING (target)
    LEFT JOIN outcomes ON outcomes.sequence = entry.sequence
    LEFT JOIN entries AS source ON source.sequence = entry.body_of
"""

_BY_KEY = f"{ENTRIES} WHERE entry.key IN ({{rows}})"

_OF_RUN_TEST = f"""
    {ENTRIES} WHERE entry.run_test_id = ? AND entry.sequence <= ?
    ORDER BY entry.sequence
"""

_RUN_TEST_INDEX = """
    CREATE INDEX IF NOT EXISTS run_tests ON entries (run_test_id)
    WHERE run_test_id IS NOT NULL
"""

_INSERT_INTENTS = """
    INSERT INTO entries (
        sequence, key, target, path, run_test_id, body, body_of, sent_at
    )
    VALUES {rows}
"""

_REPLACE_OUTCOMES = """
    INSERT OR REPLACE INTO outcomes (
        sequence, state, attempts, elapsed, reconciled, request_id, delivery, error_class,
        error, response
    )
    VALUES {rows}
"""

_RESOLVE = """
    INSERT INTO outcomes (sequence, state, resolved)
    SELECT sequence, ?, 1 FROM entries WHERE key = ?
    ON CONFLICT (sequence) DO UPDATE SET state = excluded.state, resolved = 1
    WHERE state = 'unknown' OR resolved
"""

Target: TypeAlias = tuple[str, str | None, str, str]
"""Base URL, workspace, name of the request class, method: shared by many requests."""


class IntentRow(NamedTuple):
    """A request that is about to be sent."""

    key: bytes
    target: Target
    path: str
    run_test_id: str | None
    body: bytes | None
    sent_at: float


class OutcomeRow(NamedTuple):
    """The outcome of a request: the columns of `_REPLACE_OUTCOMES` after the first."""

    state: str
    attempts: int
    elapsed: float
    reconciled: bool = False
    request_id: str | None = None
    delivery: str | None = None
    error_class: str | None = None
    error: str | None = None
    response: bytes | None = None


class Store:
    """The rows of a journal, through the only connection that may write them.

    What a method writes is on disk once the transaction around it is committed. Many
    rows go into one statement: between two statements a busy event loop may keep this
    thread waiting for the GIL.
    """

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self._path = path
        self._database = connection.cursor()
        (last,) = self._database.execute("SELECT max(sequence) FROM entries").fetchone()
        self._last: int = last or 0
        self._last_before_open = self._last
        self._targets: dict[Target, int] = {}
        # Sequences of the entries that await an outcome; others are read when needed.
        self._open: dict[bytes, int] = {}
        self._last_body: dict[int, tuple[bytes | None, int | None]] = {}

    def record_intent(self, intents: Sequence[IntentRow]) -> list[JournalEntry | None]:
        """Write that requests are about to be sent; return the entries they had before.

        An entry that failed becomes in flight again; it is returned as it was before.
        """
        known = {entry.key: entry for entry in self._find(intents)}
        self._execute(
            _INSERT_INTENTS,
            [self._row(intent) for intent in intents if intent.key not in known],
        )
        for intent in intents:
            if entry := known.get(intent.key):
                self._resume(entry, intent)
        return [known.get(intent.key) for intent in intents]

    def record_outcome(self, outcomes: Sequence[tuple[bytes, OutcomeRow]]) -> list[Any]:
        """Write outcomes; return an error for each whose request awaits none."""
        results: list[Any] = []
        rows = []
        for key, outcome in outcomes:
            try:
                rows.append((self._close(key), *outcome))
                results.append(None)
            except JournalError as error:
                results.append(error)
        self._execute(_REPLACE_OUTCOMES, rows)
        return results

    def resolve(self, key: bytes, state: JournalState) -> None:
        """Write what a person decided.

        Raises:
            JournalError: there is no such request, or its response has decided it.
        """
        if not self._database.execute(_RESOLVE, (state.value, key)).rowcount:
            raise self._not_open(find(self._database, key))

    def history(self, queries: Sequence[tuple[str, bool]]) -> list[list[JournalEntry]]:
        """Return the entries of run tests, oldest first.

        A query is the id of a run test, and whether to return only the entries from
        before the journal was opened.
        """
        return [
            self._entries(id_, self._last_before_open if earlier_only else self._last)
            for id_, earlier_only in queries
        ]

    def _entries(self, run_test_id: str, last: int) -> list[JournalEntry]:
        if not last:
            return []
        # Created on demand: most batches of single requests never need it.
        self._database.execute(_RUN_TEST_INDEX)
        rows = self._database.execute(_OF_RUN_TEST, (run_test_id, last))
        return [to_entry(row) for row in rows]

    def _row(self, intent: IntentRow) -> tuple[Any, ...]:
        key, target, path, run_test_id, body, sent_at = intent
        self._last = self._open[key] = sequence = self._last + 1
        number = self._targets.get(target) or self._target(target)
        source = None
        if body is not None:
            last_body, last_source = self._last_body.get(number, (None, None))
            if body == last_body:
                body, source = None, last_source
            else:
                self._last_body[number] = body, sequence
        return sequence, key, number, path, run_test_id, body, source, sent_at

    def _target(self, target: Target) -> int:
        known = self._database.execute(
            "SELECT base_url, workspace_id, endpoint, method, target FROM targets"
        )
        self._targets = {row[:-1]: row[-1] for row in known}
        if target not in self._targets:
            number = self._targets[target] = len(self._targets) + 1
            self._database.execute(
                "INSERT INTO targets VALUES (?, ?, ?, ?, ?)", (number, *target)
            )
        return self._targets[target]

    def _find(self, intents: Sequence[IntentRow]) -> Iterator[JournalEntry]:
        for keys in _chunks([intent.key for intent in intents]):
            statement = _expand_placeholders(_BY_KEY, len(keys), 0)
            yield from map(to_entry, self._database.execute(statement, keys))

    def _resume(self, entry: JournalEntry, intent: IntentRow) -> None:
        if entry.is_done:
            return
        self._open[entry.key] = entry.sequence
        if entry.state is JournalState.FAILED:
            self._database.execute(
                "DELETE FROM outcomes WHERE sequence = ?", (entry.sequence,)
            )
            self._database.execute(
                "UPDATE entries SET sent_at = ? WHERE sequence = ?",
                (intent.sent_at, entry.sequence),
            )

    def _close(self, key: bytes) -> int:
        sequence = self._open.pop(key, None)
        if sequence is None:
            entry = find(self._database, key)
            if entry is None or not entry.is_unknown:
                raise self._not_open(entry)
            sequence = entry.sequence
        return sequence

    def _not_open(self, entry: JournalEntry | None) -> JournalError:
        problem = f"is {entry.state.value} already" if entry else "is not in it"
        return JournalError(
            f"journal {self._path}: nothing can be written to a request that {problem}"
        )

    def _execute(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        for chunk in _chunks(rows):
            self._database.execute(
                _expand_placeholders(statement, len(chunk), len(chunk[0])),
                tuple(itertools.chain.from_iterable(chunk)),
            )


def _chunks(items: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), ROWS_PER_STATEMENT):
        yield items[start : start + ROWS_PER_STATEMENT]


@functools.cache
def _expand_placeholders(statement: str, rows: int, columns: int) -> str:
    """Insert placeholders for rows, or for single values if there are no columns."""
    row = f"({', '.join('?' * columns)})" if columns else "?"
    return statement.format(rows=", ".join([row] * rows))


def find(
    database: sqlite3.Connection | sqlite3.Cursor, key: bytes
) -> JournalEntry | None:
    """Return the entry with a key, if there is one."""
    row = database.execute(_expand_placeholders(_BY_KEY, 1, 0), (key,)).fetchone()
    return None if row is None else to_entry(row)


def to_entry(row: Any) -> JournalEntry:
    """Build the entry of a row that `ENTRIES` selects."""
    entry = dict(zip(_FIELDS, row, strict=True))
    entry["state"] = JournalState(entry["state"])
    if entry["delivery"] is not None:
        entry["delivery"] = Delivery(entry["delivery"])
    for name in ("reconciled", "resolved"):
        entry[name] = bool(entry[name])
    return JournalEntry(**entry)


_FIELDS = tuple(field.name for field in attrs.fields(JournalEntry))


def outcome_row(outcome: Outcome[Any]) -> OutcomeRow:
    """Return the row of an outcome; one that was not attempted counts as failed."""
    if isinstance(outcome, Success):
        return OutcomeRow(
            JournalState.DONE.value,
            outcome.attempts,
            outcome.elapsed,
            reconciled=outcome.result.reconciled,
            request_id=_escape_surrogates(outcome.result.request_id),
            response=outcome.result.body,
        )
    error = outcome.error
    unknown = error.delivery is Delivery.UNKNOWN
    state = JournalState.UNKNOWN if unknown else JournalState.FAILED
    return OutcomeRow(
        state.value,
        outcome.attempts,
        outcome.elapsed,
        request_id=_escape_surrogates(getattr(error, "request_id", None)),
        delivery=error.delivery.value,
        error_class=type(error).__name__,
        error=_escape_surrogates(str(error)),
    )


def _escape_surrogates(text: str | None) -> str | None:
    """Escape lone surrogates, which a service may send and SQLite does not take."""
    if text is None or text.isascii():
        return text
    return text.encode(errors="backslashreplace").decode()
