"""The service as one function: a request in, a response out."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import attrs

from futureagi_async.emulator.rules.access import authenticate
from futureagi_async.emulator.rules.content import negotiate
from futureagi_async.emulator.rules.context import Context, Effects
from futureagi_async.emulator.rules.envelope import RejectedError, framework_error
from futureagi_async.emulator.rules.exchange import (
    HTML,
    Request,
    Response,
    html_response,
    json_response,
)
from futureagi_async.emulator.rules.routes import HEALTH, Route, find_route
from futureagi_async.emulator.rules.workers import (
    Dispatch,
    Workers,
    WorkSettings,
)


if TYPE_CHECKING:
    from collections.abc import Iterable

    from futureagi_async.emulator.rows import ApiKey
    from futureagi_async.emulator.world import World


@attrs.frozen
class Served:
    """A response and what was done for it.

    Args:
        response: the response to the client.
        effects: what was changed, whatever the response.
    """

    response: Response
    effects: Effects = attrs.field(factory=Effects)


@attrs.define
class Service:
    """The state and the rules over it.

    Args:
        world: the state.
        workers: who does the work that takes time.
    """

    world: World
    workers: Workers

    @classmethod
    def create(
        cls, world: World, dispatch: Dispatch, settings: WorkSettings
    ) -> Service:
        """Create a service over a world in which nothing is under way."""
        return cls(world, Workers(world, dispatch, settings))

    def serve(
        self, request: Request, now: float, *, dispatch: Dispatch | None = None
    ) -> Served:
        """Serve one request.

        Args:
            request: the request.
            now: the time in seconds since 1970.
            dispatch: what becomes of the work that this one request hands over, where
                that differs from all others'.
        """
        self.workers.work_until(now)
        if _is_preflight(request):
            return Served(Response(200, content_type=HTML))
        if request.path == HEALTH:
            return Served(_health(request))
        found = find_route(request.path)
        if found is None:
            return Served(_not_found(request))
        route, ids = found
        effects = Effects()
        try:
            key = self._check(request, route)
            context = Context(
                request,
                key,
                ids,
                self.world,
                self.workers,
                dispatch or self.workers.dispatch,
                effects,
            )
            response = _call_view(route, context)
        except RejectedError as error:
            response = error.response
        except (RecursionError, UnicodeError):
            # Nesting that is too deep and texts that are no UTF-8 break the service
            # below its framework.
            response = html_response(500, "Server Error (500)")
        return Served(response, effects)

    def organization_of(self, request: Request) -> str | None:
        """Return the organization whose key a request was sent with, if there is one."""
        sent = request.headers.get("X-Api-Key", "").strip()
        keys = (key for key in self.world.keys if key.api_key == sent)
        return next((key.organization for key in keys), None)

    def _check(self, request: Request, route: Route) -> ApiKey:
        """Run the checks of the framework in its order; return the key."""
        negotiate(request)
        return authenticate(request, self.world, read_only_view=route.read_only)


def _call_view(route: Route, context: Context) -> Response:
    """Call the view of the request's method."""
    method = context.request.method
    if method == "OPTIONS":
        return json_response(200, _describe(route))
    view = route.views.get("GET" if method == "HEAD" else method)
    if view is None:
        return _method_not_allowed(context.request, route.allowed)
    return view(context)


def _is_preflight(request: Request) -> bool:
    """Return whether a browser asks if it may ask, which needs no keys and no path."""
    return (
        request.method == "OPTIONS"
        and "Access-Control-Request-Method" in request.headers
    )


def _health(request: Request) -> Response:
    """Return a sign of life."""
    if request.method not in ("GET", "HEAD"):
        return _method_not_allowed(request, ("GET", "OPTIONS"))
    return json_response(200, {"status": True, "result": "Server is up and running"})


def _not_found(request: Request) -> Response:
    """Return 404 below the API, or 301 where only the slash at the end is missing.

    A client that follows the 301 turns its POST into a GET.
    """
    if request.path == "/":
        return Response(302, content_type=HTML)
    completed = f"{request.path}/"
    if request.path.endswith("/") or not (completed == HEALTH or find_route(completed)):
        return html_response(404, "Not Found")
    query = f"?{request.query}" if request.query else ""
    location = {"Location": f"{quote(completed, safe=_UNQUOTED)}{query}"}
    return Response(301, content_type=HTML, headers=location)


_UNQUOTED = "/:@&+$,-_.!~*'()"
"""Characters of a path that the framework leaves as they are."""


def _method_not_allowed(request: Request, methods: Iterable[str]) -> Response:
    """Return 405, with the methods that are allowed."""
    allowed = {"Allow": ", ".join(methods)}
    return framework_error(
        405, f'Method "{request.method}" not allowed.', "method_not_allowed", allowed
    )


def _describe(route: Route) -> dict[str, object]:
    """Return the description of an endpoint for OPTIONS."""
    return {
        "name": route.title,
        "description": route.about,
        "renders": ["application/json"],
        "parses": ["application/json", "multipart/form-data"],
    }
