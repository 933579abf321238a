"""The emulator as its users hold it: started, stopped, looked at and troubled."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import sys
import threading
import warnings
from typing import TYPE_CHECKING, get_args

from futureagi_async.emulator.control import Desk
from futureagi_async.emulator.faults import Faults
from futureagi_async.emulator.log import Log
from futureagi_async.emulator.rules.evaluations import Dispatch
from futureagi_async.emulator.rules.service import Service
from futureagi_async.emulator.synthetic import check_size
from futureagi_async.emulator.world import World


if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from futureagi_async.emulator.server import HttpServer


LAST_PORT = 65_535


class Emulator:
    """A local server that answers like the service.

    Enter it with `async with` to serve in the running loop, or with `with` to serve
    from a thread of its own.

    Args:
        world: What it knows; by default a synthetic world.
        host: Where it listens; anything but loopback warns.
        port: The port, up to 65535; 0 takes a free one.
        dispatch: What becomes of evaluations: `accept` leaves them pending for ever,
            `run` finishes them after `run_seconds`, `fail` cannot hand them over.
        latency: Seconds that every answer takes longer.
        run_seconds: Seconds that evaluations take with `run`.
        control: Whether `/_emulator/...` can be reached over HTTP.
        log_size: How many requests the log keeps; its counts are of all.

    Raises:
        ValueError: A setting makes no sense.

    Example:
        >>> with Emulator(World.synthetic(run_tests=1)) as emulator:
        ...     emulator.url.startswith("http://127.0.0.1:")
        True
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        dispatch: Dispatch = "accept",
        latency: float = 0.0,
        run_seconds: float = 0.5,
        control: bool = True,
        log_size: int = 10_000,
    ) -> None:
        if dispatch not in get_args(Dispatch):
            raise ValueError(f"dispatch must be accept, run or fail, not {dispatch!r}")
        check_size("port", port, LAST_PORT)
        check_size("log_size", log_size, sys.maxsize)
        check_seconds("latency", latency)
        check_seconds("run_seconds", run_seconds)
        self.host = host
        self.port = port
        self.latency = latency
        self.control = control
        world = World.synthetic() if world is None else world
        service = Service.over(world, dispatch, run_seconds)
        self.desk: Desk = Desk(service, Log(log_size), Faults(), run_seconds)
        self.server: HttpServer | None = None
        self.bound_port: int | None = None
        self.thread: ServingThread | None = None

    @property
    def world(self) -> World:
        """The state, as it is now."""
        return self.desk.service.world

    @property
    def log(self) -> Log:
        """What arrived."""
        return self.desk.log

    @property
    def faults(self) -> Faults:
        """The faults that are on."""
        return self.desk.faults

    @property
    def api_key(self) -> str:
        """A key that works."""
        return self.world.api_key

    @property
    def secret_key(self) -> str:
        """The secret that belongs to `api_key`."""
        return self.world.secret_key

    @property
    def url(self) -> str:
        """Where it listens.

        Raises:
            RuntimeError: It does not.
        """
        if self.bound_port is None:
            raise RuntimeError("the emulator is not running: enter it first")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.bound_port}"

    def reset(
        self, world: World | None = None, *, dispatch: Dispatch | None = None
    ) -> None:
        """Starts over with an empty log and no faults.

        Args:
            world: The new world; by default the first one as it was.
            dispatch: What becomes of evaluations; by default as before.
        """
        self.desk.reset(world, dispatch)

    async def start(self) -> None:
        """Listens from now on, in the running loop.

        Raises:
            RuntimeError: It listens already.
            OSError: The port is taken.
        """
        if self.server is not None:
            raise RuntimeError("the emulator is running already")
        if not is_loopback(self.host):
            warnings.warn(
                f"the emulator listens on {self.host}, where others can reach it",
                stacklevel=2,
            )
        # Loading aiohttp takes longer than everything else here.
        from futureagi_async.emulator.server import HttpServer  # noqa: PLC0415

        server = HttpServer(self.desk, latency=self.latency, with_control=self.control)
        self.bound_port = await server.start(self.host, self.port)
        self.server = server

    async def stop(self) -> None:
        """Closes the port and all connections."""
        server, self.server, self.bound_port = self.server, None, None
        if server is not None:
            await server.stop()

    async def __aenter__(self) -> Self:
        """Serves in the running loop."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops."""
        await self.stop()

    def __enter__(self) -> Self:
        """Serves from a thread of its own."""
        thread = ServingThread(self)
        thread.begin()
        self.thread = thread
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops, and waits until nothing is left running."""
        thread, self.thread = self.thread, None
        if thread is not None:
            thread.end()


def check_seconds(name: str, value: float) -> None:
    """Evaluations and answers must come to an end."""
    if not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{name} must be seconds, from 0 and finite, not {value!r}")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class ServingThread:
    """The loop and the thread in which an emulator serves blocking users.

    Args:
        emulator: What is served.
    """

    loop: asyncio.AbstractEventLoop
    stopping: asyncio.Event

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.ready: threading.Event = threading.Event()
        self.trouble: BaseException | None = None
        self.thread = threading.Thread(
            target=self.run, name="futureagi-emulator", daemon=True
        )

    def begin(self) -> None:
        """Returns when it listens, or raises why it does not."""
        self.thread.start()
        self.ready.wait()
        if self.trouble is not None:
            self.thread.join()
            raise self.trouble

    def end(self) -> None:
        """Returns when the thread has ended."""
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.thread.join()

    def run(self) -> None:
        """The thread's whole life."""
        asyncio.run(self.serve())

    async def serve(self) -> None:
        """Serves until it is told to stop."""
        self.loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        try:
            await self.emulator.start()
        except BaseException as error:  # noqa: BLE001 (raised in the caller's thread)
            self.trouble = error
            return
        finally:
            self.ready.set()
        await self.stopping.wait()
        await self.emulator.stop()
