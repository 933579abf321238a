"""Nobody forks while the journal's thread is inside SQLite."""

from __future__ import annotations

import asyncio
import os
import runpy
import threading

import pytest
from journal_requests import Ask, intend, same, states, success

from futureagi_async.journal import fork_guard, writer as writing
from futureagi_async.journal.fork_guard import SQLITE_GATE, ForkGate


TOO_SHORT = 0.05
"""Seconds in which something that has to wait does not come to pass."""
ENOUGH = 60.0
"""Seconds in which everything else does."""


class Closing(threading.Thread):
    """Somebody else who is about to fork."""

    def __init__(self, gate: ForkGate):
        super().__init__(daemon=True)
        self.gate = gate
        self.closed = threading.Event()
        self.start()

    def run(self):
        self.gate.close()
        self.closed.set()
        self.gate.open()


def test_a_fork_waits_for_whoever_is_inside():
    gate = ForkGate()

    with gate.inside():
        closing = Closing(gate)
        assert not closing.closed.wait(TOO_SHORT)

    assert closing.closed.wait(ENOUGH)


def test_nobody_comes_in_while_somebody_forks():
    gate = ForkGate()
    entered = threading.Event()

    def enter():
        with gate.inside():
            entered.set()

    gate.close()
    threading.Thread(target=enter, daemon=True).start()
    assert not entered.wait(TOO_SHORT)
    gate.open()

    assert entered.wait(ENOUGH)


def test_whoever_is_inside_can_fork_by_itself():
    gate = ForkGate()
    with gate.inside():
        gate.close()
        gate.open()


async def test_a_fork_waits_while_the_journal_is_written(path, writer, monkeypatch):
    inside, go_on = threading.Event(), threading.Event()
    written = writing._written

    def slow(*arguments):
        inside.set()
        assert go_on.wait(ENOUGH)
        return written(*arguments)

    monkeypatch.setattr(writing, "_written", slow)
    request = Ask("/run")
    intent = asyncio.create_task(intend(writer, request))
    await asyncio.to_thread(inside.wait, ENOUGH)

    closing = Closing(SQLITE_GATE)
    assert not closing.closed.wait(TOO_SHORT)
    go_on.set()
    assert await asyncio.to_thread(closing.closed.wait, ENOUGH)

    await intent
    await writer.finish(same(request), success(request))
    assert states(path) == {"/run": "DONE"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_gate_is_open_again_after_a_fork_in_parent_and_child():
    def get_in():
        with SQLITE_GATE.inside():
            pass

    child = os.fork()
    if not child:
        thread = threading.Thread(target=get_in, daemon=True)
        thread.start()
        thread.join(ENOUGH)
        os._exit(int(thread.is_alive()))

    get_in()
    assert os.waitpid(child, 0)[1] == 0


def test_a_journal_works_where_no_process_can_fork(monkeypatch):
    monkeypatch.delattr("os.register_at_fork", raising=False)

    names = runpy.run_path(fork_guard.__file__)

    assert names["ForkGate"].__doc__ == ForkGate.__doc__
