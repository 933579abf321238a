"""The service on a socket: the only place that knows aiohttp."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote
from uuid import uuid4

from aiohttp import web

from futureagi_async.emulator import control
from futureagi_async.emulator.faults import Fault, instead
from futureagi_async.emulator.log import Seen
from futureagi_async.emulator.rules.exchange import Answer, Request
from futureagi_async.emulator.rules.routes import run_test_of
from futureagi_async.emulator.rules.service import Served


if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http_parser import RawRequestMessage
    from aiohttp.streams import StreamReader
    from aiohttp.web_protocol import RequestHandler

    from futureagi_async.emulator.control import Desk
    from futureagi_async.emulator.rules.evaluations import Dispatch


IDLE_SECONDS = 30.0
"""The service closes connections that are idle for so long."""

LONGEST_LINE = 64 * 1024
"""Bytes of a request line or a header; the service takes more than aiohttp does."""

ACCEPTING_TURNS = 5
"""Turns of the loop after which a connection that it has accepted can be closed: it takes
three, and one that comes to a listener that was closed meanwhile is left open."""

GRACE_SECONDS = 0.2
"""What requests in flight get when the emulator stops."""


class HttpServer:
    """Listens, and turns HTTP into the values that the rules work on.

    Args:
        desk: The service with its log and faults.
        latency: Seconds that every answer takes longer.
        with_control: Whether the control paths exist.
    """

    runner: web.ServerRunner
    listener: asyncio.Server | None = None

    def __init__(self, desk: Desk, *, latency: float, with_control: bool) -> None:
        self.desk = desk
        self.latency = latency
        self.with_control = with_control

    async def start(self, host: str, port: int) -> int:
        """Listens from now on; returns the port.

        Raises:
            OSError: The port is taken.
        """
        server = web.Server(
            self.handle,
            request_factory=request_of_any_size,
            access_log=None,
            # The service never unpacks a body; a packed one is bad JSON to it.
            auto_decompress=False,
            keepalive_timeout=IDLE_SECONDS,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
        )
        self.runner = web.ServerRunner(server, shutdown_timeout=GRACE_SECONDS)
        await self.runner.setup()
        try:
            self.listener = await asyncio.get_running_loop().create_server(
                server, host, port, backlog=1024
            )
        except BaseException:
            await self.stop()
            raise
        bound: int = self.listener.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Closes the port and every connection."""
        if self.listener is not None:
            loop = asyncio.get_running_loop()
            for each in self.listener.sockets:
                with contextlib.suppress(NotImplementedError):
                    # Windows' loop waits for no readiness: there is nothing to undo.
                    loop.remove_reader(each.fileno())
            for _ in range(ACCEPTING_TURNS):
                await asyncio.sleep(0)
            self.listener.close()
        await self.runner.cleanup()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request from arrival to answer."""
        asked = await received(request)
        if self.with_control and asked.path.startswith(control.PREFIX):
            return response(control.answer(asked, self.desk))
        log = self.desk.log
        log.arrive()
        try:
            if self.latency:
                await asyncio.sleep(self.latency)
            if self.desk.faults.active:
                return await self.troubled(request, asked)
            request_id = request_id_of(asked)
            served = self.desk.service.serve(asked, time.monotonic())
            self.note(asked, served, request_id, "answered")
            return response(served.answer, request_id)
        finally:
            log.leave()

    async def troubled(
        self, request: web.BaseRequest, asked: Request
    ) -> web.StreamResponse:
        """One request while faults are on."""
        endpoint, run_test_id = run_test_of(asked.path)
        struck = self.desk.faults.strike(endpoint, run_test_id, time.monotonic())
        by_kind: dict[str, Fault] = {fault.fault: fault for fault in struck}
        request_id = request_id_of(asked)
        if slow := by_kind.get("latency"):
            await asyncio.sleep(slow.wait)
        if "drop_before" in by_kind:
            self.note(asked, NOTHING, request_id, "drop_before")
            return hang_up(request)
        refusing = by_kind.get("rate_limit") or by_kind.get("status")
        if refusing:
            served = Served(instead(refusing, time.monotonic()), endpoint)
            self.note(asked, served, request_id, refusing.fault)
            return response(served.answer, request_id)
        dispatch: Dispatch | None = "fail" if "dispatch" in by_kind else None
        served = self.desk.service.serve(asked, time.monotonic(), dispatch=dispatch)
        for kind in ("drop_after", "truncate", "garbage"):
            if kind in by_kind:
                self.note(asked, served, request_id, kind)
                return await spoiled(kind, request, served.answer, request_id)
        self.note(asked, served, request_id, "dispatch" if dispatch else "answered")
        return response(served.answer, request_id)

    def note(
        self, asked: Request, served: Served, request_id: str, outcome: str
    ) -> None:
        """Writes one request into the log."""
        endpoint, run_test_id = served.endpoint, served.run_test_id
        if endpoint is None:
            endpoint, run_test_id = run_test_of(asked.path)
        seen = Seen(
            asked.method,
            asked.path,
            run_test_id,
            served.answer.status,
            request_id,
            outcome,
        )
        self.desk.log.add(seen, endpoint, served.work)


NOTHING = Served(Answer(0))
"""What is noted where there was no answer at all."""


def request_of_any_size(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    """A request whose body may be of any size, as the service takes it."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message, payload, protocol, writer, task, loop, client_max_size=0
    )


async def received(request: web.BaseRequest) -> Request:
    """What arrived, as a value."""
    path, _, query = request.raw_path.partition("?")
    headers = request.headers
    body = await request.read() if request.body_exists else b""
    if "Transfer-Encoding" in headers:
        # The service reads as many bytes as Content-Length says, and here it is absent.
        body = b""
    return Request(
        request.method,
        unquote(path) if "%" in path else path,
        query,
        headers,
        body,
        f"http://{headers.get('Host', '')}",
    )


def request_id_of(asked: Request) -> str:
    """The client's own id, or a new one."""
    return asked.headers.get("X-Request-ID") or str(uuid4())


def response(answer: Answer, request_id: str | None = None) -> web.Response:
    """The answer for aiohttp."""
    headers = {**answer.headers, "Content-Type": answer.content_type}
    # Redirects are made before the service gives a request its id.
    if request_id is not None and "Location" not in headers:
        headers["X-Request-ID"] = request_id
    return web.Response(body=answer.body, status=answer.status, headers=headers)


def hang_up(request: web.BaseRequest) -> web.Response:
    """Closes the connection without a word."""
    request.protocol.force_close()
    return web.Response()


async def spoiled(
    kind: str, request: web.BaseRequest, answer: Answer, request_id: str
) -> web.StreamResponse:
    """An answer that does not arrive as it should."""
    if kind == "drop_after":
        return hang_up(request)
    if kind == "garbage":
        return response(
            Answer(answer.status, b"\x00\xff garbage {", answer.content_type),
            request_id,
        )
    whole = response(answer, request_id)
    cut = web.StreamResponse(status=whole.status, headers=whole.headers)
    cut.content_length = len(answer.body)
    await cut.prepare(request)
    await cut.write(answer.body[: len(answer.body) // 2])
    request.protocol.force_close()
    return cut
