"""The emulator's own paths: reset, rows, log and faults. The service has none of them."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import attrs

from futureagi_async.emulator.faults import Faults
from futureagi_async.emulator.loading import WorldError
from futureagi_async.emulator.log import Log
from futureagi_async.emulator.moments import apply_changes
from futureagi_async.emulator.rate_limit import RateLimit
from futureagi_async.emulator.rules.exchange import Request, Response, json_response
from futureagi_async.emulator.rules.service import Service
from futureagi_async.emulator.rules.workers import Dispatch
from futureagi_async.emulator.world import World


PREFIX = "/_emulator/"


@attrs.define
class EmulatorState:
    """A service with its log and faults.

    Args:
        service: the service; a reset replaces it.
        log: what arrived.
        faults: the active faults.
        rate_limit: the limit of requests; `None`: none.
    """

    service: Service
    log: Log
    faults: Faults
    rate_limit: RateLimit | None = None

    def reset(self, world: World | None, dispatch: Dispatch | None) -> None:
        """Start over with an empty log and no faults.

        Args:
            world: the new world; by default the current one as it was at the
                beginning.
            dispatch: what becomes of work that is handed over; unchanged by default.
        """
        world = world or self.service.world.reset_copy()
        workers = self.service.workers
        dispatch = dispatch or workers.dispatch
        self.service = Service.create(world, dispatch, workers.settings)
        self.log.clear()
        self.faults.clear()
        if self.rate_limit:
            self.rate_limit.clear()

    def change_rows(self, changes: Sequence[Mapping[str, Any]]) -> None:
        """Change rows in the order of the changes, all of them or none.

        Args:
            changes: as `futureagi_async.emulator.moments` describes them.

        Raises:
            WorldError: a change makes no sense.
        """
        service = self.service
        now = time.time()
        service.workers.work_until(now)
        apply_changes(service.world, changes, lambda: service.world.clock.stamp(now))


def respond(request: Request, state: EmulatorState) -> Response:
    """Respond to a control request."""
    view = _VIEWS.get((request.method, request.path))
    if view is None:
        known = ", ".join(" ".join(key) for key in _VIEWS)
        return json_response(404, {"error": f"the emulator's own paths are {known}"})
    try:
        return view(request, state)
    except (ValueError, TypeError) as error:
        return json_response(400, {"error": str(error)})


def check_dispatch(dispatch: object) -> None:
    """Raise `ValueError` unless there is such a dispatch."""
    if dispatch not in get_args(Dispatch):
        raise ValueError(f"dispatch must be accept, run or fail, not {dispatch!r}")


def _reset(request: Request, state: EmulatorState) -> Response:
    """Replace the world, clear the log and remove the faults."""
    body = json.loads(request.body or b"{}")
    if not isinstance(body, Mapping):
        raise TypeError("reset takes an object with world and dispatch")
    dispatch = body.get("dispatch")
    if dispatch is not None:
        check_dispatch(dispatch)
    world = body.get("world")
    if not isinstance(world, Mapping | None):
        raise WorldError("a world is an object, with api_keys and run_tests")
    state.reset(None if world is None else World.load(world), dispatch)
    return json_response(200, {"status": "reset"})


def _rows(request: Request, state: EmulatorState) -> Response:
    """Change rows as the service's workers change them, all of them or none."""
    changes = json.loads(request.body)
    state.change_rows(changes)
    return json_response(200, {"changes": len(changes)})


def _log(_request: Request, state: EmulatorState) -> Response:
    """Return the log."""
    log = state.log
    counts: dict[str, dict[str, int]] = {}
    for (endpoint, status), count in log.counts.items():
        counts.setdefault(endpoint, {})[str(status)] = count
    body: dict[str, Any] = {
        "requests": [attrs.asdict(request) for request in log.requests],
        "counts": counts,
        "response_bytes": dict(log.response_bytes),
        "in_flight": log.in_flight,
        "most_in_flight": log.most_in_flight,
        "runs": dict(log.runs),
        "configs": dict(log.configs),
    }
    return json_response(200, body)


def _faults(request: Request, state: EmulatorState) -> Response:
    """Replace the active faults."""
    body = json.loads(request.body)
    if not isinstance(body, list):
        raise TypeError("faults is a list of objects")
    faults = Faults()
    for settings in body:
        faults.add(**settings)
    state.faults.active[:] = faults.active
    return json_response(200, {"faults": len(faults.active)})


_VIEWS: Mapping[tuple[str, str], Callable[[Request, EmulatorState], Response]] = {
    ("POST", f"{PREFIX}reset"): _reset,
    ("POST", f"{PREFIX}rows"): _rows,
    ("GET", f"{PREFIX}log"): _log,
    ("POST", f"{PREFIX}faults"): _faults,
}
