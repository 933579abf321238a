"""The rows of a journal: what is written when, and how it is read."""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import attrs

from futureagi_async.errors import Delivery, JournalError
from futureagi_async.journal.entry import JournalEntry, JournalState
from futureagi_async.model import codec
from futureagi_async.model.outcome import Success


if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from futureagi_async.model.outcome import Outcome


AT_A_TIME = 64
"""Rows of one statement. Oldest SQLite takes 999 values in one."""

ENTRIES = """
    SELECT entry.sequence, entry.identity, base_url, workspace_id, endpoint, method,
        entry.path, entry.run_test_id, coalesce(entry.body, source.body),
        coalesce(state, 'in_flight'), coalesce(attempts, 0), coalesce(elapsed, 0.0),
        entry.sent_at, answer, request_id, coalesce(reconciled, 0), error, error_class,
        delivery, coalesce(resolved, 0), entry.read_before
    FROM entries AS entry
    JOIN targets USING (target)
    LEFT JOIN endings ON endings.sequence = entry.sequence
    LEFT JOIN entries AS source ON source.sequence = entry.body_of
"""

_FIND = f"{ENTRIES} WHERE entry.identity IN ({{rows}})"

_EARLIER = f"""
    {ENTRIES} WHERE entry.run_test_id = ? AND entry.sequence <= ?
    ORDER BY entry.sequence
"""

_RUN_TESTS = """
    CREATE INDEX IF NOT EXISTS run_tests ON entries (run_test_id)
    WHERE run_test_id IS NOT NULL
"""

_INTEND = """
    INSERT INTO entries (
        sequence, identity, target, path, run_test_id, body, body_of, sent_at,
        read_before
    )
    VALUES {rows}
"""

_FINISH = """
    INSERT INTO endings (
        sequence, state, attempts, elapsed, reconciled, request_id, delivery, error_class,
        error, created_for, answer
    )
    VALUES {rows}
    ON CONFLICT (sequence) DO UPDATE SET
        state = excluded.state, attempts = excluded.attempts,
        elapsed = excluded.elapsed, reconciled = excluded.reconciled,
        request_id = excluded.request_id, delivery = excluded.delivery,
        error_class = excluded.error_class, error = excluded.error,
        created_for = excluded.created_for, answer = excluded.answer
"""

_RESOLVE = """
    INSERT INTO endings (sequence, state, resolved)
    SELECT sequence, ?, 1 FROM entries WHERE identity = ?
    ON CONFLICT (sequence) DO UPDATE SET state = excluded.state, resolved = 1
    WHERE state = 'unknown' OR resolved
"""

Target: TypeAlias = tuple[str, str | None, str, str]
"""Base URL, workspace, name of the request class, method: what many requests share."""

Ending: TypeAlias = tuple[Any, ...]
"""What `_FINISH` writes of an outcome, after the sequence."""


class Intent(NamedTuple):
    """A request that is about to leave."""

    identity: bytes
    target: Target
    path: str
    run_test_id: str | None
    body: bytes | None
    sent_at: float
    read_before: bool


