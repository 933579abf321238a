"""Forking never happens while a thread of this package is inside SQLite.

SQLite has locks of its own that a child inherits as they are: taken in the middle of
something, by a thread that the child does not have, they stay taken, and whatever the
child does with SQLite then waits for ever.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator


class ForkGate:
    """Lets any number of threads in while nobody forks, and a fork while nobody is in."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside: set[int] = set()

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Keep every fork of another thread waiting until the block is left."""
        me = threading.get_ident()
        with self._changed:
            self._inside.add(me)
        try:
            yield
        finally:
            with self._changed:
                self._inside.discard(me)
                self._changed.notify_all()

    def close(self) -> None:
        """Wait until nobody is in, and let nobody in; called before a fork."""
        self._changed.acquire()
        me = threading.get_ident()
        self._changed.wait_for(lambda: self._inside <= {me})

    def open(self) -> None:
        """Let everybody in again; called after the fork, in parent and child."""
        self._changed.release()


SQLITE_GATE = ForkGate()
"""Whoever works with SQLite in a thread that the user does not see, is inside."""

if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(
        before=SQLITE_GATE.close,
        after_in_parent=SQLITE_GATE.open,
        after_in_child=SQLITE_GATE.open,
    )
