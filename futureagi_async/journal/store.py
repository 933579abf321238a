"""The rows of a journal: what is written when, and how it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import attrs

from futureagi_async import codec
from futureagi_async.errors import Delivery, JournalError
from futureagi_async.journal.entries import JournalEntry, State
from futureagi_async.outcomes import Success


if TYPE_CHECKING:
    import sqlite3

    from futureagi_async.outcomes import Outcome


ENTRIES = """
    SELECT entry.sequence, entry.identity, base_url, workspace_id, endpoint, method,
        entry.path, entry.run_test_id, coalesce(entry.body, source.body), entry.state,
        entry.attempts, entry.elapsed, entry.sent_at, entry.answer, entry.request_id,
        entry.settled, entry.error, entry.error_class, entry.delivery, entry.resolved,
        entry.read_before
    FROM entries AS entry
    JOIN targets USING (target)
    LEFT JOIN entries AS source ON source.sequence = entry.body_of
"""

_FIND = f"{ENTRIES} WHERE entry.identity = ?"

_INTEND = """
    INSERT INTO entries (
        identity, target, path, run_test_id, body, body_of, state, sent_at, read_before
    )
    VALUES (?, ?, ?, ?, ?, ?, 'sent', ?, ?)
    ON CONFLICT (identity) DO NOTHING
"""

_SEND_AGAIN = """
    UPDATE entries SET
        state = 'sent', sent_at = ?, read_before = ?, attempts = 0, elapsed = 0,
        resolved = 0, request_id = NULL, delivery = NULL, error_class = NULL,
        error = NULL
    WHERE identity = ? AND state = 'failed'
"""

_RESEND = """
    UPDATE entries SET state = 'sent', sent_at = ?
    WHERE identity = ? AND state IN ('sent', 'unknown')
"""

_FINISH = """
    UPDATE entries SET
        state = ?, attempts = ?, elapsed = ?, settled = ?, request_id = ?,
        delivery = ?, error_class = ?, error = ?, creates = ?, answer = ?
    WHERE identity = ? AND state IN ('sent', 'unknown')
"""

_RESOLVE = """
    UPDATE entries SET state = ?, resolved = 1
    WHERE identity = ? AND (state IN ('sent', 'unknown') OR resolved)
