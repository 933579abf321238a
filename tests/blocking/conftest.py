"""An emulator, clients on it, and a server that never answers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from futureagi_async import FutureAGI
from futureagi_async.emulator import Emulator, World, server


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class SilentServer:
    """Takes requests and never answers.

    Attributes:
        requests: how many requests have arrived.
        open: how many connections are open.

    """

    def __init__(self) -> None:
        self.requests = 0
        self.open = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._accepted: set[object] = set()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, address = self._listener.accept()
                self._connections.append(connection)
                with self._lock:
                    self.open += 1
                self._accepted.add(address)
                threading.Thread(
                    target=self._read, args=(connection,), daemon=True
                ).start()

    def _read(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := connection.recv(65536):
                with self._lock:
                    self.requests += data.count(b"\r\n\r\n")
        with self._lock:
            self.open -= 1

    def catch_up(self) -> None:
        """Accept everybody who has connected before."""
        with socket.create_connection(self._listener.getsockname()) as last:
            here = last.getsockname()
            while here not in self._accepted:
                time.sleep(0.001)

    def close(self) -> None:
        # Shutting down wakes a thread that waits in accept or recv; closing does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        for each in self._connections:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for each in (self._listener, *self._connections):
            each.close()


@pytest.fixture
def silent_server() -> Iterator[SilentServer]:
    server = SilentServer()
    yield server
    server.close()


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(World.synthetic(run_tests=20)) as emulator:
        yield emulator


@pytest.fixture
def connect(emulator: Emulator) -> Iterator[Callable[..., FutureAGI]]:
    """Make blocking clients, and close them at the end."""
    with contextlib.ExitStack() as stack:

        def make(*, to: str | None = None, **options: Any) -> FutureAGI:
            client = FutureAGI(
                emulator.api_key,
                emulator.secret_key,
                base_url=to or emulator.url,
                **options,
            )
            stack.callback(client.close)
            return client

        yield make


@pytest.fixture
def client(connect: Callable[..., FutureAGI]) -> FutureAGI:
    return connect()


@pytest.fixture
def leap(monkeypatch: pytest.MonkeyPatch) -> Callable[[FutureAGI, float], None]:
    """Set the clock of a client's loop forward."""

    def forward(client: FutureAGI, seconds: float) -> None:
        loop = client._portal.start()._running.result().loop
        monkeypatch.setattr(loop, "time", lambda: time.monotonic() + seconds)
        loop.call_soon_threadsafe(lambda: None)  # so that it looks at its clock

    return forward


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Callable[[], None]]:
    """Have the emulator serve no request for a run test until it is let go."""

    def install(run_test_id: str) -> Callable[[], None]:
        received, let_go = server._parse_request, threading.Event()

        async def held(request: Any) -> Any:
            asked = await received(request)
            while run_test_id in asked.path and not let_go.is_set():
                await asyncio.sleep(0.002)
            return asked

        monkeypatch.setattr(server, "_parse_request", held)
        return let_go.set

    return install


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait until something is so."""

    def wait(condition: Callable[[], object]) -> None:
        latest = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < latest, "it did not come to pass"
            time.sleep(0.002)

    return wait


@pytest.fixture
def in_thread() -> Iterator[Callable[..., Callable[[], Any]]]:
    """Run a function in a thread; what is given back waits for its result or error."""
    threads: list[threading.Thread] = []

    def start(function: Callable[..., Any], *args: Any) -> Callable[[], Any]:
        ended: list[tuple[Any, BaseException | None]] = []

        def run() -> None:
            try:
                ended.append((function(*args), None))
            except BaseException as error:
                ended.append((None, error))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        threads.append(thread)

        def wait() -> Any:
            thread.join(60)
            assert not thread.is_alive(), "it did not end"
            result, error = ended[0]
            if error is not None:
                raise error
            return result

        return wait

    yield start
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread was left behind"


@pytest.fixture(autouse=True)
def no_thread_is_left(
    eventually: Callable[[Callable[[], object]], None],
) -> Iterator[None]:
    earlier = set(threading.enumerate())
    yield
    eventually(
        lambda: (
            not [
                thread
                for thread in threading.enumerate()
                if thread.name == "futureagi-async" and thread not in earlier
            ]
        )
    )
