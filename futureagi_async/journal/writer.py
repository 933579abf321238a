"""The writing end of a journal: a thread of its own, and what awaits it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from futureagi_async.errors import JournalError
from futureagi_async.journal.database import (
    JournalFile,
    explained,
    full_path,
    opened_by_parent,
)
from futureagi_async.journal.fork_guard import SQLITE_GATE
from futureagi_async.journal.store import Intent, Store, ending


if TYPE_CHECKING:
    from futureagi_async.journal.entry import JournalEntry
    from futureagi_async.model.outcome import Outcome
    from futureagi_async.model.request import Request


Operation: TypeAlias = Callable[[Store, list[Any]], Sequence[Any]]
"""What is to be done with the store: many arguments in, as many answers out."""

Job: TypeAlias = tuple["asyncio.Future[Any]", Operation, tuple[Any, ...]]
"""Who waits, for what, and the argument; what it is about comes first in that."""

Round: TypeAlias = "dict[Operation, list[tuple[asyncio.Future[Any], tuple[Any, ...]]]]"
"""Jobs by what is to be done."""

Answers: TypeAlias = "list[tuple[asyncio.Future[Any], Any]]"
"""Who is to be woken, with what."""

Jobs: TypeAlias = "queue.SimpleQueue[list[Job] | None]"
"""What is handed to the thread; `None` ends it."""


_PATIENCE = 10.0
"""Seconds to wait for a writer of this process that is about to let go of a journal."""

_leaving: dict[threading.Thread, str] = {}
"""The threads that were told to end, and their journals; a slow disk can keep them."""


class JournalWriter:
    """Writes the journal of one fan-out, for the event loop that opened it.

    Whoever awaits a method goes on when what it wrote is on disk. What many await at a
    time is written in one go. Being cancelled while waiting takes nothing back.

    Every method raises `JournalError` when the disk refuses, and from then on; when the
    journal is closed; and in a process that was forked from the one that opened it.
    """

    def __init__(self, path: str, wall_clock: Callable[[], float]) -> None:
        self.path = path
        self._wall_clock = wall_clock
        self._loop = asyncio.get_running_loop()
        self._pid = os.getpid()
        self._collected: list[Job] = []
        self._jobs: Jobs = queue.SimpleQueue()
        self._closing = False
        self._ended: asyncio.Future[None] = self._loop.create_future()
        opened = self._opened = self._loop.create_future()
        self._thread = threading.Thread(
            target=_work,
            args=(path, self._jobs, self._loop, opened, self._ended),
            kwargs={"before": _leavers(path)},
            name="futureagi-journal",
            daemon=True,
        )
        # The thread must not know the writer, or nobody could ever forget it.
        weakref.finalize(self, self._jobs.put, None).atexit = False

    @classmethod
    async def open(
        cls,
        path: str | os.PathLike[str],
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> JournalWriter:
        """Open a journal to write to it; make it if there is none.

        A writer of this process that is being closed is waited for, so that whoever
        was interrupted can go on at once.

        Raises:
            JournalError: somebody writes to it already, it is no journal of this
                version, or the system refuses.

        """
        writer = cls(full_path(path), wall_clock)
        writer._thread.start()
        try:
            answer = await writer._opened
        except asyncio.CancelledError:
            # The thread may have the file by now, which the next writer is to get.
            await writer.aclose()
            raise
        _raise(answer)
        return writer

    async def intend(
        self,
        identity: bytes,
        request: Request[Any],
        *,
        base_url: str,
        workspace_id: str | None,
        read_before: bool = False,
    ) -> JournalEntry | None:
        """Write that a request is about to leave, or give what is known of it.

        An entry that is given is one of an earlier time, and stays as it is: done, or
        in doubt. One that failed is given as it was, and set back to `SENT`.
        """
        intent = Intent(
            identity,
            (base_url, workspace_id, type(request).__name__, request.method),
            request.path,
            request.run_test_id,
            request.body,
            self._wall_clock(),
            read_before,
        )
        entry: JournalEntry | None = await self._written(Store.intend, intent)
        return entry

    async def finish(
        self, identity: bytes, outcome: Outcome[Any], *, reconciled: bool = False
    ) -> None:
        """Write what became of a request.

        Args:
            identity: the request's.
            outcome: what became of it. One that was not attempted counts as failed.
            reconciled: the success was read back; no answer to the request itself says so.

        """
        written = identity, ending(outcome, reconciled=reconciled)
        await self._written(Store.finish, written)

    def finish_unawaited(self, identity: bytes, outcome: Outcome[Any]) -> None:
        """Have written what became of a request, by `aclose` at the latest.

        That is for whoever is being cancelled, who may not wait for the disk.
        """
        self._collect(Store.finish, (identity, ending(outcome, reconciled=False)))

    async def created_ids(self, run_test_id: str) -> frozenset[str]:
        """Give the eval configs that this journal's requests created for a run test.

        Those count whose answer says so, not those that were found by reading back.
        """
        ids: frozenset[str] = await self._written(Store.created_ids, (run_test_id,))
        return ids

    async def note_absent(self, identity: bytes) -> None:
        """Write that nothing of a request was there before it was sent."""
        await self._written(Store.note_absent, (identity,))

    async def is_alone(self, identity: bytes, path: str) -> bool:
        """Tell whether this journal has no other request of that path."""
        alone: bool = await self._written(Store.is_alone, (identity, path))
        return alone

    async def earlier(self, run_test_id: str) -> list[JournalEntry]:
        """Give what earlier writers wrote about a run test, the oldest first."""
        entries: list[JournalEntry]
        entries = await self._written(Store.earlier, (run_test_id,))
        return entries

    async def history(self, run_test_id: str) -> list[JournalEntry]:
        """Return all entries for a run test, those of this writer included."""
        entries: list[JournalEntry]
        entries = await self._written(Store.history, (run_test_id,))
        return entries

    async def aclose(self) -> None:
        """Write what is left, and let the next writer in. Doing it twice is harmless.

        In a process that was forked it does nothing: the journal is the parent's.
        """
        if os.getpid() != self._pid:
            return
        if not self._closing:
            self._closing = True
            self._hand_over()
            _leaving[self._thread] = self.path
            self._jobs.put(None)
        await asyncio.shield(self._ended)

    async def _written(self, operation: Operation, argument: tuple[Any, ...]) -> Any:
        return _raise(await self._collect(operation, argument))

    def _collect(
        self, operation: Operation, argument: tuple[Any, ...]
    ) -> asyncio.Future[Any]:
        if os.getpid() != self._pid:
            raise opened_by_parent(self.path)
        if self._closing:
            raise JournalError(f"journal {self.path}: it is closed")
        if not self._collected:
            # What others add in this turn of the loop goes with it.
            self._loop.call_soon(self._hand_over)
        waiter = self._loop.create_future()
        self._collected.append((waiter, operation, argument))
        return waiter

    def _hand_over(self) -> None:
        if self._collected:
            self._jobs.put(self._collected)
            self._collected = []


def _leavers(path: str) -> list[threading.Thread]:
    """Give those that may still hold a journal, and forget those that are gone."""
    for thread in tuple(_leaving):
        if not thread.is_alive():
            _leaving.pop(thread, None)
    return [each for each, held in tuple(_leaving.items()) if held == path]


def _raise(answer: Any) -> Any:
    if isinstance(answer, JournalError):
        raise JournalError(*answer.args)
    return answer


def _work(
    path: str,
    jobs: Jobs,
    loop: asyncio.AbstractEventLoop,
    opened: asyncio.Future[Any],
    ended: asyncio.Future[Any],
    *,
    before: list[threading.Thread],
) -> None:
    """Do what a thread does for a writer, from opening the file to closing it."""
    while before:
        before.pop().join(_PATIENCE)
    try:
        with SQLITE_GATE.inside():
            file, store = _opened(path)
    except Exception as error:  # noqa: BLE001 - whatever it was, somebody waits for it
        _answer(loop, [(opened, _as_journal_error(error, path)), (ended, None)])
        return
    _answer(loop, [(opened, None)])
    try:
        _serve(file, store, jobs, loop)
    finally:
        with SQLITE_GATE.inside():
            file.close()
    _answer(loop, [(ended, None)])


def _opened(path: str) -> tuple[JournalFile, Store]:
    with contextlib.ExitStack() as undo:
        file = JournalFile.open(path)
        undo.callback(file.close)
        store = Store(path, file.connection)
        undo.pop_all()
    return file, store


def _serve(
    file: JournalFile, store: Store, jobs: Jobs, loop: asyncio.AbstractEventLoop
) -> None:
    broken: JournalError | None = None
    goes_on = True
    while goes_on:
        batch, goes_on = _taken(jobs)
        answers: Answers = []
        if broken is None:
            try:
                with SQLITE_GATE.inside():
                    answers = _written(file, store, batch)
            except Exception as error:  # noqa: BLE001 - whatever it was, many wait
                broken = _as_journal_error(error, file.path)
        if broken is not None:
            answers = [(waiter, broken) for waiter, _, _ in batch]
        if not _answer(loop, answers):
            return


def _taken(jobs: Jobs) -> tuple[list[Job], bool]:
    """Wait for something to do; take all there is. Tell whether more may come."""
    batch: list[Job] = []
    while True:
        more = jobs.get()
        if more is None:
            return batch, False
        batch += more
        if jobs.empty():
            return batch, True


def _written(file: JournalFile, store: Store, batch: list[Job]) -> Answers:
    """Do everything in one transaction."""
    answers: Answers = []
    file.connection.execute("BEGIN IMMEDIATE")
    for some in _rounds(batch):
        for operation, jobs in some.items():
            done = operation(store, [argument for _, argument in jobs])
            waiters = [waiter for waiter, _ in jobs]
            answers += zip(waiters, done, strict=True)
    file.connection.execute("COMMIT")
    return answers


def _rounds(batch: list[Job]) -> Iterator[Round]:
    """Sort by operation what may be done in any order.

    Of what is about the same thing, only the first may; the rest comes after it.
    """
    about: set[Any] = set()
    sorted_: Round = {}
    for waiter, operation, argument in batch:
        if argument[0] in about:
            yield sorted_
            about, sorted_ = set(), {}
        about.add(argument[0])
        sorted_.setdefault(operation, []).append((waiter, argument))
    yield sorted_


def _answer(loop: asyncio.AbstractEventLoop, answers: Answers) -> bool:
    """Wake everybody who waits. Tell whether there was a loop to wake them in."""
    try:
        loop.call_soon_threadsafe(_wake, answers)
    except RuntimeError:
        return False  # the loop was closed: nobody waits any more
    return True


def _wake(answers: Answers) -> None:
    for waiter, answer in answers:
        if not waiter.done():
            waiter.set_result(answer)


def _as_journal_error(error: Exception, path: str) -> JournalError:
    return error if isinstance(error, JournalError) else explained(error, path)
