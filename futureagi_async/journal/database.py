"""The SQLite file of a journal, opened for its one writer or for readers."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

from futureagi_async.errors import JournalError
from futureagi_async.model.validation import describe_type


if TYPE_CHECKING:
    from collections.abc import Iterator


APPLICATION_ID = 0x46414749
"""The bytes FAGI: marks the SQLite file as a journal."""

VERSION = 2
"""The version of the tables below."""

_BUSY_TIMEOUT = 10.0
"""Seconds to wait while another program has the file locked."""

_CHECKPOINT = 4000
"""Pages that may gather in the WAL: moving them into the file blocks the writer."""

_TABLES = (
    """
    CREATE TABLE targets (
        target INTEGER PRIMARY KEY,
        base_url TEXT NOT NULL,
        workspace_id TEXT,
        endpoint TEXT NOT NULL,
        method TEXT NOT NULL
    )
    """,
    # Requests of a batch often share one body: `body_of` is the entry that has it.
    """
    CREATE TABLE entries (
        sequence INTEGER PRIMARY KEY,
        key BLOB NOT NULL UNIQUE,
        target INTEGER NOT NULL,
        path TEXT NOT NULL,
        run_test_id TEXT,
        body BLOB,
        body_of INTEGER,
        sent_at REAL NOT NULL
    )
    """,
    # An entry without an outcome is in flight, or its process died meanwhile.
    """
    CREATE TABLE outcomes (
        sequence INTEGER PRIMARY KEY,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        elapsed REAL NOT NULL DEFAULT 0,
        reconciled INTEGER NOT NULL DEFAULT 0,
        resolved INTEGER NOT NULL DEFAULT 0,
        request_id TEXT,
        delivery TEXT,
        error_class TEXT,
        error TEXT,
        response BLOB
    )
    """,
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)


class JournalFile:
    """An open journal file, locked for its only writer."""

    def __init__(
        self, path: str, connection: sqlite3.Connection, lock: sqlite3.Connection
    ) -> None:
        self.path = path
        self.connection = connection
        self._lock = lock

    @classmethod
    def open(cls, path: str) -> JournalFile:
        """Lock the journal and open it, creating it first if it does not exist.

        Raises:
            JournalError: another writer has it locked, or it is no journal that can be
                written.
        """
        _reject_missing_directory(path)
        with sqlite_errors(path), contextlib.ExitStack() as undo:
            _reject_foreign_file(path)
            lock = _acquire_lock_file(path)
            undo.callback(lock.close)
            _create_file(path)
            connection = _connect(path, "rw")
            undo.callback(connection.close)
            _prepare(connection, path)
            undo.pop_all()
        return cls(path, connection, lock)

    def close(self) -> None:
        """Move the WAL into the file and release the lock."""
        # A reader may prevent the move; nothing is lost by that.
        with contextlib.suppress(sqlite3.Error):
            self.connection.close()
        self._lock.close()


def open_to_read(path: str) -> sqlite3.Connection:
    """Open a journal for reading, beside its writer if there is one.

    Raises:
        JournalError: it is no journal, or cannot be read.
    """
    if not pathlib.Path(path).exists():
        raise JournalError(f"there is no journal {path}")
    with sqlite_errors(path), contextlib.ExitStack() as undo:
        _reject_foreign_file(path)
        # Opened for writing, so that the last to close removes the files beside it.
        connection = _connect(path, "rw")
        undo.callback(connection.close)
        connection.execute("PRAGMA query_only = ON")
        if _is_new(connection, path):
            raise JournalError(f"journal {path}: it is empty")
        undo.pop_all()
    return connection


def resolve_path(path: Any) -> str:
    """Return the absolute path, valid whatever directory the process changes to.

    Raises:
        JournalError: it is no path.
    """
    try:
        return os.path.realpath(os.fsdecode(path))
    except TypeError:
        raise JournalError(
            f"journal: the path of a file is expected, not {describe_type(path)}"
        ) from None
    except ValueError as error:
        raise JournalError(f"journal: {path!r} is no path: {error}") from None


def forked_journal_error(path: str) -> JournalError:
    """Return the error of a child process that uses its parent's journal."""
    return JournalError(
        f"journal {path}: it was opened by the process that this one was forked from; "
        "open it again in this process"
    )


