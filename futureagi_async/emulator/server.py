"""The service on a socket: the only module of the emulator that imports aiohttp."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote
from uuid import uuid4

from aiohttp import web

from futureagi_async.emulator import control
from futureagi_async.emulator.faults import Fault, fault_response, rate_limited
from futureagi_async.emulator.log import LoggedRequest
from futureagi_async.emulator.rules.exchange import Request, Response
from futureagi_async.emulator.rules.routes import identify
from futureagi_async.emulator.rules.service import Served


if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http_parser import RawRequestMessage
    from aiohttp.streams import StreamReader
    from aiohttp.web_protocol import RequestHandler

    from futureagi_async.emulator.control import EmulatorState
    from futureagi_async.emulator.rules.workers import Dispatch


_IDLE_TIMEOUT = 30.0
"""The service closes connections that are idle for so many seconds."""

_MAX_LINE_BYTES = 64 * 1024
"""Bytes of a request line or a header; the service accepts more than aiohttp does."""

_ACCEPT_ITERATIONS = 5
"""Iterations of the loop after which a connection that it accepted can be closed: it
needs three, and one that comes to a listener closed meanwhile would stay open."""

_SHUTDOWN_TIMEOUT = 0.2
"""Seconds that requests in flight have when the emulator stops."""

_NO_RESPONSE = Served(Response(0))
"""What is logged where there was no response at all."""


class HttpServer:
    """Server that listens, and converts HTTP to and from the values of the rules.

    Args:
        state: the service with its log and faults.
        latency: seconds by which every response is delayed.
        with_control: whether the control paths exist.
    """

    _runner: web.ServerRunner
    _listener: asyncio.Server | None = None

    def __init__(
        self, state: EmulatorState, *, latency: float, with_control: bool
    ) -> None:
        self._state = state
        self._latency = latency
        self._with_control = with_control

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port.

        Raises:
            OSError: the port is taken.
        """
        server = _Server(
            self._handle,
            request_factory=_unlimited_request,
            access_log=None,
            # The service never decompresses a body; a compressed one is bad JSON to it.
            auto_decompress=False,
            keepalive_timeout=_IDLE_TIMEOUT,
            max_line_size=_MAX_LINE_BYTES,
            max_field_size=_MAX_LINE_BYTES,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_TIMEOUT)
        await self._runner.setup()
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                server, host, port, backlog=1024
            )
        except BaseException:
            await self.stop()
            raise
        bound: int = self._listener.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._listener is not None:
            await _close_listener(self._listener)
        await self._runner.cleanup()

    async def _handle(self, raw: web.BaseRequest) -> web.StreamResponse:
        """Respond to one request."""
        request = await _parse_request(raw)
        if self._with_control and request.path.startswith(control.PREFIX):
            return _to_aiohttp(control.respond(request, self._state))
        log = self._state.log
        log.request_started()
        try:
            if self._latency:
                await asyncio.sleep(self._latency)
            if refused := self._refuse(request):
                return refused
            if self._state.faults.active:
                return await self._serve_with_faults(raw, request)
            request_id = _request_id(request)
            served = self._state.service.serve(request, time.time())
            self._log(request, served, request_id, "answered")
            return _to_aiohttp(served.response, request_id)
        finally:
            log.request_finished()

    def _refuse(self, request: Request) -> web.Response | None:
        """Return the response to a request beyond the limit, if it is one."""
        limit = self._state.rate_limit
        organization = limit and self._state.service.organization_of(request)
        if not limit or not organization:
            return None
        retry_after = limit.count(organization, time.time())
        if retry_after is None:
            return None
        request_id = _request_id(request)
        served = Served(rate_limited(retry_after))
        self._log(request, served, request_id, "rate_limit")
        return _to_aiohttp(served.response, request_id)

    async def _serve_with_faults(
        self, raw: web.BaseRequest, request: Request
    ) -> web.StreamResponse:
        """Respond to one request while faults are active."""
        faults = self._state.faults.matching(*identify(request.path), time.time())
        by_kind: dict[str, Fault] = {fault.fault: fault for fault in faults}
        request_id = _request_id(request)
        if slow := by_kind.get("latency"):
            await asyncio.sleep(slow.delay)
        if "drop_before" in by_kind:
            self._log(request, _NO_RESPONSE, request_id, "drop_before")
            return _close_connection(raw)
        rejecting = by_kind.get("rate_limit") or by_kind.get("status")
        if rejecting:
            served = Served(fault_response(rejecting, time.time()))
            self._log(request, served, request_id, rejecting.fault)
            return _to_aiohttp(served.response, request_id)
        dispatch: Dispatch | None = "fail" if "dispatch" in by_kind else None
        served = self._state.service.serve(request, time.time(), dispatch=dispatch)
        for kind in ("drop_after", "truncate", "garbage"):
            if kind in by_kind:
                self._log(request, served, request_id, kind)
                return await _broken_response(kind, raw, served.response, request_id)
        self._log(request, served, request_id, "dispatch" if dispatch else "answered")
        return _to_aiohttp(served.response, request_id)

    def _log(
        self, request: Request, served: Served, request_id: str, outcome: str
    ) -> None:
        """Log one request."""
        endpoint, run_test_id = identify(request.path)
        logged = LoggedRequest(
            request.method,
            request.path,
            run_test_id,
            served.response.status,
            request_id,
            outcome,
            len(served.response.body),
        )
        self._state.log.add(logged, endpoint, served.effects)


