"""Authentication: the keys, and what a read-only key may not do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from futureagi_async.emulator.rules.envelope import RejectedError, framework_error


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from futureagi_async.emulator.rows import ApiKey
    from futureagi_async.emulator.rules.exchange import Request


_WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})

# The one way to authenticate that the service names to a client without keys.
_CHALLENGE = {"WWW-Authenticate": "ApiKey"}


def authenticate(
    request: Request, keys: Iterable[ApiKey], *, read_only_view: bool = False
) -> ApiKey:
    """Return the key that a request was sent with.

    Raises:
        RejectedError: there is no key, a wrong one, or one that may not write.
    """
    headers = request.headers
    _reject_token(headers)
    api_key = headers.get("X-Api-Key", "").strip()
    secret_key = headers.get("X-Secret-Key", "").strip()
    if not api_key or not secret_key:
        raise _unauthorized(
            "Authentication credentials were not provided.", "not_authenticated"
        )
    key = _find_key(keys, api_key, secret_key)
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


def _unauthorized(message: str, code: str = "authentication_failed") -> RejectedError:
    """Build the 401 for missing or wrong credentials."""
    return RejectedError(framework_error(401, message, code, _CHALLENGE))
