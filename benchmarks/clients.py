"""The same work by this package, and by aiohttp itself.

Each function sends all requests to an address, `in_flight` at a time, stores the
responses, and checks nothing but their status.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import yarl

from benchmarks.work import API_KEY, CONNECT, HEADERS, READ, SECRET_KEY, TOTAL
from futureagi_async import AsyncFutureAGI, FutureAGI


if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from benchmarks.server import Address
    from benchmarks.work import Work


def client(address: Address, in_flight: int) -> AsyncFutureAGI:
    """Make an asynchronous client of this package."""
    return AsyncFutureAGI(
        API_KEY,
        SECRET_KEY,
        base_url=address.url,
        max_connections=in_flight,
        ssl=address.tls,
    )


def blocking_client(address: Address, in_flight: int) -> FutureAGI:
    """Make a blocking client of this package."""
    return FutureAGI(
        API_KEY,
        SECRET_KEY,
        base_url=address.url,
        max_connections=in_flight,
        ssl=address.tls,
    )


async def ours(
    address: Address,
    work: Work,
    count: int,
    in_flight: int,
    journal: str | os.PathLike[str] | None = None,
) -> None:
    """Send with `send_many` of the asynchronous client."""
    async with client(address, in_flight) as session:
        requests: Any = work.requests(count)
        batch = await session.send_many(
            requests, max_concurrency=in_flight, journal=journal
        )
    check(len(batch.successes), count)


def ours_blocking(address: Address, work: Work, count: int, in_flight: int) -> None:
    """Send with `send_many` of the blocking client."""
    with blocking_client(address, in_flight) as session:
        requests: Any = work.requests(count)
        batch = session.send_many(requests, max_concurrency=in_flight)
    check(len(batch.successes), count)


async def bare_aiohttp(
    address: Address, work: Work, count: int, in_flight: int
) -> None:
    """Send with the fastest code by hand: workers on one iterator, bytes."""
    answers: list[Any] = [None] * count

    async def send_each(
        session: aiohttp.ClientSession, bodies: Iterator[tuple[int, tuple[str, bytes]]]
    ) -> None:
        for index, (path, body) in bodies:
            async with session.post(
                yarl.URL(address.url + path, encoded=True),
                data=body,
                headers={"X-Request-ID": str(uuid.uuid4())},
                allow_redirects=False,
            ) as response:
                content = await response.read()
                check_status(response.status)
            answers[index] = orjson.loads(content)

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=in_flight, ssl=address.tls or True),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(
            total=TOTAL, sock_connect=CONNECT, sock_read=READ
        ),
        headers=HEADERS,
    ) as session:
        bodies = enumerate(work.bodies(count))
        await asyncio.gather(*(send_each(session, bodies) for _ in range(in_flight)))
    check(sum(each is not None for each in answers), count)


async def usual_aiohttp(
    address: Address, work: Work, count: int, in_flight: int
) -> None:
    """Send with the usual code: a task per item, a semaphore, json."""
    free = asyncio.Semaphore(in_flight)

    async def send(session: aiohttp.ClientSession, path: str, payload: Any) -> Any:
        async with (
            free,
            session.post(
                address.url + path,
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
    check(len(answers), count)


def check_status(status: int) -> None:
    """Check that a response is a success.

    Raises:
        RuntimeError: the status is no 2xx.
    """
    if not 200 <= status < 300:  # noqa: PLR2004 - the 2xx of RFC 9110
        raise RuntimeError(f"status {status}")


def check(answered: int, count: int) -> None:
    """Check that each request had a response.

    Raises:
        RuntimeError: some had none.
    """
    if answered != count:
        raise RuntimeError(f"{answered} responses to {count} requests")
