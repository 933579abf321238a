"""A server that answers both POST endpoints as fast as it can, in its own process.

It speaks just enough HTTP for this: no routing, no checks, one answer a request with the
run test and the request id of the question, and as many configs as were asked for. A
`GET` of anything answers with the CPU seconds that the process has used.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import importlib.util
import re
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any, cast

import orjson


if TYPE_CHECKING:
    from collections.abc import Iterator


_HEADER = re.compile(rb"\r\n(content-length|x-request-id): *([^\r]*)")
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"X-Request-ID: %b\r\nContent-Length: %d\r\n\r\n"
)
_RUN_TEST = "00000000-0000-4000-8000-ffffffffffff"
_TEMPLATE = "8852dfdd-16f3-4a5a-9bb6-4025b3983786"


def _split_at_run_test(answer: object) -> tuple[bytes, bytes]:
    before, after = orjson.dumps(answer).split(_RUN_TEST.encode())
    return before, after


@functools.cache
def _added(count: int) -> tuple[bytes, bytes]:
    created: list[dict[str, Any]] = [
        {
            "id": f"{index:08x}-16f3-4a5a-9bb6-4025b3983786",
            "name": f"eval {index}",
            "config": {},
            "mapping": {"text": "transcript"},
            "filters": [],
            "error_localizer": False,
            "model": None,
            "status": "Completed",
            "eval_group": None,
            "template_id": _TEMPLATE,
        }
        for index in range(count)
    ]
    return _split_at_run_test(
        {
            "message": f"Successfully added {count} evaluation config(s) to run test",
            "created_eval_configs": created,
            "run_test_id": _RUN_TEST,
        }
    )


_STARTED = _split_at_run_test(
    {
        "message": "New evaluations dispatched successfully. Individual tasks will "
        "run in parallel.",
        "run_test_id": _RUN_TEST,
        "call_execution_count": 3,
    }
)


def answer(target: bytes, body: bytes) -> bytes:
    """Give the body of the answer to what was posted to `target`."""
    _, run_test_id, endpoint, _ = target.rsplit(b"/", 3)
    if endpoint == b"eval-configs":
        before, after = _added(body.count(b'"template_id"'))
    else:
        before, after = _STARTED
    return before + run_test_id + after


class Exchange(asyncio.Protocol):
    """One connection; it answers each request after `latency` seconds."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._loop = asyncio.get_running_loop()
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers are written to."""
        # A loop's own transports need not be subclasses of asyncio's.
        self._write = cast("asyncio.Transport", transport).write

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        if self._unread:
            data = self._unread + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            method, target, _ = data.split(b" ", 2)
            headers = dict(_HEADER.findall(data[:end].lower()))
            until = end + 4 + int(headers.get(b"content-length", 0))
            if len(data) < until:
                break
            if method == b"POST":
                content = answer(target, data[end + 4 : until])
            else:
                content = b"%f" % time.process_time()
            head = _HEAD % (headers.get(b"x-request-id", b""), len(content))
            self._answer(head + content)
            data = data[until:]
        self._unread = data

    def _answer(self, content: bytes) -> None:
        if self._latency:
            self._loop.call_later(self._latency, self._write, content)
        else:
            self._write(content)


@contextlib.contextmanager
def running(latency: float = 0.0) -> Iterator[str]:
    """Run a server in its own process; give its base URL."""
    command = [sys.executable, "-m", "benchmarks.server", "--latency", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - this module
        try:
            assert process.stdout is not None  # noqa: S101 - narrows
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def cpu_seconds(url: str) -> float:
    """Ask a server how much CPU it has used."""
    with urllib.request.urlopen(url) as response:  # noqa: S310 - it is our own
        return float(response.read())


async def _serve(latency: float, port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Exchange(latency), "127.0.0.1", port, backlog=2048
    )
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await server.serve_forever()


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    run = asyncio.run
    if importlib.util.find_spec("uvloop"):
        run = __import__("uvloop").run
    with contextlib.suppress(KeyboardInterrupt):
        run(_serve(options.latency, options.port))


if __name__ == "__main__":
    _main()