class _Protocol(web.RequestHandler):
    """A connection on which methods may be in small letters, as to the service."""

    __slots__ = ("received_method",)

    def data_received(self, data: bytes) -> None:
        """Pass on what was received, with the method in capitals."""
        if line := _REQUEST_LINE.match(data):
            method = line[1].upper()
            self.received_method = method.decode("ascii")
            data = method + data[line.end(1) :]
        super().data_received(data)


_REQUEST_LINE = re.compile(rb"([a-z]+|[A-Z]+) /[^ \r\n]* HTTP/1\.[01]\r\n")

_UNKNOWN_METHOD = "<unknown>"
"""What aiohttp's parser calls a method that it does not know."""


class _Server(web.Server):
    """Server whose connections are of the protocol above."""

    def __call__(self) -> web.RequestHandler:
        """Return the protocol of a new connection."""
        return _Protocol(self, loop=self._loop, **self._kwargs)


async def _close_listener(listener: asyncio.Server) -> None:
    """Stop to accept connections, and close the listener after those accepted."""
    loop = asyncio.get_running_loop()
    for socket in listener.sockets:
        with contextlib.suppress(NotImplementedError):
            # Windows' loop waits for no readiness: there is nothing to undo.
            loop.remove_reader(socket.fileno())
    for _ in range(_ACCEPT_ITERATIONS):
        await asyncio.sleep(0)
    listener.close()


def _unlimited_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    """Build a request whose body may be of any size, as the service accepts it."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message, payload, protocol, writer, task, loop, client_max_size=0
    )


async def _parse_request(raw: web.BaseRequest) -> Request:
    """Read a request and return it as a value."""
    path, _, query = raw.raw_path.partition("?")
    headers = raw.headers
    body = await raw.read() if raw.body_exists else b""
    if "Transfer-Encoding" in headers:
        # The service reads as many bytes as Content-Length states, and here it is absent.
        body = b""
    return Request(
        _method(raw.method, getattr(raw.protocol, "received_method", "")),
        unquote(path) if "%" in path else path,
        query,
        headers,
        body,
        f"http://{headers.get('Host', '')}",
    )


def _method(parsed: str, received: str) -> str:
    """Return a method by its name, which an older parser does not know of each."""
    return received if received and parsed == _UNKNOWN_METHOD else parsed


def _request_id(request: Request) -> str:
    """Return the client's own id, or a new one."""
    return request.headers.get("X-Request-ID") or str(uuid4())


def _to_aiohttp(response: Response, request_id: str | None = None) -> web.Response:
    """Convert a response to aiohttp's."""
    headers = {**response.headers, "Content-Type": response.content_type}
    # Redirects are made before the service assigns a request its id.
    if request_id is not None and "Location" not in headers:
        headers["X-Request-ID"] = request_id
    return web.Response(body=response.body, status=response.status, headers=headers)


def _close_connection(raw: web.BaseRequest) -> web.Response:
    """Close the connection without a response."""
    raw.protocol.force_close()
    return web.Response()


async def _broken_response(
    kind: str, raw: web.BaseRequest, response: Response, request_id: str
) -> web.StreamResponse:
    """Send no response, half of it, or garbage."""
    if kind == "drop_after":
        return _close_connection(raw)
    if kind == "garbage":
        garbage = Response(
            response.status, b"\x00\xff garbage {", response.content_type
        )
        return _to_aiohttp(garbage, request_id)
    complete = _to_aiohttp(response, request_id)
    truncated = web.StreamResponse(status=complete.status, headers=complete.headers)
    truncated.content_length = len(response.body)
    await truncated.prepare(raw)
    await truncated.write(response.body[: len(response.body) // 2])
    raw.protocol.force_close()
    return truncated
