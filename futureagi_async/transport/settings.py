"""The settings of a client: address, keys, timeouts, retries, rate limit."""

from __future__ import annotations

import datetime as dt
import enum
import ipaddress
import math
import os
import re
import ssl as tls
import urllib.request
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NoReturn, final
from urllib.parse import SplitResult, urlsplit

import attrs

from futureagi_async.errors import ConfigurationError, InvalidRequestError
from futureagi_async.model import validation


if TYPE_CHECKING:
    from uuid import UUID


DEFAULT_BASE_URL = "https://api.futureagi.com"
DEFAULT_MAX_CONCURRENCY = 32

_RESERVED_HEADERS = {
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


class Default(enum.Enum):
    """The type of `DEFAULT`: an omitted argument, where `None` has a meaning."""

    DEFAULT = enum.auto()

    def __repr__(self) -> str:
        return "DEFAULT"


DEFAULT: Final = Default.DEFAULT


MASK = "**********"


class RevealedSecret(str):
    """A key as text for a header, masked wherever its repr is shown.

    Tools that print the local variables of a traceback call `repr`.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{MASK}'"


@final
class Secret:
    """A key that is in no repr, log line, error or pickle."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = RevealedSecret(value)

    def reveal(self) -> RevealedSecret:
        """Return the key itself, to be put into a header and nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied; pass the key again")


def positive_seconds(
    value: Any, name: str, expected: str = "a finite number of seconds above 0"
) -> float:
    """Return a duration in seconds, from seconds or from a `timedelta`."""
    if isinstance(value, dt.timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigurationError(
            f"{name}: seconds are expected, not {validation.describe_type(value)}"
        )
    if not value > 0 or math.isinf(value):
        raise ConfigurationError(f"{name}: {expected} is expected, not {value!r}")
    return float(value)


def positive_int(value: Any, name: str) -> int:
    """Check a count that must be at least 1."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(
            f"{name}: a whole number is expected, not {validation.describe_type(value)}"
        )
    if value < 1:
        raise ConfigurationError(f"{name}: at least 1 is expected, not {value}")
    return value


def _limit(value: Any, name: str) -> float | None:
    if value is None:
        return None
    return positive_seconds(
        value, name, "a number of seconds above 0 (or None, for no limit)"
    )


@attrs.frozen
class Timeout:
    """Limits on the duration of a call, in seconds; `None` means without limit.

    Attributes:
        connect: to open a connection, including name resolution, a proxy, and TLS, but
            not the wait for one of the `max_connections`.
        read: from a connection until the response begins, and between two pieces of it.
            Each piece of a large request body that is sent restarts it.
        total: for all of the call, including its retries and the waits between them.
    """

    connect: float | None = 5.0
    read: float | None = 60.0
    total: float | None = 300.0

    def __attrs_post_init__(self) -> None:
        for name in ("connect", "read", "total"):
            seconds = _limit(getattr(self, name), f"Timeout.{name}")
            object.__setattr__(self, name, seconds)

    @classmethod
    def of(cls, value: Timeout | dt.timedelta | float | None) -> Timeout:
        """Return a `Timeout` unchanged, or one with this `total`."""
        if isinstance(value, Timeout):
            return value
        return cls(total=_limit(value, "timeout"))


