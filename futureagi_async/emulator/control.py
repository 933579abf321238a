"""The emulator's own paths: reset, log and faults. The service has none of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, get_args

import attrs

from futureagi_async.emulator.faults import Faults
from futureagi_async.emulator.rules.evaluations import Dispatch
from futureagi_async.emulator.rules.exchange import Answer, Request, json_answer
from futureagi_async.emulator.rules.service import Service
from futureagi_async.emulator.world import World, WorldError


if TYPE_CHECKING:
    from futureagi_async.emulator.log import Log


PREFIX = "/_emulator/"


@attrs.define
class Desk:
    """A service, and what is seen and steered from outside.

    Args:
        service: The service as it is now; a reset puts another one here.
        log: What arrived.
        faults: The faults that are on.
        run_seconds: How long evaluations take.
    """

    service: Service
    log: Log
    faults: Faults
    run_seconds: float

    def reset(self, world: World | None, dispatch: Dispatch | None) -> None:
        """Starts over.

        Args:
            world: The new world; by default the one from the beginning.
            dispatch: What becomes of evaluations; by default what became of them.
        """
        world = world or self.service.world.renewed()
        dispatch = dispatch or self.service.evaluations.dispatch
        self.service = Service.over(world, dispatch, self.run_seconds)
        self.log.clear()
        self.faults.clear()


def answer(request: Request, desk: Desk) -> Answer:
    """Answers a control request."""
    step = STEPS.get((request.method, request.path))
    if step is None:
        known = ", ".join(" ".join(each) for each in STEPS)
        return json_answer(404, {"error": f"the emulator's own paths are {known}"})
    try:
        return step(request, desk)
    except (ValueError, TypeError) as problem:
        return json_answer(400, {"error": str(problem)})


def reset(request: Request, desk: Desk) -> Answer:
    """A new world, an empty log, no faults."""
    wanted = json.loads(request.body or b"{}")
    if not isinstance(wanted, Mapping):
        raise TypeError("reset takes an object with world and dispatch")
    dispatch = wanted.get("dispatch")
    if dispatch not in (None, *get_args(Dispatch)):
        raise ValueError(f"dispatch must be accept, run or fail, not {dispatch!r}")
    world = wanted.get("world")
    if not isinstance(world, Mapping | None):
        raise WorldError("a world is an object, with api_keys and run_tests")
    desk.reset(None if world is None else World.load(world), dispatch)
    return json_answer(200, {"status": "reset"})


def log(_request: Request, desk: Desk) -> Answer:
    """All that the log holds."""
    seen = desk.log
    counts: dict[str, dict[str, int]] = {}
    for (endpoint, status), count in seen.counts.items():
        counts.setdefault(endpoint, {})[str(status)] = count
    body: dict[str, Any] = {
        "requests": [attrs.asdict(each) for each in seen.requests],
        "counts": counts,
        "in_flight": seen.in_flight,
        "most_in_flight": seen.most_in_flight,
        "runs": dict(seen.runs),
        "configs": dict(seen.configs),
    }
    return json_answer(200, body)


def faults(request: Request, desk: Desk) -> Answer:
    """These faults and no others."""
    wanted = json.loads(request.body)
    if not isinstance(wanted, list):
        raise TypeError("faults is a list of objects")
    fresh = Faults()
    for each in wanted:
        fresh.add(**each)
    desk.faults.active[:] = fresh.active
    return json_answer(200, {"faults": len(fresh.active)})


STEPS: Mapping[tuple[str, str], Callable[[Request, Desk], Answer]] = {
    ("POST", f"{PREFIX}reset"): reset,
    ("GET", f"{PREFIX}log"): log,
    ("POST", f"{PREFIX}faults"): faults,
}
