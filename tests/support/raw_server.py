"""A server that keeps every byte it gets and misbehaves as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal, Self

import attrs


if TYPE_CHECKING:
    import ssl


RUN_TEST = "11111111-2222-4333-8444-555555555555"
CONFIG = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"


@attrs.frozen
class Received:
    """A request as it arrived; `connection` counts from 0."""

    head: bytes
    body: bytes
    connection: int

    @property
    def request_line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode()

    @property
    def path(self) -> str:
        return self.request_line.split()[1]

    @property
    def run_test_id(self) -> str:
        return self.path.split("/run-tests/")[1].split("/")[0]

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        return [tuple(line.split(": ", 1)) for line in lines]

    def header(self, name: str) -> str | None:
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        assert len(values) < 2
        return values[0] if values else None


@attrs.frozen
class Reply:
    """Bytes to answer with, and what becomes of the connection then."""

    data: bytes
    then: Literal["keep", "close", "reset", "stall"] = "keep"
    endless: bytes = b""
    """Sent after `data`, over and over."""


Script = Reply | Callable[[Received], Reply | Awaitable[Reply]]


def http(
    status: int | str, body: bytes | str | dict[str, object] = b"", **headers: str
) -> bytes:
    """The bytes of an answer, with a true Content-Length unless another is given."""
    if isinstance(body, dict):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    lines.setdefault("Content-Length", str(len(body)))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    line = status if isinstance(status, str) else f"{status} Some Reason"
    return f"HTTP/1.1 {line}\r\n{head}\r\n".encode() + body


def success_body(run_test_id: str = RUN_TEST) -> bytes:
    """What run-new-evals answers."""
    body = {
        "message": "New evaluations dispatched successfully.",
        "run_test_id": run_test_id,
        "call_execution_count": 3,
    }
    return json.dumps(body).encode()


def success(request: Received) -> Reply:
    """Answer as the service does."""
    return Reply(http(200, success_body(request.run_test_id)))


class RawServer:
    """Listens on loopback; answers each request with the next line of its script.

    The last line of the script is used over and over.
    """

    def __init__(self, *script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.script = list(script) or [success]
        self.requests: list[Received] = []
        self.connections = 0
        self.open_connections = 0
        self.raw: list[bytearray] = []
        self.arrived = asyncio.Condition()
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        # The certificate is for this name only.
        return f"{'https://localhost' if self._tls else 'http://127.0.0.1'}:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", 0, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        # asyncio leaves open what comes to a listener that was closed meanwhile.
        for listener in self._server.sockets:
            asyncio.get_running_loop().remove_reader(listener.fileno())
        for _ in range(5):
            await asyncio.sleep(0)
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:  # those whose task had not begun
            writer.transport.abort()
        await asyncio.sleep(0)

    async def until(self, requests: int) -> None:
        """Wait until so many requests have arrived."""
        async with asyncio.timeout(60), self.arrived:
            await self.arrived.wait_for(lambda: len(self.requests) >= requests)

    def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._writers.add(writer)
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        number = self.connections
        self.connections += 1
        self.open_connections += 1
        self.raw.append(bytearray())
        try:
            await self._converse(reader, writer, number)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # The client has gone, or the test is over: nobody waits for what is left.
            writer.transport.abort()
        finally:
            self.open_connections -= 1
            writer.close()
            self._writers.discard(writer)

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        while True:
            request = await self._receive(reader, number)
            async with self.arrived:
                self.requests.append(request)
                place = min(len(self.requests), len(self.script)) - 1
                self.arrived.notify_all()
            line = self.script[place]
            reply = line if isinstance(line, Reply) else line(request)
            if not isinstance(reply, Reply):
                reply = await reply
            writer.write(reply.data)
            await writer.drain()
            while reply.endless:
                writer.write(reply.endless)
                await writer.drain()
            match reply.then:
                case "close":
                    return
                case "reset":
                    reset(writer)
                    return
                case "stall":
                    await reader.read()
                    return

    async def _receive(self, reader: asyncio.StreamReader, number: int) -> Received:
        head = await reader.readuntil(b"\r\n\r\n")
        self.raw[number] += head
        received = Received(head, b"", number)
        body = await reader.readexactly(int(received.header("Content-Length") or 0))
        self.raw[number] += body
        return attrs.evolve(received, body=body)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset, not with a goodbye."""
    connection = writer.get_extra_info("socket")
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


@contextlib.contextmanager
def listening(backlog: int = 100):
    """A socket that listens and never accepts; the kernel takes what fits its queues."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(backlog)
        yield listener.getsockname()[1]


@contextlib.contextmanager
def full_backlog():
    """A port on which a connection is not even established: its queue is full."""
    with listening(0) as port, contextlib.ExitStack() as stack:
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port


def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
