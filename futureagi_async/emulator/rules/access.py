"""Who may come in: the keys, and what a read-only key may not do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from futureagi_async.emulator.rules.envelope import RefusedError, framework_error


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from futureagi_async.emulator.rows import ApiKey
    from futureagi_async.emulator.rules.exchange import Request


WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})

# The one way to authenticate that the service names to a client without keys.
CHALLENGE = {"WWW-Authenticate": "ApiKey"}


def authenticate(
    request: Request, keys: Iterable[ApiKey], *, read_only_view: bool = False
) -> ApiKey:
    """The key that a request came with.

    Raises:
        RefusedError: There is no key, a wrong one, or one that may not write.
    """
    headers = request.headers
    refuse_token(headers)
    api_key = headers.get("X-Api-Key", "").strip()
    secret_key = headers.get("X-Secret-Key", "").strip()
    if not api_key or not secret_key:
        raise RefusedError(
            framework_error(
                401,
                "Authentication credentials were not provided.",
                "not_authenticated",
                CHALLENGE,
            )
        )
    key = find(keys, api_key, secret_key)
    if request.method in WRITING and not key.may_write and not read_only_view:
        # Part of authentication, so it comes before the method is looked at.
        raise RefusedError(
            framework_error(
                403, "Write access denied to this workspace", "permission_denied"
            )
        )
    return key


def refuse_token(headers: Mapping[str, str]) -> None:
    """Any token is taken for the web site's own, whatever keys come with it."""
    token = headers.get("Authorization", "").replace("Bearer", "").replace(" ", "")
    if token:
        # The service wraps its own message once more at each level.
        raise authentication_failed(
            "Invalid Token parsed: Invalid Token parsed: Invalid token encryption"
        )


def find(keys: Iterable[ApiKey], api_key: str, secret_key: str) -> ApiKey:
    """The key with this secret; a disabled one is as good as none."""
    for key in keys:
        if (key.api_key, key.secret_key) == (api_key, secret_key) and key.enabled:
            return key
    raise authentication_failed("Invalid API key or secret key")


def authentication_failed(message: str) -> RefusedError:
    """A 401 for credentials that are there but wrong."""
    return RefusedError(
        framework_error(401, message, "authentication_failed", CHALLENGE)
    )
