"""Authentication: the keys, their workspaces, and what a read-only key may not do."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import attrs

from futureagi_async.emulator.rules.content import parse_query
from futureagi_async.emulator.rules.envelope import RejectedError, framework_error
from futureagi_async.emulator.rules.exchange import html_response


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from futureagi_async.emulator.rows import ApiKey, User, Workspace
    from futureagi_async.emulator.rules.exchange import Request
    from futureagi_async.emulator.world import World


_WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})

# The one way to authenticate that the service names to a client without keys.
_CHALLENGE = {"WWW-Authenticate": "ApiKey"}


def authenticate(
    request: Request, world: World, *, read_only_view: bool = False
) -> ApiKey:
    """Return the key that a request was sent with, bound to its workspace.

    Raises:
        RejectedError: there is no key, a wrong one, one that may not write, or one
            without access to the workspace.
    """
    headers = request.headers
    _reject_token(headers)
    api_key = headers.get("X-Api-Key", "").strip()
    secret_key = headers.get("X-Secret-Key", "").strip()
    if not api_key or not secret_key:
        raise _unauthorized(
            "Authentication credentials were not provided.", "not_authenticated"
        )
    key = _find_key(world.keys, api_key, secret_key)
    if key.user is None:
        # The service breaks where it looks for the rights of a user who is gone.
        raise RejectedError(html_response(500, "Server Error (500)"))
    if not _is_bound(key, world):
        key = attrs.evolve(key, workspace=_find_workspace(request, key, world))
    if request.method in _WRITING and not key.may_write and not read_only_view:
        # Part of authentication, so it precedes the check of the method.
        raise RejectedError(
            framework_error(
                403, "Write access denied to this workspace", "permission_denied"
            )
        )
    return key


def _reject_token(headers: Mapping[str, str]) -> None:
    """Reject any token: the service takes it for the web site's, whatever the keys."""
    token = headers.get("Authorization", "").replace("Bearer", "").replace(" ", "")
    if token:
        # The service wraps its own message once more at each level.
        raise _unauthorized(
            "Invalid Token parsed: Invalid Token parsed: Invalid token encryption"
        )


def _find_key(keys: Iterable[ApiKey], api_key: str, secret_key: str) -> ApiKey:
    """Return the enabled key with this secret."""
    for key in keys:
        if (key.api_key, key.secret_key) == (api_key, secret_key) and key.enabled:
            return key
    raise _unauthorized("Invalid API key or secret key")


def _is_bound(key: ApiKey, world: World) -> bool:
    """Return whether the workspace of a key is settled, whatever its requests name."""
    retired = {each.id for each in world.workspaces if not each.active}
    return key.workspace is not None and key.workspace not in retired


def _find_workspace(request: Request, key: ApiKey, world: World) -> str | None:
    """Return the workspace that a request names, or else the user's own.

    One that is unknown, retired or another organization's counts as none.

    Raises:
        RejectedError: its user may not use it, or what names it is no UUID.
    """
    reachable = [
        each
        for each in world.workspaces
        if each.active and each.organization == key.organization
    ]
    user = world.user(key)
    named = request.headers.get("X-Workspace-Id") or _query_workspace(request)
    if named:
        row_id = _parse_id(named)
        workspace = next((each for each in reachable if each.id == row_id), None)
        if workspace and user.may_use(workspace):
            return workspace.id
        if workspace and user.workspaces:
            raise RejectedError(
                framework_error(
                    403, "Access denied to this workspace", "permission_denied"
                )
            )
    own = next((each.id for each in reachable if each.id in user.workspaces), None)
    return own or _join_default(user, reachable)


def _query_workspace(request: Request) -> str:
    """Return the workspace that the query names, if it does."""
    return parse_query(request).get("workspace_id", [""])[-1]


def _parse_id(text: str) -> str:
    """Return an id in its usual spelling; the service breaks at what is none."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise RejectedError(html_response(500, "Server Error (500)")) from None


def _join_default(user: User, workspaces: Iterable[Workspace]) -> str | None:
    """Put a user who has no workspace into the default one; return it."""
    default = next((each.id for each in workspaces if each.default), None)
    if default and user.role != "owner":
        user.workspaces.append(default)
    return default


def _unauthorized(message: str, code: str = "authentication_failed") -> RejectedError:
    """Build the 401 for missing or wrong credentials."""
    return RejectedError(framework_error(401, message, code, _CHALLENGE))
