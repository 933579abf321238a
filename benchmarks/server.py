"""A server that answers both POST endpoints as fast as it can, in its own process.

It speaks just enough HTTP for this: no routing, no checks, one answer a request with the
run test and the request id of the request, and as many configs as it has. A `GET` of any
path answers with the cost so far: a `Ledger`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import importlib.util
import pathlib
import re
import ssl
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any, cast

import attrs
import orjson

from benchmarks.certificates import Certificate


if TYPE_CHECKING:
    from collections.abc import Iterator


_HEADER = re.compile(rb"\r\n(content-length|x-request-id): *([^\r]*)")
_HEAD = (
    b"HTTP/1.1 %b\r\nContent-Type: application/json\r\n"
    b"X-Request-ID: %b\r\nContent-Length: %d\r\n\r\n"
)
_OK, _CREATED = b"200 OK", b"201 Created"
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


def added(count: int) -> bytes:
    """Return the body of the response to `count` added configs."""
    before, after = _added(count)
    return before + _RUN_TEST.encode() + after


def answer(target: bytes, body: bytes) -> bytes:
    """Return the body of the response to a POST to `target`."""
    _, run_test_id, endpoint, _ = target.rsplit(b"/", 3)
    if endpoint == b"eval-configs":
        before, after = _added(body.count(b'"template_id"'))
    else:
        before, after = _STARTED
    return before + run_test_id + after


@attrs.define
class Ledger:
    """The work that a server has done.

    Attributes:
        cpu: seconds of CPU that the process has used.
        answers: how many requests it has answered.
        waited: seconds for which it held those requests back, all together.
    """

    cpu: float = 0.0
    answers: int = 0
    waited: float = 0.0

    def since(self, before: Ledger) -> Ledger:
        """Return the difference to an earlier state."""
        return Ledger(
            self.cpu - before.cpu,
            self.answers - before.answers,
            self.waited - before.waited,
        )


class Exchange(asyncio.Protocol):
    """One connection; it answers each request after `latency` seconds."""

    def __init__(self, latency: float, ledger: Ledger) -> None:
        self._latency = latency
        self._ledger = ledger
        self._loop = asyncio.get_running_loop()
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store where responses are written to."""
        # A loop's own transports need not be subclasses of asyncio's.
        self._write = cast("asyncio.Transport", transport).write

    def data_received(self, data: bytes) -> None:
        """Answer the requests that are complete."""
        if self._unread:
            data = self._unread + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            method, target, _ = data.split(b" ", 2)
            headers = dict(_HEADER.findall(data[:end].lower()))
            until = end + 4 + int(headers.get(b"content-length", 0))
            if len(data) < until:
                break
            request_id = headers.get(b"x-request-id", b"")
            if method == b"POST":
                status = _CREATED if target.endswith(b"/eval-configs/") else _OK
                content = answer(target, data[end + 4 : until])
                head = _HEAD % (status, request_id, len(content))
                self._answer(head + content)
            else:
                self._ledger.cpu = time.process_time()
                content = orjson.dumps(attrs.asdict(self._ledger))
                self._write(_HEAD % (_OK, request_id, len(content)) + content)
            data = data[until:]
        self._unread = data

    def _answer(self, content: bytes) -> None:
        self._ledger.answers += 1
        if self._latency:
            # The time of the clock, not of the loop, which stands still for a turn.
            since = time.monotonic()
            self._loop.call_later(self._latency, self._answer_late, since, content)
        else:
            self._write(content)

    def _answer_late(self, since: float, content: bytes) -> None:
        self._write(content)
        self._ledger.waited += time.monotonic() - since


@attrs.frozen
class Address:
    """The address of a server, and the TLS context that trusts it."""

    url: str
    tls: ssl.SSLContext | None = None

    def ledger(self) -> Ledger:
        """Read from the server what it has done."""
        with urllib.request.urlopen(self.url, context=self.tls) as response:  # noqa: S310 - it is our own
            return Ledger(**orjson.loads(response.read()))


@contextlib.contextmanager
def running(
    latency: float = 0.0, certificate: Certificate | None = None
) -> Iterator[Address]:
    """Run a server in its own process; it answers after `latency` seconds."""
    command = [sys.executable, "-m", "benchmarks.server", "--latency", str(latency)]
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(cafile=certificate.certificate)
        command += ["--certificate", str(certificate.certificate)]
        command += ["--key", str(certificate.key)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - this module
        try:
            assert process.stdout is not None  # noqa: S101 - narrows
            yield Address(process.stdout.readline().strip(), tls)
        finally:
            process.terminate()


async def _serve(latency: float, port: int, certificate: Certificate | None) -> None:
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate.certificate, certificate.key)
    ledger = Ledger()
    server = await asyncio.get_running_loop().create_server(
        lambda: Exchange(latency, ledger), "127.0.0.1", port, backlog=2048, ssl=tls
    )
    host, port = server.sockets[0].getsockname()
    print(f"http{'s' if tls else ''}://{host}:{port}", flush=True)
    await server.serve_forever()


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--certificate", type=pathlib.Path, help="a PEM file: TLS")
    parser.add_argument("--key", type=pathlib.Path, help="its key, a PEM file")
    options = parser.parse_args()
    certificate = None
    if options.certificate is not None:
        certificate = Certificate(options.certificate, options.key)
    run = asyncio.run
    if importlib.util.find_spec("uvloop"):
        run = __import__("uvloop").run
    with contextlib.suppress(KeyboardInterrupt):
        run(_serve(options.latency, options.port, certificate))


if __name__ == "__main__":
    _main()
