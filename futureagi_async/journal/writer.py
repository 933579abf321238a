"""The writer of a journal: a thread that commits what the event loop hands to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from futureagi_async.errors import JournalError
from futureagi_async.journal.database import (
    JournalFile,
    forked_journal_error,
    resolve_path,
    to_journal_error,
)
from futureagi_async.journal.store import IntentRow, Store, outcome_row


if TYPE_CHECKING:
    from futureagi_async.journal.entry import JournalEntry
    from futureagi_async.model.outcome import Outcome
    from futureagi_async.model.request import Request


StoreMethod: TypeAlias = Callable[[Store, list[Any]], Sequence[Any]]
"""A method of the store, from many arguments to as many results."""


class PendingWrite(NamedTuple):
    """A call of a store method that is to be part of the next transaction."""

    waiter: asyncio.Future[Any]
    method: StoreMethod
    argument: tuple[Any, ...]

    @property
    def subject(self) -> Any:
        """The key or id whose writes have to stay in order."""
        return self.argument[0]


Group: TypeAlias = dict[StoreMethod, list[PendingWrite]]
Results: TypeAlias = list[tuple["asyncio.Future[Any]", Any]]
WriteQueue: TypeAlias = "queue.SimpleQueue[list[PendingWrite] | None]"
"""Hands writes to the thread; `None` stops it."""


_JOIN_TIMEOUT = 10.0
"""Seconds to wait for a writer of this process that is closing the same journal."""

_closing: dict[threading.Thread, str] = {}
"""The journals of the threads that are closing, which a slow disk may delay."""


class JournalWriter:
    """The writer of one batch's journal, for the event loop that opened it.

    A method returns when what it wrote is on disk. Concurrent writes share one
    transaction. Cancelling a method does not take its write back.

    Every method raises `JournalError` when the disk fails, and from then on; when the
    journal is closed; and in a child that was forked from the process that opened it.
    """

    def __init__(self, path: str, wall_clock: Callable[[], float]) -> None:
        self.path = path
        self._wall_clock = wall_clock
        self._loop = asyncio.get_running_loop()
        self._pid = os.getpid()
        self._pending: list[PendingWrite] = []
        self._queue: WriteQueue = queue.SimpleQueue()
        self._is_closed = False
        self._stopped: asyncio.Future[None] = self._loop.create_future()
        opened = self._opened = self._loop.create_future()
        # The thread must not reference the writer, or it could never be collected.
        self._thread = threading.Thread(
            target=_work,
            args=(path, self._queue, self._loop, opened, self._stopped),
            kwargs={"predecessors": _closing_writers(path)},
            name="futureagi-journal",
            daemon=True,
        )
        weakref.finalize(self, self._queue.put, None).atexit = False

    @classmethod
    async def open(
        cls,
        path: str | os.PathLike[str],
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> JournalWriter:
        """Open a journal for writing; create it if it does not exist.

        This waits for a writer of this process that is closing the same journal, so
        that an interrupted batch can be started again at once.

        Raises:
            JournalError: another writer has it open, it is no journal of this version,
                or the system refuses.
        """
        writer = cls(resolve_path(path), wall_clock)
        writer._thread.start()
        try:
            result = await writer._opened
        except asyncio.CancelledError:
            # The thread may have locked the file by now, which the next writer needs.
            await writer.aclose()
            raise
        _unwrap(result)
        return writer

    async def record_intent(
        self,
        key: bytes,
        request: Request[Any],
        *,
        base_url: str,
        workspace_id: str | None,
    ) -> JournalEntry | None:
        """Write that a request is about to be sent; return the entry it had before.

        A returned entry that is done, in flight or unknown is unchanged on disk. One
        that failed is in flight again.
        """
        intent = IntentRow(
            key,
            (base_url, workspace_id, type(request).__name__, request.method),
            request.path,
            request.run_test_id,
            request.body,
            self._wall_clock(),
        )
        entry: JournalEntry | None = await self._write(Store.record_intent, intent)
        return entry

    async def record_outcome(self, key: bytes, outcome: Outcome[Any]) -> None:
        """Write the outcome of a request; one that was not attempted counts as failed."""
        await self._write(Store.record_outcome, (key, outcome_row(outcome)))

    def record_outcome_nowait(self, key: bytes, outcome: Outcome[Any]) -> None:
        """Have the outcome of a request written, by `aclose` at the latest.

        A task that is being cancelled may not wait for the disk.
        """
        self._enqueue(Store.record_outcome, (key, outcome_row(outcome)))

    async def history(
        self, run_test_id: str, *, earlier_only: bool = False
    ) -> list[JournalEntry]:
        """Return the entries of a run test, oldest first.

        Args:
            run_test_id: the run test.
            earlier_only: whether to leave out the entries that this writer added.
        """
        entries: list[JournalEntry]
        entries = await self._write(Store.history, (run_test_id, earlier_only))
        return entries

    async def aclose(self) -> None:
        """Write what is pending and release the journal; a second call does nothing.

        In a forked child it does nothing: the journal belongs to the parent.
        """
        if os.getpid() != self._pid:
            return
        if not self._is_closed:
            self._is_closed = True
            self._flush()
            _closing[self._thread] = self.path
            self._queue.put(None)
        await asyncio.shield(self._stopped)

    async def _write(self, method: StoreMethod, argument: tuple[Any, ...]) -> Any:
        return _unwrap(await self._enqueue(method, argument))

    def _enqueue(
        self, method: StoreMethod, argument: tuple[Any, ...]
    ) -> asyncio.Future[Any]:
        if os.getpid() != self._pid:
            raise forked_journal_error(self.path)
        if self._is_closed:
            raise JournalError(f"journal {self.path}: it is closed")
        if not self._pending:
            # Writes added in the same iteration of the loop go with it.
            self._loop.call_soon(self._flush)
        waiter = self._loop.create_future()
        self._pending.append(PendingWrite(waiter, method, argument))
        return waiter

    def _flush(self) -> None:
        if self._pending:
            self._queue.put(self._pending)
            self._pending = []


def _closing_writers(path: str) -> list[threading.Thread]:
    """Return the threads that may still have a journal open; forget those that ended."""
    for thread in tuple(_closing):
        if not thread.is_alive():
            _closing.pop(thread, None)
    return [thread for thread, held in tuple(_closing.items()) if held == path]


def _unwrap(result: Any) -> Any:
    if isinstance(result, JournalError):
        # Many waiters share the error; each gets a traceback to itself.
        raise JournalError(*result.args)
    return result


def _work(
    path: str,
    writes: WriteQueue,
    loop: asyncio.AbstractEventLoop,
    opened: asyncio.Future[Any],
    stopped: asyncio.Future[Any],
    *,
    predecessors: list[threading.Thread],
) -> None:
    """Run the thread of a writer, from opening the file to closing it."""
    for thread in predecessors:
        thread.join(_JOIN_TIMEOUT)
    try:
        file, store = _open_store(path)
    except Exception as error:  # noqa: BLE001 - a caller waits for it, whatever it is
        _resolve_waiters(
            loop, [(opened, to_journal_error(error, path)), (stopped, None)]
        )
        return
    _resolve_waiters(loop, [(opened, None)])
    try:
        _serve(file, store, writes, loop)
    finally:
        file.close()
    _resolve_waiters(loop, [(stopped, None)])


def _open_store(path: str) -> tuple[JournalFile, Store]:
    with contextlib.ExitStack() as undo:
        file = JournalFile.open(path)
        undo.callback(file.close)
        store = Store(path, file.connection)
        undo.pop_all()
    return file, store


def _serve(
    file: JournalFile, store: Store, writes: WriteQueue, loop: asyncio.AbstractEventLoop
) -> None:
    broken: JournalError | None = None
    more = True
    while more:
        pending, more = _drain(writes)
        results: Results = []
        if broken is None:
            try:
                results = _commit(file, store, pending)
            except Exception as error:  # noqa: BLE001 - callers wait, whatever it is
                broken = to_journal_error(error, file.path)
        if broken is not None:
            results = [(write.waiter, broken) for write in pending]
        if not _resolve_waiters(loop, results):
            return


def _drain(writes: WriteQueue) -> tuple[list[PendingWrite], bool]:
    """Wait for writes and return all there are, and whether more may come."""
    pending: list[PendingWrite] = []
    while True:
        added = writes.get()
        if added is None:
            return pending, False
        pending += added
        if writes.empty():
            return pending, True


def _commit(file: JournalFile, store: Store, pending: list[PendingWrite]) -> Results:
    """Carry out writes in one transaction."""
    results: Results = []
    file.connection.execute("BEGIN IMMEDIATE")
    for group in _group_by_method(pending):
        for method, writes in group.items():
            values = method(store, [write.argument for write in writes])
            results += zip([write.waiter for write in writes], values, strict=True)
    file.connection.execute("COMMIT")
    return results


def _group_by_method(pending: list[PendingWrite]) -> Iterator[Group]:
    """Yield groups whose writes may be carried out in any order, sorted by method.

    A write follows an earlier one of the same subject in a later group.
    """
    subjects: set[Any] = set()
    group: Group = {}
    for write in pending:
        if write.subject in subjects:
            yield group
            subjects, group = set(), {}
        subjects.add(write.subject)
        group.setdefault(write.method, []).append(write)
    yield group


def _resolve_waiters(loop: asyncio.AbstractEventLoop, results: Results) -> bool:
    """Set the results of waiters in their loop; return whether it is still open."""
    try:
        loop.call_soon_threadsafe(_set_results, results)
    except RuntimeError:
        return False  # the loop was closed: nothing waits any more
    return True


def _set_results(results: Results) -> None:
    for waiter, result in results:
        if not waiter.done():
            waiter.set_result(result)