@contextlib.contextmanager
def sqlite_errors(path: str) -> Iterator[None]:
    """Turn the errors of SQLite and of the system into `JournalError`."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise to_journal_error(error, path) from error


def to_journal_error(error: Exception, path: str) -> JournalError:
    """Return the error that states what happened to a journal and what to do."""
    if isinstance(error, JournalError):
        return error
    advice = _ADVICE.get(_primary_code(error))
    if advice is None and isinstance(error, OSError):
        advice = _ADVICE[sqlite3.SQLITE_CANTOPEN]
    if advice is None and isinstance(error, sqlite3.ProgrammingError):
        advice = "it is closed, or was opened by another thread"
    detail = error.strerror if isinstance(error, OSError) else str(error)
    return JournalError(f"journal {path}: {advice or type(error).__name__} ({detail})")


def _primary_code(error: Exception) -> int:
    code: int = getattr(error, "sqlite_errorcode", -1)
    return code & 0xFF


_ADVICE = {
    sqlite3.SQLITE_NOTADB: "this file is no journal; use another path",
    sqlite3.SQLITE_FULL: "the disk is full; make room and start again",
    sqlite3.SQLITE_IOERR: "the disk is full or failing; repair that and start again",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_BUSY: "another program keeps it locked; close that and start again",
    sqlite3.SQLITE_READONLY: "the file may not be written; check its permissions",
    sqlite3.SQLITE_CANTOPEN: (
        "the file cannot be opened or created; check its name and the permissions of "
        "its directory"
    ),
}


def _reject_missing_directory(path: str) -> None:
    directory = pathlib.Path(path).parent
    if pathlib.Path(path).is_dir():
        raise JournalError(f"journal {path}: this is a directory; name a file in it")
    if not directory.is_dir():
        raise JournalError(f"journal {path}: there is no directory {directory}")


def _connect(
    path: str, mode: str, *, timeout: float = _BUSY_TIMEOUT
) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{pathlib.Path(path).as_uri()}?mode={mode}",
        uri=True,
        timeout=timeout,
        isolation_level=None,
    )


def _reject_foreign_file(path: str) -> None:
    """Reject a file that is no journal before anything is locked or created beside it.

    This reads the file without its WAL; `_prepare` checks again under the lock.
    """
    try:
        with contextlib.closing(_connect(path, "ro&immutable=1")) as connection:
            _is_new(connection, path)
    except sqlite3.DatabaseError as error:
        if _primary_code(error) == sqlite3.SQLITE_NOTADB:
            raise


def _is_new(connection: sqlite3.Connection, path: str) -> bool:
    """Return whether the file is empty; raise unless it is empty or a journal."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id == APPLICATION_ID:
        if version == VERSION:
            return False
        raise JournalError(
            f"journal {path}: it has version {version}, and this futureagi_async "
            f"reads version {VERSION}; use the release that wrote it, or a new path"
        )
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id or version or tables:
        raise JournalError(
            f"journal {path}: this is another program's SQLite file; use another path"
        )
    return True


def _acquire_lock_file(path: str) -> sqlite3.Connection:
    """Lock a file beside the journal, until it is closed or the process dies."""
    lock_path = f"{path}.lock"
    _create_file(lock_path)
    with contextlib.ExitStack() as undo:
        lock = _connect(lock_path, "rw", timeout=0)
        undo.callback(lock.close)
        try:
            lock.execute("PRAGMA journal_mode = MEMORY")
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            if _primary_code(error) != sqlite3.SQLITE_BUSY:
                raise to_journal_error(error, lock_path) from error
            raise JournalError(
                f"journal {path}: it is being written already, by another process or by "
                "another batch of this one; wait for that, or use another path"
            ) from None
        undo.pop_all()
    return lock


_creating = threading.Lock()


def _create_file(path: str) -> None:
    """Create an empty file that only its owner may read, unless it exists."""
    # Closing a file drops every lock that the process has on it. No other thread can
    # have locked a new file, as all of them come here first.
    with _creating, contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    # Tables first, WAL second: then the file itself always identifies it as a journal.
    connection.execute("BEGIN IMMEDIATE")
    if _is_new(connection, path):
        for statement in _TABLES:
            connection.execute(statement)
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
