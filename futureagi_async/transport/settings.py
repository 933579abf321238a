"""The settings of a client: where to, with which keys, how long, how often."""

from __future__ import annotations

import datetime as dt
import ipaddress
import math
import os
import re
import ssl as tls
import urllib.request
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

import attrs

from futureagi_async.errors import ConfigurationError, InvalidRequestError
from futureagi_async.model import validation
from futureagi_async.transport.secrets import Secret


if TYPE_CHECKING:
    from uuid import UUID


DEFAULT_BASE_URL = "https://api.futureagi.com"
DEFAULT_MAX_CONCURRENCY = 32

_OWN_HEADERS = {
    "accept",
    "authorization",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "x-api-key",
    "x-request-id",
    "x-secret-key",
    "x-workspace-id",
}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_TEXT = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


class Unset:
    """The type of `UNSET`: an argument that was not given, where `None` has a sense."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()


def _seconds(value: Any, name: str) -> float | None:
    if value is None:
        return None
    return positive_seconds(
        value, name, "limit; give seconds above 0, or None for no limit"
    )


def positive_seconds(
    value: Any,
    name: str,
    wanted: str = "at all; give a finite number of seconds above 0",
) -> float:
    """Return a duration in seconds, given as seconds or as a `timedelta`."""
    if isinstance(value, dt.timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigurationError(
            f"{name}: seconds are wanted, not {validation.describe_type(value)}"
        )
    if not value > 0 or math.isinf(value):
        raise ConfigurationError(f"{name}: {value!r} is no time {wanted}")
    return float(value)


@attrs.frozen
class Timeout:
    """How long a call may take, in seconds; `None` means without limit.

    Attributes:
        connect: to open a connection, looking up the name, a proxy, and TLS included.
            Waiting for one of the `max_connections` is not.
        read: from a connection until the answer begins, and between two pieces of it. A
            large body is taken piece by piece, too, and each begins the wait anew.
        total: the whole call, with its retries and the waits between them.
    """

    connect: float | None = 5.0
    read: float | None = 60.0
    total: float | None = 300.0

    def __attrs_post_init__(self) -> None:
        for name in ("connect", "read", "total"):
            seconds = _seconds(getattr(self, name), f"Timeout.{name}")
            object.__setattr__(self, name, seconds)

    @classmethod
    def of(cls, value: Timeout | float) -> Timeout:
        """Make a `Timeout` of one, or of the seconds that the whole call may take."""
        if isinstance(value, Timeout):
            return value
        return cls(total=_seconds(value, "timeout"))


@attrs.frozen
class RetryPolicy:
    """How often a request is tried, and what may be tried again.

    A request that was certainly not done is tried again by itself: it never left, or
    the service said "too many requests", "unavailable, retry after", or that it could
    not dispatch the work. One that **may** have been done is not, unless repeating it
    is harmless, as with reads.

    Attributes:
        max_attempts: attempts in all, the first included.
        retry_unknown: try again what may have been done, too. The work, and its price,
            can then come twice.
        reconcile: find out by reading whether a request was done that may have been. What
            proves to be done is a success, marked `reconciled`; what proves not to be done
            is tried again; anything else stays unknown.
        reconcile_after: seconds since sending that the service is given before it is read.
            One that is slower can still act after it was read.
    """

    max_attempts: int = 3
    retry_unknown: bool = False
    reconcile: bool = True
    reconcile_after: float = 10.0

    def __attrs_post_init__(self) -> None:
        positive_int(self.max_attempts, "RetryPolicy.max_attempts")
        for name in ("retry_unknown", "reconcile"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise ConfigurationError(
                    f"RetryPolicy.{name}: True or False is wanted, "
                    f"not {validation.describe_type(value)}"
                )
        positive_seconds(self.reconcile_after, "RetryPolicy.reconcile_after")


@attrs.frozen
class RateLimit:
    """How fast a client sends: so many requests in so many seconds, evenly spread.

    The service documents 100 requests a minute, and 1,000 on paid plans. A limit here
    keeps below that from the start; without one, a fan-out finds it by being refused.

    Attributes:
        requests: how many, attempts and reads included.
        per: in how many seconds.
    """

    requests: int
    per: float = 60.0

    def __attrs_post_init__(self) -> None:
        positive_int(self.requests, "RateLimit.requests")
        positive_seconds(self.per, "RateLimit.per")


def positive_int(value: Any, name: str) -> int:
    """Check a count that has to be at least 1."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(
            f"{name}: a whole number is wanted, not {validation.describe_type(value)}"
        )
    if value < 1:
        raise ConfigurationError(f"{name}: at least 1 is wanted, not {value}")
    return value