class Store:
    """The rows, through the one connection that may write them.

    What is called here is on disk when the transaction around it is committed. Many
    rows go into one statement: between two statements a busy event loop may keep this
    thread waiting.
    """

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self._path = path
        self._database = connection.cursor()
        (last,) = self._database.execute("SELECT max(sequence) FROM entries").fetchone()
        self._last: int = last or 0
        self._earlier = self._last
        self._targets: dict[Target, int] = {}
        # Where the entries are that are about to get an ending; others are looked up.
        self._open: dict[bytes, int] = {}
        self._last_body: dict[int, tuple[bytes | None, int | None]] = {}

    def intend(self, intents: Sequence[Intent]) -> list[JournalEntry | None]:
        """Write which requests are about to leave, or give what is known of them.

        One that failed is set back, since it is about to leave once more; it is given
        as it was before.
        """
        earlier = {each.identity: each for each in self._find(intents)}
        rows = [self._row(each) for each in intents if each.identity not in earlier]
        self._execute(_INTEND, rows)
        for intent in intents if earlier else ():
            self._take_up(earlier.get(intent.identity), intent)
        return [earlier.get(each.identity) for each in intents]

    def finish(self, endings: Sequence[tuple[bytes, Ending]]) -> list[Any]:
        """Write what became of requests; those that are not open get an error."""
        answers: list[Any] = []
        rows = []
        for identity, ending in endings:
            try:
                rows.append((self._open_sequence(identity), *ending))
            except JournalError as error:
                answers.append(error)
            else:
                answers.append(None)
                del self._open[identity]
        self._execute(_FINISH, rows)
        return answers

    def resolve(self, identity: bytes, state: JournalState) -> None:
        """Write what a person decided.

        Raises:
            JournalError: there is no such request, or an answer has decided it.

        """
        if not self._database.execute(_RESOLVE, (state.value, identity)).rowcount:
            raise self._not_open(identity)

    def note_absent(self, identities: Sequence[tuple[bytes]]) -> list[None]:
        """Write that nothing of these requests was there before they were sent."""
        self._database.executemany(
            "UPDATE entries SET read_before = 1 WHERE identity = ?", identities
        )
        return [None] * len(identities)

    def is_alone(self, intents: Sequence[tuple[bytes, str]]) -> list[bool]:
        """Tell of each identity whether no other request has its path."""
        query = "SELECT 1 FROM entries WHERE path = ? AND identity <> ? LIMIT 1"
        return [
            self._database.execute(query, (path, identity)).fetchone() is None
            for identity, path in intents
        ]

    def created_ids(self, run_tests: Sequence[tuple[str]]) -> list[frozenset[str]]:
        """Give the ids of the eval configs that answers say were created."""
        query = "SELECT answer FROM endings WHERE created_for = ?"
        return [
            frozenset(
                each
                for (answer,) in self._database.execute(query, run_test)
                for each in _created(codec.decode(answer))
            )
            for run_test in run_tests
        ]

    def earlier(self, run_tests: Sequence[tuple[str]]) -> list[list[JournalEntry]]:
        """Give what was in the journal about each run test when it was opened."""
        if not self._earlier:
            return [[] for _ in run_tests]
        # Made when it is first wanted: fan-outs of single requests can do without.
        self._database.execute(_RUN_TESTS)
        return [
            list(
                map(
                    entry_of,
                    self._database.execute(_EARLIER, (run_test_id, self._earlier)),
                )
            )
            for (run_test_id,) in run_tests
        ]

    def history(self, run_tests: Sequence[tuple[str]]) -> list[list[JournalEntry]]:
        """Return all entries for each run test, oldest first."""
        self._database.execute(_RUN_TESTS)
        return [
            list(
                map(
                    entry_of,
                    self._database.execute(_EARLIER, (run_test_id, self._last)),
                )
            )
            for (run_test_id,) in run_tests
        ]

    def _row(self, intent: Intent) -> tuple[Any, ...]:
        identity, target, path, run_test_id, body, sent_at, read_before = intent
        self._last = self._open[identity] = sequence = self._last + 1
        number = self._targets.get(target) or self._target(target)
        source = None
        if body is not None:
            last_body, last_source = self._last_body.get(number, (None, None))
            if body == last_body:
                body, source = None, last_source
            else:
                self._last_body[number] = body, sequence
        return (
            sequence,
            identity,
            number,
            path,
            run_test_id,
            body,
            source,
            sent_at,
            read_before,
        )

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

    def _find(self, intents: Sequence[Intent]) -> Iterator[JournalEntry]:
        for some in _portions([each.identity for each in intents]):
            rows = self._database.execute(_statement(_FIND, len(some), 0), some)
            yield from map(entry_of, rows)

    def _take_up(self, entry: JournalEntry | None, intent: Intent) -> None:
        """Go on with an entry of an earlier time."""
        if entry is None or entry.state is JournalState.DONE:
            return
        self._open[entry.identity] = entry.sequence
        if entry.state is JournalState.FAILED:
            self._reopen(entry.sequence, intent.sent_at)
            self._database.execute(
                "UPDATE entries SET read_before = ? WHERE sequence = ?",
                (intent.read_before, entry.sequence),
            )

    def _reopen(self, sequence: int, sent_at: float) -> None:
        self._database.execute("DELETE FROM endings WHERE sequence = ?", (sequence,))
        self._database.execute(
            "UPDATE entries SET sent_at = ? WHERE sequence = ?", (sent_at, sequence)
        )

    def _open_sequence(self, identity: bytes) -> int:
        if identity not in self._open:
            entry = find(self._database, identity)
            if entry is None or entry.state not in {
                JournalState.IN_FLIGHT,
                JournalState.UNKNOWN,
            }:
                raise self._not_open(identity)
            self._open[identity] = entry.sequence
        return self._open[identity]

    def _not_open(self, identity: bytes) -> JournalError:
        entry = find(self._database, identity)
        found = f"is {entry.state.value} already" if entry else "is not in there"
        return JournalError(
            f"journal {self._path}: nothing can be written to a request that {found}"
        )

    def _execute(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        for some in _portions(rows):
            self._database.execute(
                _statement(statement, len(some), len(some[0])),
                tuple(itertools.chain.from_iterable(some)),
            )


def _portions(items: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), AT_A_TIME):
        yield items[start : start + AT_A_TIME]