@attrs.frozen
class RetryPolicy:
    """Rules for repeating a request that failed.

    A request that was certainly not done is repeated: it was never sent, or the service
    answered "too many requests", "unavailable, retry after", or that it could not
    dispatch the work. One that **may** have been done is not, unless it is idempotent,
    as reads are.

    Attributes:
        max_attempts: attempts in all, the first included.
        retry_unknown: repeat what may have been done, too. The work can then be done
            twice, and billed twice.
        reconcile: find out by reading whether a request with unknown outcome was
            applied. If it was, that is a success, marked `reconciled`; if it was not,
            it is sent again; otherwise its outcome stays unknown.
        reconcile_after: seconds between sending and reading back. A service that is
            slower can still act after it was read.
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
                    f"RetryPolicy.{name}: True or False is expected, "
                    f"not {validation.describe_type(value)}"
                )
        reconcile_after = positive_seconds(
            self.reconcile_after, "RetryPolicy.reconcile_after"
        )
        object.__setattr__(self, "reconcile_after", reconcile_after)


@attrs.frozen
class RateLimit:
    """A client-side limit on requests, which it sends evenly spaced.

    The service documents 100 requests a minute, and 1,000 on paid plans. With a limit
    here a client stays below that; without one, a batch meets it as throttling.

    Attributes:
        requests: number of requests, including retries and reads.
        per: seconds in which so many are sent at most.
    """

    requests: int
    per: float = 60.0

    def __attrs_post_init__(self) -> None:
        positive_int(self.requests, "RateLimit.requests")
        per = positive_seconds(self.per, "RateLimit.per")
        object.__setattr__(self, "per", per)


def _load_key(value: str | None, argument: str, variable: str) -> Secret:
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
            f"{argument}: text is expected, not {validation.describe_type(value)}"
        )
    if not _HEADER_TEXT.fullmatch(value):
        valid = _HEADER_TEXT.match(value)
        index = valid.end() if valid else 0
        raise ConfigurationError(
            f"{source}: character {index + 1} of the key is white space or one that no "
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
            f"{name}: {_redact_userinfo(url)!r} is no http(s) address "
            f"like {DEFAULT_BASE_URL}"
        )
    if not _has_port(parts):
        raise ConfigurationError(
            f"{name}: what follows {parts.hostname!r} is no port, "
            "which is a number from 1 to 65535"
        )
    return parts


# The standard library's message about a mistake can show a password: it is dropped.
def _parts(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _has_port(parts: SplitResult) -> bool:
    """Return whether the port is valid or omitted."""
    try:
        return parts.port != 0
    except ValueError:
        return False


def _redact_userinfo(url: str) -> str:
    """Mask everything before the last `@`: a password may contain any character."""
    return re.sub(r"(?is)^([a-z][a-z0-9+.-]*://)?.*@", r"\g<1>***@", url)


def _base_url(value: str | None, *, allow_http: bool) -> str:
    if not isinstance(allow_http, bool):
        raise ConfigurationError(
            "allow_http: True or False is expected, "
            f"not {validation.describe_type(allow_http)}"
        )
    if value is None:
        value = os.environ.get("FI_BASE_URL") or DEFAULT_BASE_URL
    if not isinstance(value, str):
        raise ConfigurationError(
            f"base_url: text is expected, not {validation.describe_type(value)}"
        )
    preview = _redact_userinfo(value)
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        raise ConfigurationError(
            f"base_url: {preview!r} is empty, or has white space or characters outside "
            "ASCII; write such characters percent-encoded"
        )
    parts = _split(value, "base_url")
    if "?" in value or "#" in value:
        raise ConfigurationError(
            f"base_url: {preview!r} may have a path, but no query and no fragment"
        )
    if "@" in parts.netloc:
        raise ConfigurationError(
            "base_url: a user name or password in the address is not used; "
            "the keys go into api_key and secret_key"
        )
    hostname = parts.hostname or ""
    if parts.scheme == "http" and not (allow_http or _is_loopback(hostname)):
        raise ConfigurationError(
            f"base_url: {preview!r} would send the keys unencrypted; use https, or pass "
            "allow_http=True if the network is your own"
        )
    return f"{parts.scheme}://{_host_and_port(parts)}{parts.path}".rstrip("/")


def _host_and_port(parts: SplitResult) -> str:
    """Return one spelling of them: a journal identifies a service by its address."""
    hostname = parts.hostname or ""
    host = f"[{hostname}]" if "[" in parts.netloc else hostname
    is_default = parts.port in {None, {"http": 80, "https": 443}[parts.scheme]}
    return host if is_default else f"{host}:{parts.port}"


def _proxy(value: str | None, base_url: str) -> str | None:
    if value is None:
        parts = urlsplit(base_url)
        host = parts.hostname or ""
        # The environment's proxy is for other machines; this one needs none.
        if _is_loopback(host) or urllib.request.proxy_bypass(host):
            return None
        value = urllib.request.getproxies().get(parts.scheme)
    if not value:
        return None
    if not isinstance(value, str):
        raise ConfigurationError(
            f"proxy: text is expected, not {validation.describe_type(value)}"
        )
    if re.search("(?s)[/?#].*@", value.partition("://")[2]):
        raise ConfigurationError(
            f"proxy: {_redact_userinfo(value)!r} has a '/', '?' or '#' before its '@'; "
            "in a user name or password, write %2F, %3F or %23"
        )
    _split(value, "proxy")
    return value


def _headers(value: Mapping[str, str] | None) -> Mapping[str, str]:
    if value is not None and not isinstance(value, Mapping):
        raise ConfigurationError(
            f"headers: a dict is expected, not {validation.describe_type(value)}"
        )
    headers = dict(value or {})
    for name, text in headers.items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise ConfigurationError(f"headers: {name!r} is no header name")
        if name.lower() in _RESERVED_HEADERS:
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
    """All settings of a client, validated; `AsyncFutureAGI` documents each."""

    api_key: Secret
    secret_key: Secret
    base_url: str
    workspace_id: str | None
    timeout: Timeout
    retry: RetryPolicy
    rate_limit: RateLimit | None
    max_connections: int
    proxy: str | None = attrs.field(repr=lambda proxy: _redact_userinfo(str(proxy)))
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
        timeout: Timeout | dt.timedelta | float = Timeout(),
        retry: RetryPolicy = RetryPolicy(),
        rate_limit: RateLimit | None = None,
        max_connections: int = 100,
        proxy: str | None = None,
        ssl: tls.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
        allow_http: bool = False,
    ) -> Settings:
        """Resolve each setting: argument over environment variable over default.

        Raises:
            ConfigurationError: a setting is missing or cannot work.
        """
        url = _base_url(base_url, allow_http=allow_http)
        return cls(
            api_key=_load_key(api_key, "api_key", "FI_API_KEY"),
            secret_key=_load_key(secret_key, "secret_key", "FI_SECRET_KEY"),
            base_url=url,
            workspace_id=_workspace_id(workspace_id),
            timeout=Timeout.of(timeout),
            retry=validate_retry_policy(retry),
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
        f"rate_limit: a RateLimit is expected, not {validation.describe_type(value)}"
    )


def validate_retry_policy(value: Any) -> RetryPolicy:
    """Check the type of a retry policy."""
    if not isinstance(value, RetryPolicy):
        raise ConfigurationError(
            f"retry: a RetryPolicy is expected, not {validation.describe_type(value)}"
        )
    return value


def _ssl(value: Any) -> tls.SSLContext | None:
    if value is None or isinstance(value, tls.SSLContext):
        return value
    raise ConfigurationError(
        f"ssl: an ssl.SSLContext is expected, not {validation.describe_type(value)}; "
        "ssl.create_default_context(cafile=...) makes one that trusts your own authority"
    )