"""

Ending: TypeAlias = tuple[
    str, int, float, bool, str | None, str | None, str | None, str | None, bool, Any
]


Target: TypeAlias = tuple[str, str | None, str, str]
"""Base URL, workspace, name of the request class, method: what many requests share."""


class Intent(NamedTuple):
    """A request that is about to leave."""

    identity: bytes
    target: Target
    path: str
    run_test_id: str | None
    body: bytes | None
    sent_at: float
    read_before: bool


_NO_BODY: tuple[bytes | None, int | None] = (None, None)


class Store:
    """The rows, through a connection that may write them.

    What is called here is on disk when the transaction around it is committed.
    """

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self._path = path
        self._cursor = connection.cursor()
        self._targets: dict[Target, int] = {}
        self._last_body: dict[int, tuple[bytes | None, int | None]] = {}

    def intend(self, intent: Intent) -> JournalEntry | None:
        """Write that a request is about to leave, or give what is known of it.

        One that failed is set back, since it is about to leave once more; it is given
        as it was before.
        """
        identity, target, path, run_test_id, body, sent_at, read_before = intent
        number = self._targets.get(target) or self._target(target)
        last_body, source = self._last_body.get(number, _NO_BODY)
        is_repeated = body is not None and body == last_body
        written = self._cursor.execute(
            _INTEND,
            (
                identity,
                number,
                path,
                run_test_id,
                None if is_repeated else body,
                source if is_repeated else None,
                sent_at,
                read_before,
            ),
        )
        if written.rowcount:
            if body is not None and not is_repeated:
                self._last_body[number] = body, written.lastrowid
            return None
        earlier = find(self._cursor, identity)
        self._cursor.execute(_SEND_AGAIN, (sent_at, read_before, identity))
        return earlier

    def resend(self, identity: bytes, sent_at: float) -> None:
        """Write that a request in doubt was found not done, and leaves once more.

        Raises:
            JournalError: there is no such request.

        """
        self._cursor.execute(_RESEND, (sent_at, identity))
        self._refuse_unchanged(identity)

    def finish(self, identity: bytes, ending: Ending) -> None:
        """Write what became of a request.

        Raises:
            JournalError: there is no such request, or its end is written already.

        """
        self._cursor.execute(_FINISH, (*ending, identity))
        self._refuse_unchanged(identity)

    def resolve(self, identity: bytes, state: State) -> None:
        """Write what a person decided.

        Raises:
            JournalError: there is no such request, or an answer has decided it.

        """
        self._cursor.execute(_RESOLVE, (state.value, identity))
        self._refuse_unchanged(identity)

    def created_ids(self, run_test_id: str) -> frozenset[str]:
        """Give the ids of the eval configs that answers say were created."""
        answers = self._cursor.execute(
            "SELECT answer FROM entries WHERE creates AND run_test_id = ?",
            (run_test_id,),
        )
        return frozenset(
            each for (answer,) in answers for each in _created(codec.decode(answer))
        )

    def _target(self, target: Target) -> int:
        columns = "base_url, workspace_id, endpoint, method"
        known = self._cursor.execute(f"SELECT {columns}, target FROM targets")  # noqa: S608 - constant
        self._targets = {tuple(row[:-1]): row[-1] for row in known}
        if target not in self._targets:
            added = self._cursor.execute(
                f"INSERT INTO targets ({columns}) VALUES (?, ?, ?, ?)",  # noqa: S608 - constant
                target,
            )
            self._targets[target] = added.lastrowid or 0
        return self._targets[target]

    def _refuse_unchanged(self, identity: bytes) -> None:
        if self._cursor.rowcount:
            return
        entry = find(self._cursor, identity)
        found = f"it is {entry.state.value} already" if entry else "it is not in there"
        raise JournalError(
            f"journal {self._path}: no open request to write to: {found}"
        )


def find(
    database: sqlite3.Connection | sqlite3.Cursor, identity: bytes
) -> JournalEntry | None:
    """Give the entry of that identity, if there is one."""
    row = database.execute(_FIND, (identity,)).fetchone()
    return None if row is None else entry_of(row)


def entry_of(row: Any) -> JournalEntry:
    """Make an entry of a row that `ENTRIES` selects."""
    entry = dict(zip(_FIELDS, row, strict=True))
    entry["state"] = State(entry["state"])
    if entry["delivery"] is not None:
        entry["delivery"] = Delivery(entry["delivery"])
    for name in ("settled", "resolved", "read_before"):
        entry[name] = bool(entry[name])
    return JournalEntry(**entry)


_FIELDS = tuple(each.name for each in attrs.fields(JournalEntry))


def ending(outcome: Outcome[Any], *, settled: bool) -> Ending:
    """Give what is written of an outcome."""
    if isinstance(outcome, Success):
        result = outcome.result
        return (
            State.DONE.value,
            outcome.attempts,
            outcome.elapsed,
            settled,
            result.request_id,
            None,
            None,
            None,
            not settled and bool(_created(result.raw)),
            codec.encode(result.raw),
        )
    error = outcome.error
    unknown = error.delivery is Delivery.UNKNOWN
    return (
        State.UNKNOWN.value if unknown else State.FAILED.value,
        outcome.attempts,
        outcome.elapsed,
        False,
        getattr(error, "request_id", None),
        error.delivery.value,
        type(error).__name__,
        # What a server said may hold half a character, which no file takes.
        str(error).encode("utf-8", "backslashreplace").decode(),
        False,
        None,
    )


def _created(answer: Any) -> list[str]:
    configs = answer.get("created_eval_configs")
    if not isinstance(configs, list):
        return []
    return [
        each["id"].lower()
        for each in configs
        if isinstance(each, dict) and isinstance(each.get("id"), str)
    ]
