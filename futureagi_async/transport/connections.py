"""The connections of the running event loop: opened when needed, closed with it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from futureagi_async.errors import ClientClosedError, ConfigurationError


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from futureagi_async.transport.http import HTTPBackend


class Connections:
    """Opens a sender in the loop that first asks for one.

    It is closed by `aclose`, or with its loop, or when nobody holds this any more: an
    event loop closes the asynchronous generators that it has seen, and one of them is
    the sender's lifetime. A loop that has ended can be followed by another.
    """

    def __init__(self, open_sender: Callable[[], HTTPBackend]) -> None:
        self._open_sender = open_sender
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sender: HTTPBackend | None = None
        self._lifetime: AsyncGenerator[None, None] | None = None
        self.closed: bool = False

    def sender(self) -> HTTPBackend:
        """Give the sender of the running loop.

        Raises:
            ClientClosedError: `aclose` was called.
            ConfigurationError: another loop, still alive, has the connections.
        """
        if self.closed:
            raise ClientClosedError
        loop = asyncio.get_running_loop()
        if self._sender is None or self._loop is not loop:
            return self._opened(loop)
        return self._sender

    def _opened(self, loop: asyncio.AbstractEventLoop) -> HTTPBackend:
        if self._loop is not None and not self._loop.is_closed():
            raise ConfigurationError(
                "the client belongs to another event loop that is still alive; "
                "make a client for each loop, or use FutureAGI in threads"
            )
        sender = self._open_sender()
        self._loop, self._sender = loop, sender
        self._lifetime = _lifetime(sender)
        with contextlib.suppress(StopIteration):  # at its first yield
            anext(self._lifetime).send(None)
        return sender

    async def aclose(self) -> None:
        """Close the connections for good; a second time does nothing."""
        self.closed = True
        lifetime, self._lifetime = self._lifetime, None
        if lifetime is not None and self._loop is asyncio.get_running_loop():
            await lifetime.aclose()
        self._sender = None

    def forget(self) -> None:
        """Leave the connections to the process that this one was forked from.

        Closing them here would say goodbye on the parent's connections.
        """
        if self._sender is not None:
            self._sender.abandon()
            _inherited.append((self._loop, self._sender, self._lifetime))
        self._loop = self._sender = self._lifetime = None

    def __del__(self) -> None:
        """End the lifetime here if its loop cannot: asyncio would complain of it."""
        if self._sender is None or self._lifetime is None or self._loop is None:
            return
        if self._loop.is_running():
            return
        self._sender.abandon()
        try:
            self._lifetime.aclose().send(None)  # has nothing to wait for
        except (StopIteration, RuntimeError):  # it has ended, or was about to
            return


_inherited: list[object] = []


async def _lifetime(sender: HTTPBackend) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await sender.aclose()
