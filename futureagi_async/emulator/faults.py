"""Trouble on demand: slow, failing, silent and broken answers.

A fault does nothing until it is added, hits with its probability, drawn from its own
seed, and ends after a number of hits.
"""

from __future__ import annotations

import math
import random
from collections import deque
from typing import Literal, TypeAlias, get_args

import attrs

from futureagi_async.emulator.rules.exchange import Answer, html_answer, json_answer


FaultKind: TypeAlias = Literal[
    "latency",
    "status",
    "drop_before",
    "drop_after",
    "truncate",
    "garbage",
    "dispatch",
    "rate_limit",
]

MINUTE = 60.0


def known(_fault: Fault, _field: object, value: str) -> None:
    """A kind that exists."""
    if value not in get_args(FaultKind):
        names = ", ".join(get_args(FaultKind))
        raise ValueError(f"fault must be one of {names}, not {value!r}")


@attrs.define(kw_only=True)
class Fault:
    """One kind of trouble.

    Args:
        fault: `latency` waits `seconds` first; `status` answers `status` instead of
            doing the work; `drop_before` and `drop_after` close the connection before
            and after the work; `truncate` sends half of the answer; `garbage` sends an
            answer that is no JSON; `dispatch` makes evaluations fail to be handed over;
            `rate_limit` lets through `per_minute` requests and answers 429 to others.
        probability: How likely a fitting request is hit.
        seed: Of the random numbers.
        times: How often it hits at most.
        endpoint: Only requests to this endpoint, as named in the log.
        run_test_id: Only requests for this run test.
        seconds: How long `latency` waits.
        status: What `status` answers.
        retry_after: The `Retry-After` of `status` and `rate_limit`; the latter finds
            out by itself when there is room again.
        per_minute: How many requests `rate_limit` lets through.
    """

    fault: FaultKind = attrs.field(validator=known)
    probability: float = attrs.field(
        default=1.0, validator=[attrs.validators.ge(0), attrs.validators.le(1)]
    )
    seed: int = 0
    times: int | None = None
    endpoint: str | None = None
    run_test_id: str | None = None
    seconds: float | None = None
    status: int | None = None
    retry_after: float | None = None
    per_minute: int | None = None
    hits: int = attrs.field(default=0, init=False)
    dice: random.Random = attrs.field(init=False, repr=False)
    passed: deque[float] = attrs.field(factory=deque, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Every fault draws from numbers of its own."""
        self.dice = random.Random(self.seed)  # noqa: S311 (nothing secret)

    def hit(self, endpoint: str, run_test_id: str | None, now: float) -> bool:
        """Whether it strikes this request; asked once a request."""
        if self.times is not None and self.hits >= self.times:
            return False
        if self.endpoint not in (None, endpoint):
            return False
        if self.run_test_id not in (None, run_test_id):
            return False
        # Always drawn, so that the same seed gives the same row of hits and misses.
        if self.dice.random() >= self.probability:
            return False
        if self.fault == "rate_limit" and self.has_room(now):
            return False
        self.hits += 1
        return True

    def has_room(self, now: float) -> bool:
        """Whether the last minute has room for one more."""
        while self.passed and self.passed[0] <= now - MINUTE:
            self.passed.popleft()
        if len(self.passed) >= self.limit:
            return False
        self.passed.append(now)
        return True

    @property
    def limit(self) -> int:
        """How many requests a minute are let through."""
        return 100 if self.per_minute is None else self.per_minute

    @property
    def wait(self) -> float:
        """The seconds of `latency`."""
        return 1.0 if self.seconds is None else self.seconds

    def room_in(self, now: float) -> float:
        """The seconds until there is room again."""
        return self.passed[0] + MINUTE - now if self.passed else MINUTE


class Faults:
    """The faults that are on."""

    def __init__(self) -> None:
        self.active: list[Fault] = []

    def add(
        self,
        fault: FaultKind,
        *,
        probability: float = 1.0,
        seed: int = 0,
        times: int | None = None,
        endpoint: str | None = None,
        run_test_id: str | None = None,
        seconds: float | None = None,
        status: int | None = None,
        retry_after: float | None = None,
        per_minute: int | None = None,
    ) -> Fault:
        """Switches one on; see `Fault` for the arguments.

        Raises:
            ValueError: There is no such fault, or no such probability.
        """
        added = Fault(
            fault=fault,
            probability=probability,
            seed=seed,
            times=times,
            endpoint=endpoint,
            run_test_id=run_test_id,
            seconds=seconds,
            status=status,
            retry_after=retry_after,
            per_minute=per_minute,
        )
        self.active.append(added)
        return added

    def clear(self) -> None:
        """Switches all off."""
        self.active.clear()

    def strike(self, endpoint: str, run_test_id: str | None, now: float) -> list[Fault]:
        """Those that hit this request."""
        return [each for each in self.active if each.hit(endpoint, run_test_id, now)]


def instead(fault: Fault, now: float) -> Answer:
    """What `status` and `rate_limit` answer instead of doing the work."""
    status = fault.status or (429 if fault.fault == "rate_limit" else 500)
    wait = fault.retry_after
    if wait is None and fault.fault == "rate_limit":
        wait = math.ceil(fault.room_in(now))
    headers = {} if wait is None else {"Retry-After": f"{wait:.10g}"}
    return attrs.evolve(body_of(status, wait), headers=headers)


def body_of(status: int, wait: float | None) -> Answer:
    """The forms that the service and what stands before it use."""
    if status == 429:  # noqa: PLR2004 (the number is its name)
        limited: dict[str, object] = {
            "code": "RATE_LIMITED",
            "message": "Rate limit exceeded. Please try again later.",
        }
        if wait is not None:
            limited["retry_after"] = wait
        return json_answer(429, {"status": False, "result": limited})
    if status == 402:  # noqa: PLR2004 (the number is its name)
        detail = "The plan's limit is reached."
        error = {"code": "PAYMENT_REQUIRED", "message": detail, "detail": detail}
        return json_answer(402, {"error": error})
    return html_answer(status, f"Error {status}")
