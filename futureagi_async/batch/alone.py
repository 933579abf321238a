"""Requests and jobs that are part of no fan-out."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from futureagi_async.errors import APIError, ClientClosedError, Delivery
from futureagi_async.model.operation import Operation
from futureagi_async.model.request import Request, Result, ResultT
from futureagi_async.transport.call import RequestOptions, ThrottleBudget


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from futureagi_async.journal.entry import JournalEntry
    from futureagi_async.model.reconciliation import Reconcilable, Reconciliation
    from futureagi_async.transport.settings import Settings
    from futureagi_async.transport.transport import Transport


AnyResultT = TypeVar("AnyResultT", bound=Result)
"""What a part of a job gives; the job itself gives something else."""


@attrs.frozen(eq=False, repr=False)
class Carrier:
    """What a client sends with."""

    transport: Transport
    options: RequestOptions
    settings: Settings


async def send_alone(carrier: Carrier, request: Request[ResultT]) -> ResultT:
    """Send a request that is part of no fan-out, or do a job.

    Raises:
        FutureAGIError: it failed.
    """
    if isinstance(request, Operation):
        done: ResultT = await carrier.transport.work(request, _OwnHands(carrier))
        return done
    result, _ = await carrier.transport.call(request, carrier.options)
    return result


async def read_page(carrier: Carrier, request: Request[ResultT]) -> ResultT:
    """Read a page of a list, with the patience of a fan-out when it is turned away.

    A list is often what a fan-out is read from, and its workers use up the same rate
    limit.

    Raises:
        APIError: it failed.
    """
    patience = ThrottleBudget(asyncio.get_running_loop().time())
    result, _ = await carrier.transport.call(request, carrier.options, patience)
    return result


@attrs.frozen(eq=False, repr=False)
class _OwnHands:
    """The hands of a job that is part of no fan-out."""

    carrier: Carrier

    async def read(self, request: Request[AnyResultT], /) -> AnyResultT:
        with only_reading():
            return await send_alone(self.carrier, request)

    async def write(self, request: Request[AnyResultT], /) -> AnyResultT:
        return await send_alone(self.carrier, request)

    async def look(self, request: Reconcilable[Any], /) -> Reconciliation:
        return await request.look(self.read, was_absent=False)

    async def earlier(self, run_test_id: str, /) -> Sequence[JournalEntry]:  # noqa: ARG002 - as `Executor` has it
        return ()


@contextlib.contextmanager
def only_reading() -> Iterator[None]:
    """Have a part of a job that only reads leave no work in doubt when it fails."""
    try:
        yield
    except APIError as error:
        if error.delivery is Delivery.UNKNOWN:
            error.delivery = Delivery.NOT_SENT
        raise
    except ClientClosedError as error:
        if error.delivery is not Delivery.UNKNOWN:
            raise
        message = "the client was closed during the call"
        raise ClientClosedError(message) from error.__cause__
