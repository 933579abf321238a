"""The emulator as its users see it: to start, stop, inspect, and add faults to."""

import asyncio
import ipaddress
import math
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from futureagi_async.emulator.control import EmulatorState, check_dispatch
from futureagi_async.emulator.faults import Faults
from futureagi_async.emulator.log import Log
from futureagi_async.emulator.rate_limit import RateLimit
from futureagi_async.emulator.rules.service import Service
from futureagi_async.emulator.rules.workers import Dispatch, WorkSettings
from futureagi_async.emulator.synthetic import check_whole_number
from futureagi_async.emulator.world import World


if TYPE_CHECKING:
    from futureagi_async.emulator.server import HttpServer


MAX_PORT = 65_535


class Emulator:
    """A local server that answers like the service.

    Enter it with `async with` to serve in the running loop, or with `with` to serve
    from a thread of its own.

    Args:
        world: its state; by default a synthetic world.
        host: where it listens; anything but loopback warns.
        port: the port, up to 65535; 0 takes a free one.
        dispatch: what becomes of evaluations, runs and reruns: `accept` leaves them
            as they are for ever, `run` has workers do them, `fail` cannot start them.
        latency: seconds by which every response is delayed.
        run_seconds: seconds that an evaluation takes with `run`.
        call_seconds: seconds that a call takes, and the preparation of a run.
        monitor_seconds: seconds between two looks of the monitor that sets the status
            of the executions of text agents.
        evaluations_at_once: how many evaluations are made at a time; by default all.
        restore_configs: whether an evaluation that ends after its eval config was
            deleted or updated undoes that, as the service's workers can.
        rate_limit: how many requests of an organization are served in a calendar
            minute, refused ones counted; by default there is no limit.
        control: whether `/_emulator/...` can be reached over HTTP.
        log_size: how many requests the log stores; its counts are of all.

    Attributes:
        state: the service with its log and faults.

    Raises:
        ValueError: a setting makes no sense.

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
        call_seconds: float = 0.5,
        monitor_seconds: float = 0.5,
        evaluations_at_once: int | None = None,
        restore_configs: bool = False,
        rate_limit: int | None = None,
        control: bool = True,
        log_size: int = 10_000,
    ) -> None:
        check_dispatch(dispatch)
        check_whole_number("port", port, MAX_PORT)
        check_whole_number("log_size", log_size, sys.maxsize)
        _check_seconds("latency", latency)
        _check_seconds("run_seconds", run_seconds)
        _check_seconds("call_seconds", call_seconds)
        _check_seconds("monitor_seconds", monitor_seconds)
        if evaluations_at_once is not None:
            check_whole_number(
                "evaluations_at_once", evaluations_at_once, sys.maxsize, minimum=1
            )
        if rate_limit is not None:
            check_whole_number("rate_limit", rate_limit, sys.maxsize)
        self._host = host
        self._port = port
        self._latency = latency
        self._control = control
        world = World.synthetic() if world is None else world
        settings = WorkSettings(
            run_seconds,
            call_seconds,
            monitor_seconds,
            evaluations_at_once,
            restore_configs,
        )
        service = Service.create(world, dispatch, settings)
        self.state: EmulatorState = EmulatorState(
            service,
            Log(log_size),
            Faults(),
            None if rate_limit is None else RateLimit(rate_limit),
        )
        self._server: HttpServer | None = None
        self._bound_port: int | None = None
        self._thread: _ServingThread | None = None

    @property
    def world(self) -> World:
        """The current world."""
        return self.state.service.world

    @property
    def log(self) -> Log:
        """What arrived, and what was done."""
        return self.state.log

    @property
    def faults(self) -> Faults:
        """The active faults."""
        return self.state.faults

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
        """The base URL for a client.

        Raises:
            RuntimeError: the emulator is not running.
        """
        if self._bound_port is None:
            raise RuntimeError("the emulator is not running: enter it first")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._bound_port}"

    def reset(
        self, world: World | None = None, *, dispatch: Dispatch | None = None
    ) -> None:
        """Start over with an empty log and no faults.

        Args:
            world: the new world; by default the current one as it was at the
                beginning.
            dispatch: what becomes of work that is handed over; unchanged by default.
        """
        self.state.reset(world, dispatch)

    def change_rows(self, changes: Sequence[Mapping[str, Any]]) -> None:
        """Change rows as the service's workers change them, all of them or none.

        Args:
            changes: objects as `{"call": id, "status": "completed"}`; see the page
                about testing.

        Raises:
            ValueError: a change makes no sense; it is named by its place.
        """
        self.state.change_rows(changes)

    async def start(self) -> None:
        """Listen in the running loop.

        Raises:
            RuntimeError: it is listening already.
            OSError: the port is taken.
        """
        if self._server is not None:
            raise RuntimeError("the emulator is running already")
        if not _is_loopback(self._host):
            warnings.warn(
                f"the emulator listens on {self._host}, where others can reach it",
                stacklevel=2,
            )
        from futureagi_async.emulator.server import (  # noqa: PLC0415 - loads aiohttp
            HttpServer,
        )

        server = HttpServer(
            self.state, latency=self._latency, with_control=self._control
        )
        self._bound_port = await server.start(self._host, self._port)
        self._server = server

    async def stop(self) -> None:
        """Close the port and all connections."""
        server, self._server, self._bound_port = self._server, None, None
        if server is not None:
            await server.stop()

    async def __aenter__(self) -> Self:
        """Start to serve in the running loop."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        await self.stop()

    def __enter__(self) -> Self:
        """Start to serve from a thread of its own."""
        thread = _ServingThread(self)
        thread.start()
        self._thread = thread
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, and wait for the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()


def _check_seconds(name: str, value: float) -> None:
    """Raise `ValueError` unless a value is a finite number of seconds."""
    if not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{name} must be seconds, from 0 and finite, not {value!r}")


def _is_loopback(host: str) -> bool:
    """Return whether only this machine can reach it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _ServingThread:
    """The loop and the thread in which an emulator serves blocking users.

    Args:
        emulator: what is served.
    """

    loop: asyncio.AbstractEventLoop
    _stopping: asyncio.Event

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._run, name="futureagi-emulator", daemon=True
        )

    def start(self) -> None:
        """Start the thread; return when it listens, or raise why it does not."""
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error

    def stop(self) -> None:
        """Stop to serve, and wait for the thread."""
        self.loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        """Run the loop in the thread."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        """Serve until `stop` is called."""
        self.loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        try:
            await self._emulator.start()
        except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
            self._error = error
            return
        finally:
            self._started.set()
        await self._stopping.wait()
        await self._emulator.stop()
