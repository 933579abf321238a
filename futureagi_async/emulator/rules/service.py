"""The whole service as one function: a request in, an answer out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from futureagi_async.emulator.rules.access import authenticate
from futureagi_async.emulator.rules.content import negotiate
from futureagi_async.emulator.rules.context import Context, Work
from futureagi_async.emulator.rules.envelope import RefusedError, framework_error
from futureagi_async.emulator.rules.evaluations import Dispatch, Evaluations
from futureagi_async.emulator.rules.exchange import (
    HTML,
    Answer,
    Request,
    html_answer,
    json_answer,
)
from futureagi_async.emulator.rules.routes import Route, resolve


if TYPE_CHECKING:
    from collections.abc import Iterable

    from futureagi_async.emulator.world import World


HEALTH = "/health/"
"""The one path that needs no keys."""


@attrs.frozen
class Served:
    """An answer and what stands behind it.

    Args:
        answer: What the client gets.
        endpoint: Which endpoint it was, or none.
        run_test_id: The run test in the path, or none.
        work: What was done, whatever the answer says.
    """

    answer: Answer
    endpoint: str | None = None
    run_test_id: str | None = None
    work: Work | None = None


@attrs.define
class Service:
    """The state and the rules over it.

    Args:
        world: The state.
        evaluations: What is being evaluated.
    """

    world: World
    evaluations: Evaluations

    @classmethod
    def over(cls, world: World, dispatch: Dispatch, seconds: float) -> Service:
        """A service over a world in which nothing is being evaluated yet."""
        return cls(world, Evaluations(world, dispatch, seconds))

    def serve(
        self, request: Request, now: float, *, dispatch: Dispatch | None = None
    ) -> Served:
        """Answers one request.

        Args:
            request: What arrived.
            now: The time in seconds, from any fixed point.
            dispatch: How this one request's evaluations are handed over, where that
                differs from all others'.
        """
        self.evaluations.finish_due(now)
        if preflight(request):
            return Served(Answer(200, content_type=HTML))
        if request.path == HEALTH:
            return Served(healthy(request), "health")
        found = resolve(request.path)
        if found is None:
            return Served(no_such_page(request))
        route, ids = found
        work = Work()
        evaluations = self.evaluations
        if dispatch is not None:
            evaluations = attrs.evolve(evaluations, dispatch=dispatch)
        try:
            answer = self.viewed(
                request, route, ids, evaluations=evaluations, now=now, work=work
            )
        except RefusedError as refusal:
            answer = refusal.answer
        except (RecursionError, UnicodeError):
            # Nesting that is too deep and texts that are no UTF-8 break the service
            # below its framework.
            answer = html_answer(500, "Server Error (500)")
        run_test_id = ids[0] if ids and route.of_run_test else None
        return Served(answer, route.endpoint, run_test_id, work)

    def viewed(
        self,
        request: Request,
        route: Route,
        ids: tuple[str, ...],
        *,
        evaluations: Evaluations,
        now: float,
        work: Work,
    ) -> Answer:
        """The checks of the framework in its order, then the view."""
        negotiate(request)
        key = authenticate(request, self.world.keys, read_only_view=route.read_only)
        method = request.method
        if method == "OPTIONS":
            return json_answer(200, description(route))
        view = route.views.get("GET" if method == "HEAD" else method)
        if view is None:
            return method_not_allowed(request, route.views)
        context = Context(request, key, ids, self.world, evaluations, now, work)
        return view(context)


def preflight(request: Request) -> bool:
    """Whether a browser asks if it may ask; that needs neither keys nor a path."""
    return (
        request.method == "OPTIONS"
        and "Access-Control-Request-Method" in request.headers
    )


def healthy(request: Request) -> Answer:
    """A sign of life."""
    if request.method not in ("GET", "HEAD"):
        return method_not_allowed(request, ("GET",))
    return json_answer(200, {"status": True, "result": "Server is up and running"})


def no_such_page(request: Request) -> Answer:
    """404 below the API; 301 where only the slash at the end is missing.

    A client that follows the 301 turns its POST into a GET.
    """
    completed = f"{request.path}/"
    if request.path.endswith("/") or not (completed == HEALTH or resolve(completed)):
        return html_answer(404, "Not Found")
    query = f"?{request.query}" if request.query else ""
    location = {"Location": f"{completed}{query}"}
    return Answer(301, content_type=HTML, headers=location)


def method_not_allowed(request: Request, methods: Iterable[str]) -> Answer:
    """405, with the methods that are."""
    allowed = {"Allow": ", ".join([*methods, "OPTIONS"])}
    return framework_error(
        405, f'Method "{request.method}" not allowed.', "method_not_allowed", allowed
    )


def description(route: Route) -> dict[str, object]:
    """What OPTIONS tells about an endpoint."""
    return {
        "name": route.title,
        "description": route.about,
        "renders": ["application/json"],
        "parses": ["application/json", "multipart/form-data"],
    }