def _key(value: str | None, argument: str, variable: str) -> Secret:
    source = argument
    if value is None:
        value, source = os.environ.get(variable), variable
    if value is None or (isinstance(value, str) and not value.strip()):
        found = "is not set" if value is None else "is empty"
        raise ConfigurationError(
            f"no {argument}: pass {argument}=... or set the environment variable "
            f"{variable} ({source} {found})"
        )
    if not isinstance(value, str):
        raise ConfigurationError(
            f"{argument}: text is wanted, not {validation.describe_type(value)}"
        )
    if not _HEADER_TEXT.fullmatch(value):
        held = _HEADER_TEXT.match(value)
        place = held.end() if held else 0
        raise ConfigurationError(
            f"{source}: character {place + 1} of the key is white space or one that no "
            "HTTP header can hold; was it copied with a line break or a quotation mark?"
        )
    return Secret(value)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str, name: str) -> SplitResult:
    parts = _parts(url)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            f"{name}: {_without_userinfo(url)!r} is no http(s) address; "
            f"it should look like {DEFAULT_BASE_URL}"
        )
    if not _has_port(parts):
        raise ConfigurationError(
            f"{name}: what follows {parts.hostname!r} is no port, "
            "which is a number from 1 to 65535"
        )
    return parts


# What the standard library says of a mistake can show a password: it is dropped.
def _parts(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _has_port(parts: SplitResult) -> bool:
    """Tell if the port is one, or left out."""
    try:
        return parts.port != 0
    except ValueError:
        return False


def _without_userinfo(url: str) -> str:
    """Mask what stands before the last `@`: a password may hold any character."""
    return re.sub(r"(?is)^([a-z][a-z0-9+.-]*://)?.*@", r"\g<1>***@", url)


def _base_url(value: str | None, *, allow_http: bool) -> str:
    if value is None:
        value = os.environ.get("FI_BASE_URL") or DEFAULT_BASE_URL
    if not isinstance(value, str):
        raise ConfigurationError(
            f"base_url: text is wanted, not {validation.describe_type(value)}"
        )
    shown = _without_userinfo(value)
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        raise ConfigurationError(
            f"base_url: {shown!r} is empty, or has white space or characters outside "
            "ASCII; write such characters percent-encoded"
        )
    parts = _split(value, "base_url")
    if "?" in value or "#" in value:
        raise ConfigurationError(
            f"base_url: {shown!r} may have a path, but no query and no fragment"
        )
    if "@" in parts.netloc:
        raise ConfigurationError(
            "base_url: a user name or password in the address is not used; "
            "the keys go into api_key and secret_key"
        )
    hostname = parts.hostname or ""
    if parts.scheme == "http" and not (allow_http or _is_loopback(hostname)):
        raise ConfigurationError(
            f"base_url: {shown!r} would send the keys unencrypted; use https, or pass "
            "allow_http=True if the network is your own"
        )
    return f"{parts.scheme}://{_host_and_port(parts)}{parts.path}".rstrip("/")


def _host_and_port(parts: SplitResult) -> str:
    """Write them in one way only: a journal tells services apart by their address."""
    hostname = parts.hostname or ""
    host = f"[{hostname}]" if "[" in parts.netloc else hostname
    is_default = parts.port in {None, {"http": 80, "https": 443}[parts.scheme]}
    return host if is_default else f"{host}:{parts.port}"


def _proxy(value: str | None, base_url: str) -> str | None:
    if value is None:
        parts = urlsplit(base_url)
        host = parts.hostname or ""
        # The environment's proxy is for the way out; this machine needs none.
        if _is_loopback(host) or urllib.request.proxy_bypass(host):
            return None
        value = urllib.request.getproxies().get(parts.scheme)
    if not value:
        return None
    if not isinstance(value, str):
        raise ConfigurationError(
            f"proxy: text is wanted, not {validation.describe_type(value)}"
        )
    if re.search("(?s)[/?#].*@", value.partition("://")[2]):
        raise ConfigurationError(
            f"proxy: {_without_userinfo(value)!r} has a '/', '?' or '#' before its '@'; "
            "in a user name or password, write %2F, %3F or %23"
        )
    _split(value, "proxy")
    return value


def _headers(value: Mapping[str, str] | None) -> Mapping[str, str]:
    if value is not None and not isinstance(value, Mapping):
        raise ConfigurationError(
            f"headers: a dict is wanted, not {validation.describe_type(value)}"
        )
    headers = dict(value or {})
    for name, text in headers.items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise ConfigurationError(f"headers: {name!r} is no header name")
        if name.lower() in _OWN_HEADERS:
            raise ConfigurationError(
                f"headers: {name} is set by the client itself; leave it out"
            )
        if not isinstance(text, str) or not _HEADER_TEXT.fullmatch(text):
            raise ConfigurationError(
                f"headers: the value of {name} is not text that a header can hold"
            )
    return MappingProxyType(headers)


@attrs.frozen(kw_only=True, eq=False)
class Settings:
    """All settings of a client, checked; `AsyncFutureAGI` explains each."""

    api_key: Secret
    secret_key: Secret
    base_url: str
    workspace_id: str | None
    timeout: Timeout
    retry: RetryPolicy
    rate_limit: RateLimit | None
    max_connections: int
    proxy: str | None = attrs.field(repr=lambda proxy: _without_userinfo(str(proxy)))
    ssl: tls.SSLContext | None
    headers: Mapping[str, str] = attrs.field(repr=lambda headers: repr(list(headers)))

    @classmethod
    def resolve(
        cls,
        api_key: str | None = None,
        secret_key: str | None = None,
        *,
        base_url: str | None = None,
        workspace_id: UUID | str | None = None,
        timeout: Timeout | float = Timeout(),
        retry: RetryPolicy = RetryPolicy(),
        rate_limit: RateLimit | None = None,
        max_connections: int = 100,
        proxy: str | None = None,
        ssl: tls.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
        allow_http: bool = False,
    ) -> Settings:
        """Reconcile each setting: argument over environment variable over default.

        Raises:
            ConfigurationError: a setting is missing or cannot work.
        """
        url = _base_url(base_url, allow_http=allow_http)
        return cls(
            api_key=_key(api_key, "api_key", "FI_API_KEY"),
            secret_key=_key(secret_key, "secret_key", "FI_SECRET_KEY"),
            base_url=url,
            workspace_id=_workspace_id(workspace_id),
            timeout=Timeout.of(timeout),
            retry=checked_retry(retry),
            rate_limit=_rate_limit(rate_limit),
            max_connections=positive_int(max_connections, "max_connections"),
            proxy=_proxy(proxy, url),
            ssl=_ssl(ssl),
            headers=_headers(headers),
        )


def _workspace_id(value: UUID | str | None) -> str | None:
    if value is None:
        return None
    try:
        return validation.uuid_text(value, "workspace_id")
    except InvalidRequestError as error:
        raise ConfigurationError(str(error)) from None


def _rate_limit(value: Any) -> RateLimit | None:
    if value is None or isinstance(value, RateLimit):
        return value
    raise ConfigurationError(
        f"rate_limit: a RateLimit is wanted, not {validation.describe_type(value)}"
    )


def checked_retry(value: Any) -> RetryPolicy:
    """Check that a retry policy is one."""
    if not isinstance(value, RetryPolicy):
        raise ConfigurationError(
            f"retry: a RetryPolicy is wanted, not {validation.describe_type(value)}"
        )
    return value


def _ssl(value: Any) -> tls.SSLContext | None:
    if value is None or isinstance(value, tls.SSLContext):
        return value
    raise ConfigurationError(
        f"ssl: an ssl.SSLContext is wanted, not {validation.describe_type(value)}; "
        "ssl.create_default_context(cafile=...) makes one that trusts your own authority"
    )
