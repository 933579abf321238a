"""The same work by other libraries, any of which may not be installed.

Each function has the arguments of those in `clients`, and imports its library when it
is called.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib
import threading
import uuid
from typing import TYPE_CHECKING, Any

from benchmarks.clients import check, check_status
from benchmarks.work import CONNECT, HEADERS, READ


if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.server import Address
    from benchmarks.work import Work


_SDK_WORKERS = 8  # the default of the pool of futureagi 0.6.13


async def httpx_async(address: Address, work: Work, count: int, in_flight: int) -> None:
    """Send with httpx's asynchronous client and a worker pool."""
    httpx: Any = importlib.import_module("httpx")
    answers: list[Any] = []

    async def send_each(session: Any, posts: Iterator[tuple[str, Any]]) -> None:
        for path, payload in posts:
            response = await session.post(path, json=payload, headers=_request_id())
            response.raise_for_status()
            answers.append(response.json())

    async with httpx.AsyncClient(**_httpx_options(httpx, address, in_flight)) as client:
        posts = work.posts(count)
        await asyncio.gather(*(send_each(client, posts) for _ in range(in_flight)))
    check(len(answers), count)


def httpx_threads(address: Address, work: Work, count: int, in_flight: int) -> None:
    """Send with one blocking client of httpx from `in_flight` threads."""
    httpx: Any = importlib.import_module("httpx")

    def send(post: tuple[str, Any]) -> Any:
        response = client.post(post[0], json=post[1], headers=_request_id())
        response.raise_for_status()
        return response.json()

    with (
        httpx.Client(**_httpx_options(httpx, address, in_flight)) as client,
        concurrent.futures.ThreadPoolExecutor(in_flight) as threads,
    ):
        answers = list(threads.map(send, work.posts(count)))
    check(len(answers), count)


def requests_threads(address: Address, work: Work, count: int, in_flight: int) -> None:
    """Send with requests, a session in each of `in_flight` threads."""
    requests: Any = importlib.import_module("requests")
    local = threading.local()

    def send(post: tuple[str, Any]) -> Any:
        session = getattr(local, "session", None)
        if session is None:
            session = local.session = requests.Session()
            session.headers.update(HEADERS)
        response = session.post(
            address.url + post[0],
            json=post[1],
            headers=_request_id(),
            timeout=(CONNECT, READ),
        )
        response.raise_for_status()
        return response.json()

    with concurrent.futures.ThreadPoolExecutor(in_flight) as threads:
        answers = list(threads.map(send, work.posts(count)))
    check(len(answers), count)


def requests_futures(address: Address, work: Work, count: int, in_flight: int) -> None:
    """Send with requests-futures as in its documentation: all, then the results."""
    sessions: Any = importlib.import_module("requests_futures.sessions")
    with sessions.FuturesSession(max_workers=in_flight) as session:
        session.headers.update(HEADERS)
        waiting = [
            session.post(address.url + path, json=payload, headers=_request_id())
            for path, payload in work.posts(count)
        ]
        answers = []
        for each in waiting:
            response = each.result()
            response.raise_for_status()
            answers.append(response.json())
    check(len(answers), count)


def official_sdk(address: Address, work: Work, count: int, in_flight: int) -> None:
    """Send as `HttpClient.request` of the official SDK does.

    It hands each request to a `FuturesSession` and waits for its result before it
    returns, so that there is never more than one in flight, whatever `in_flight` is.
    """
    del in_flight
    sessions: Any = importlib.import_module("requests_futures.sessions")
    answers = []
    threads = concurrent.futures.ThreadPoolExecutor(_SDK_WORKERS)
    with threads, sessions.FuturesSession(executor=threads) as session:
        for path, payload in work.posts(count):
            response = session.request(
                method="POST",
                url=address.url + path,
                headers={**HEADERS, **_request_id()},
                params={},
                json=payload,
                data={},
                files={},
                timeout=READ,
            ).result()
            check_status(response.status_code)
            answers.append(response.json())
    check(len(answers), count)


def _httpx_options(httpx: Any, address: Address, in_flight: int) -> dict[str, Any]:
    return {
        "base_url": address.url,
        "headers": HEADERS,
        "timeout": httpx.Timeout(READ, connect=CONNECT),
        "limits": httpx.Limits(max_connections=in_flight),
    }


def _request_id() -> dict[str, str]:
    return {"X-Request-ID": str(uuid.uuid4())}
