"""The same work by this package, and by what a user would write or pick instead.

Each function sends all of it to `url`, `in_flight` requests at a time, keeps what came
back, and checks nothing but the status.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib
import threading
import uuid
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import yarl

from benchmarks.work import API_KEY, CONNECT, HEADERS, READ, SECRET_KEY, TOTAL
from futureagi_async import AsyncFutureAGI, FutureAGI


if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.work import Work


def client(url: str, in_flight: int) -> AsyncFutureAGI:
    """Make an asynchronous client of this package."""
    return AsyncFutureAGI(API_KEY, SECRET_KEY, base_url=url, max_connections=in_flight)


def blocking_client(url: str, in_flight: int) -> FutureAGI:
    """Make a blocking client of this package."""
    return FutureAGI(API_KEY, SECRET_KEY, base_url=url, max_connections=in_flight)


async def ours(url: str, work: Work, count: int, in_flight: int) -> None:
    """Send by `send_many` of the asynchronous client."""
    async with client(url, in_flight) as session:
        requests: Any = work.requests(count)
        batch = await session.send_many(requests, max_concurrency=in_flight)
    _check(len(batch.successes), count)


def ours_blocking(url: str, work: Work, count: int, in_flight: int) -> None:
    """Send by `send_many` of the blocking client."""
    with blocking_client(url, in_flight) as session:
        requests: Any = work.requests(count)
        batch = session.send_many(requests, max_concurrency=in_flight)
    _check(len(batch.successes), count)


async def bare_aiohttp(url: str, work: Work, count: int, in_flight: int) -> None:
    """Send as the best that one can write by hand: workers on one iterator, bytes."""
    answers: list[Any] = [None] * count

    async def send_each(
        session: aiohttp.ClientSession, bodies: Iterator[tuple[int, tuple[str, bytes]]]
    ) -> None:
        for place, (path, body) in bodies:
            async with session.post(
                yarl.URL(url + path, encoded=True),
                data=body,
                headers={"X-Request-ID": str(uuid.uuid4())},
                allow_redirects=False,
            ) as response:
                content = await response.read()
                _check_status(response.status)
            answers[place] = orjson.loads(content)

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=in_flight),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(
            total=TOTAL, sock_connect=CONNECT, sock_read=READ
        ),
        headers=HEADERS,
    ) as session:
        bodies = enumerate(work.bodies(count))
        await asyncio.gather(*(send_each(session, bodies) for _ in range(in_flight)))
    _check(sum(each is not None for each in answers), count)


async def usual_aiohttp(url: str, work: Work, count: int, in_flight: int) -> None:
    """Send as it is usually written: a task an item, a semaphore, json."""
    free = asyncio.Semaphore(in_flight)

    async def send(session: aiohttp.ClientSession, path: str, payload: Any) -> Any:
        async with (
            free,
            session.post(
                url + path,
                json=payload,
                headers={"X-Request-ID": str(uuid.uuid4())},
            ) as response,
        ):
            response.raise_for_status()
            return await response.json()

    async with aiohttp.ClientSession(headers=HEADERS) as session:
        answers = await asyncio.gather(
            *(send(session, path, payload) for path, payload in work.posts(count))
        )
    _check(len(answers), count)


async def httpx_async(url: str, work: Work, count: int, in_flight: int) -> None:
    """Send by httpx's asynchronous client, with a worker pool."""
    httpx: Any = importlib.import_module("httpx")  # may be missing

    answers: list[Any] = []

    async def send_each(session: Any, posts: Iterator[tuple[str, Any]]) -> None:
        for path, payload in posts:
            response = await session.post(
                url + path,
                json=payload,
                headers={"X-Request-ID": str(uuid.uuid4())},
            )
            response.raise_for_status()
            answers.append(response.json())

    async with httpx.AsyncClient(
        headers=HEADERS,
        timeout=httpx.Timeout(READ, connect=CONNECT),
        limits=httpx.Limits(max_connections=in_flight),
    ) as session:
        posts = work.posts(count)
        await asyncio.gather(*(send_each(session, posts) for _ in range(in_flight)))
    _check(len(answers), count)


def requests_threads(url: str, work: Work, count: int, in_flight: int) -> None:
    """Send by requests, a session in each of so many threads."""
    requests: Any = importlib.import_module("requests")  # may be missing

    local = threading.local()

    def send(post: tuple[str, Any]) -> Any:
        session = getattr(local, "session", None)
        if session is None:
            session = local.session = requests.Session()
            session.headers.update(HEADERS)
        response = session.post(
            url + post[0],
            json=post[1],
            headers={"X-Request-ID": str(uuid.uuid4())},
            timeout=(CONNECT, READ),
        )
        response.raise_for_status()
        return response.json()

    with concurrent.futures.ThreadPoolExecutor(in_flight) as threads:
        answers = list(threads.map(send, work.posts(count)))
    _check(len(answers), count)


def _check_status(status: int) -> None:
    if not 200 <= status < 300:  # noqa: PLR2004 - the 2xx of RFC 9110
        raise RuntimeError(f"status {status}")


def _check(answered: int, count: int) -> None:
    if answered != count:
        raise RuntimeError(f"{answered} answers to {count} requests")
