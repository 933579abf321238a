"""Faults on demand: slow, failing, missing and broken responses.

A fault does nothing until it is added, hits with its probability, drawn from its own
seed, and stops after a number of hits.
"""

import math
import random
from collections import deque
from typing import Literal, TypeAlias, get_args

import attrs

from futureagi_async.emulator.rules.exchange import (
    Response,
    html_response,
    json_response,
)


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

_MINUTE = 60.0


def _validate_kind(_fault: object, _field: object, value: str) -> None:
    """Raise `ValueError` unless the kind exists."""
    if value not in get_args(FaultKind):
        names = ", ".join(get_args(FaultKind))
        raise ValueError(f"fault must be one of {names}, not {value!r}")


@attrs.define(kw_only=True)
class Fault:
    """One kind of fault, and which requests it hits.

    Args:
        fault: `latency` waits `seconds` first; `status` returns `status` instead of
            doing the work; `drop_before` and `drop_after` close the connection before
            and after the work; `truncate` sends half of the response; `garbage` sends
            a response that is not JSON; `dispatch` makes evaluations fail to start;
            `rate_limit` serves `per_minute` requests and returns 429 to others.
        probability: how likely a matching request is hit.
        seed: of the random numbers.
        times: how often it hits at most.
        endpoint: only requests to this endpoint, as named in the log.
        run_test_id: only requests for this run test.
        seconds: how long `latency` waits.
        status: the status that `status` returns.
        retry_after: the `Retry-After` of `status` and `rate_limit`; by default the
            latter computes when it serves requests again.
        per_minute: how many requests `rate_limit` serves.
    """

    fault: FaultKind = attrs.field(validator=_validate_kind)
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
    _random: random.Random = attrs.field(init=False, repr=False)
    _served_at: deque[float] = attrs.field(factory=deque, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Create the random numbers of this fault alone."""
        self._random = random.Random(self.seed)  # noqa: S311 - nothing secret

    def hit(self, endpoint: str, run_test_id: str | None, now: float) -> bool:
        """Return whether it hits this request; call it once per request."""
        if self.times is not None and self.hits >= self.times:
            return False
        if self.endpoint not in (None, endpoint):
            return False
        if self.run_test_id not in (None, run_test_id):
            return False
        # Always drawn, so that the same seed hits the same requests.
        if self._random.random() >= self.probability:
            return False
        if self.fault == "rate_limit" and self._acquire(now):
            return False
        self.hits += 1
        return True

    def _acquire(self, now: float) -> bool:
        """Count a request if the last minute has room for it; return whether."""
        while self._served_at and self._served_at[0] <= now - _MINUTE:
            self._served_at.popleft()
        if len(self._served_at) >= self.limit:
            return False
        self._served_at.append(now)
        return True

    @property
    def limit(self) -> int:
        """How many requests `rate_limit` serves per minute."""
        return 100 if self.per_minute is None else self.per_minute

    @property
    def delay(self) -> float:
        """How many seconds `latency` waits."""
        return 1.0 if self.seconds is None else self.seconds

    def seconds_until_free(self, now: float) -> float:
        """Return the seconds until `rate_limit` serves requests again."""
        return self._served_at[0] + _MINUTE - now if self._served_at else _MINUTE


class Faults:
    """The active faults.

    Attributes:
        active: the faults in the order in which they were added.
    """

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
        """Add a fault; see `Fault` for the arguments.

        Raises:
            ValueError: there is no such fault, or no such probability.
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
        """Remove all faults."""
        self.active.clear()

    def matching(
        self, endpoint: str, run_test_id: str | None, now: float
    ) -> list[Fault]:
        """Return the faults that hit this request; call it once per request."""
        return [fault for fault in self.active if fault.hit(endpoint, run_test_id, now)]


def fault_response(fault: Fault, now: float) -> Response:
    """Return the response of `status` and `rate_limit`, sent instead of the work."""
    status = fault.status or (429 if fault.fault == "rate_limit" else 500)
    retry_after = fault.retry_after
    if retry_after is None and fault.fault == "rate_limit":
        retry_after = math.ceil(fault.seconds_until_free(now))
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:.10g}"}
    return attrs.evolve(_error_page(status, retry_after), headers=headers)


def rate_limited(retry_after: float) -> Response:
    """Return the response to a request beyond the limit."""
    headers = {"Retry-After": f"{retry_after:.10g}"}
    return attrs.evolve(_too_many_requests(retry_after), headers=headers)


def _too_many_requests(retry_after: float | None) -> Response:
    """Return the body of a 429; the seconds to wait stand in it, too."""
    limited: dict[str, object] = {
        "code": "RATE_LIMITED",
        "message": "Rate limit exceeded. Please try again later.",
    }
    if retry_after is not None:
        limited["retry_after"] = retry_after
    return json_response(429, {"status": False, "result": limited})


def _error_page(status: int, retry_after: float | None) -> Response:
    """Return a status in the form that the service or its proxy uses for it."""
    if status == 429:  # noqa: PLR2004 - the number is its name
        return _too_many_requests(retry_after)
    if status == 402:  # noqa: PLR2004 - the number is its name
        detail = "The plan's limit is reached."
        error = {"code": "PAYMENT_REQUIRED", "message": detail, "detail": detail}
        return json_response(402, {"error": error})
    return html_response(status, f"Error {status}")
