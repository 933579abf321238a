"""The file of a journal, opened for its one writer or for readers."""

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
"""Tells a journal from other SQLite files; it reads FAGI."""

VERSION = 1
"""The version of the tables below."""

_PATIENCE = 10.0
"""Seconds to wait for another program that has locked the file."""

_CHECKPOINT = 4000
"""Pages that may gather beside the file; moving them into it makes the writers wait."""

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
    # Requests of a fan-out often share one body: `body_of` is the entry that has it.
    """
    CREATE TABLE entries (
        sequence INTEGER PRIMARY KEY,
        identity BLOB NOT NULL UNIQUE,
        target INTEGER NOT NULL,
        path TEXT NOT NULL,
        run_test_id TEXT,
        body BLOB,
        body_of INTEGER,
        sent_at REAL NOT NULL,
        read_before INTEGER NOT NULL
    )
    """,
    # An entry without an ending is in flight, or its process died meanwhile.
    """
    CREATE TABLE endings (
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
        created_for TEXT,
        answer BLOB
    )
    """,
    "CREATE INDEX creators ON endings (created_for) WHERE created_for IS NOT NULL",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)


class JournalFile:
    """The open file of a journal, held by the one writer that there may be."""

    def __init__(
        self, path: str, connection: sqlite3.Connection, lock: sqlite3.Connection
    ) -> None:
        self.path = path
        self.connection = connection
        self._lock = lock

    @classmethod
    def open(cls, path: str) -> JournalFile:
        """Take the lock; open the journal, and make it first if there is none.

        Raises:
            JournalError: another writer holds it, or it is no journal that can be
                written.

        """
        _refuse_missing_folder(path)
        with sqlite_errors(path), contextlib.ExitStack() as undo:
            _refuse_stranger(path)
            lock = _locked(path)
            undo.callback(lock.close)
            _make_file(path)
            connection = _connect(path, "rw")
            undo.callback(connection.close)
            _prepare(connection, path)
            undo.pop_all()
        return cls(path, connection, lock)

    def close(self) -> None:
        """Move what is written into the one file, and let the next writer in."""
        # A reader that looks on may hinder the first; nothing is lost by that.
        with contextlib.suppress(sqlite3.Error):
            self.connection.close()
        self._lock.close()


def open_to_read(path: str) -> sqlite3.Connection:
    """Open a journal to read from it, beside its writer if there is one.

    Raises:
        JournalError: it is no journal, or cannot be read.

    """
    if not pathlib.Path(path).exists():
        raise JournalError(f"there is no journal {path}")
    with sqlite_errors(path), contextlib.ExitStack() as undo:
        _refuse_stranger(path)
        # Opened to write, so that the last one to close tidies up the files beside it.
        connection = _connect(path, "rw")
        undo.callback(connection.close)
        connection.execute("PRAGMA query_only = ON")
        if _is_new(connection, path):
            raise JournalError(f"journal {path}: it is empty")
        undo.pop_all()
    return connection


def full_path(path: Any) -> str:
    """Bring a path into the form that stays right whatever the process does.

    Raises:
        JournalError: it is none.

    """
    try:
        return os.path.realpath(os.fsdecode(path))
    except TypeError:
        raise JournalError(
            f"journal: the path of a file is wanted, not {describe_type(path)}"
        ) from None
    except ValueError as error:
        raise JournalError(f"journal: {path!r} is no path: {error}") from None


def opened_by_parent(path: str) -> JournalError:
    """Make the error of a process that goes on with its parent's journal."""
    return JournalError(
        f"journal {path}: it was opened by the process that this one was forked from; "
        "a process opens its own"
    )


@contextlib.contextmanager
def sqlite_errors(path: str) -> Iterator[None]:
    """Say in the words of a journal what SQLite and the system complain about."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise explained(error, path) from error


def explained(error: Exception, path: str) -> JournalError:
    """Say what has happened to a journal, and what can be done about it."""
    advice = _ADVICE.get(_primary_code(error))
    if advice is None and isinstance(error, OSError):
        advice = _ADVICE[sqlite3.SQLITE_CANTOPEN]
    if advice is None and isinstance(error, sqlite3.ProgrammingError):
        advice = "it is closed, or was opened by another thread"
    said = error.strerror if isinstance(error, OSError) else str(error)
    return JournalError(f"journal {path}: {advice or type(error).__name__} ({said})")


def _primary_code(error: Exception) -> int:
    code: int = getattr(error, "sqlite_errorcode", -1)
    return code & 0xFF


_ADVICE = {
    sqlite3.SQLITE_NOTADB: "this file is no journal; give another path",
    sqlite3.SQLITE_FULL: "the disk is full; make room and start again",
    sqlite3.SQLITE_IOERR: "the disk is full or failing; see to it and start again",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_BUSY: "another program keeps it locked; close that and start again",
    sqlite3.SQLITE_READONLY: "the file may not be written; see to its permissions",
    sqlite3.SQLITE_CANTOPEN: (
        "the file cannot be opened, or not be made; see to its name and to the "
        "permissions of its folder"
    ),
}


def _refuse_missing_folder(path: str) -> None:
    folder = pathlib.Path(path).parent
    if pathlib.Path(path).is_dir():
        raise JournalError(f"journal {path}: this is a folder; name a file in it")
    if not folder.is_dir():
        raise JournalError(f"journal {path}: there is no folder {folder}")


def _connect(
    path: str, mode: str, *, patience: float = _PATIENCE
) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{pathlib.Path(path).as_uri()}?mode={mode}",
        uri=True,
        timeout=patience,
        isolation_level=None,
    )


def _refuse_stranger(path: str) -> None:
    """Turn away what is no journal, before anything is locked or made beside it.

    It looks at the one file only. What it cannot tell is told under the lock.
    """
    try:
        with contextlib.closing(_connect(path, "ro&immutable=1")) as connection:
            _is_new(connection, path)
    except sqlite3.DatabaseError as error:
        if _primary_code(error) == sqlite3.SQLITE_NOTADB:
            raise


def _is_new(connection: sqlite3.Connection, path: str) -> bool:
    """Tell an empty file from a journal, and refuse everything else."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id == APPLICATION_ID:
        if version == VERSION:
            return False
        raise JournalError(
            f"journal {path}: it is of version {version}, and this futureagi_async "
            f"reads version {VERSION}; use the release that wrote it, or a new path"
        )
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id or version or tables:
        raise JournalError(
            f"journal {path}: this is another program's SQLite file; give another path"
        )
    return True


def _locked(path: str) -> sqlite3.Connection:
    """Lock a file beside the journal, until it is let go of or the process dies."""
    beside = f"{path}.lock"
    _make_file(beside)
    with contextlib.ExitStack() as undo:
        lock = _connect(beside, "rw", patience=0)
        undo.callback(lock.close)
        try:
            lock.execute("PRAGMA journal_mode = MEMORY")
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            if _primary_code(error) != sqlite3.SQLITE_BUSY:
                raise explained(error, beside) from error
            raise JournalError(
                f"journal {path}: it is being written already, by another process or "
                "by another fan-out of this one; wait for that, or give another path"
            ) from None
        undo.pop_all()
    return lock


_making = threading.Lock()


def _make_file(path: str) -> None:
    """Make an empty file that only its owner may read, unless there is a file."""
    # Closing a file takes away every lock that the process has on it. Nobody else can
    # have locked a file that is new, as long as they come here first.
    with _making, contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    # Tables first, WAL second: then the file itself always says what it is.
    connection.execute("BEGIN IMMEDIATE")
    if _is_new(connection, path):
        for statement in _TABLES:
            connection.execute(statement)
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