@functools.cache
def _statement(statement: str, rows: int, columns: int) -> str:
    """Write out a statement for so many rows, or values if a row is but one."""
    row = f"({', '.join('?' * columns)})" if columns else "?"
    return statement.format(rows=", ".join([row] * rows))


def find(
    database: sqlite3.Connection | sqlite3.Cursor, identity: bytes
) -> JournalEntry | None:
    """Give the entry of that identity, if there is one."""
    row = database.execute(_statement(_FIND, 1, 0), (identity,)).fetchone()
    return None if row is None else entry_of(row)


def entry_of(row: Any) -> JournalEntry:
    """Make an entry of a row that `ENTRIES` selects."""
    entry = dict(zip(_FIELDS, row, strict=True))
    entry["state"] = JournalState(entry["state"])
    if entry["delivery"] is not None:
        entry["delivery"] = Delivery(entry["delivery"])
    for name in ("reconciled", "resolved", "read_before"):
        entry[name] = bool(entry[name])
    return JournalEntry(**entry)


_CREATED = b'"created_eval_configs"'
_FIELDS = tuple(each.name for each in attrs.fields(JournalEntry))


def ending(outcome: Outcome[Any], *, reconciled: bool) -> Ending:
    """Give what is written of an outcome."""
    if isinstance(outcome, Success):
        result = outcome.result
        body = result.body
        by_answer = not reconciled and _tells_of_created(body)
        return (
            JournalState.DONE.value,
            outcome.attempts,
            outcome.elapsed,
            reconciled,
            _writable(result.request_id),
            None,
            None,
            None,
            outcome.run_test_id if by_answer else None,
            body,
        )
    error = outcome.error
    unknown = error.delivery is Delivery.UNKNOWN
    return (
        JournalState.UNKNOWN.value if unknown else JournalState.FAILED.value,
        outcome.attempts,
        outcome.elapsed,
        False,
        _writable(getattr(error, "request_id", None)),
        error.delivery.value,
        type(error).__name__,
        _writable(str(error)),
        None,
        None,
    )


def _writable(text: str | None) -> str | None:
    """Write out half characters, which a server may send and no file takes."""
    if text is None or text.isascii():
        return text
    return text.encode(errors="backslashreplace").decode()


def _tells_of_created(answer: bytes) -> bool:
    return _CREATED in answer and bool(_created(codec.decode(answer)))


def _created(answer: Any) -> list[str]:
    configs = answer.get("created_eval_configs")
    if not isinstance(configs, list):
        return []
    return [
        each["id"].lower()
        for each in configs
        if isinstance(each, dict) and isinstance(each.get("id"), str)
    ]
