"""The HTTP backend that uses aiohttp: no other module of the client knows it."""

from __future__ import annotations

import asyncio
import contextvars
import platform
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
import yarl
from multidict import CIMultiDict, istr

from futureagi_async import __version__
from futureagi_async.errors import (
    APIConnectionError,
    APITimeoutError,
    Delivery,
    ResponseTooLargeError,
)
from futureagi_async.transport.http import HTTPResponse
from futureagi_async.transport.timeouts import (
    ChunkedBody,
    ReadTimeout,
    TimeoutRegistry,
)


if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler

    from futureagi_async.transport.http import HTTPRequest
    from futureagi_async.transport.settings import Settings, Timeout


MAX_RESPONSE_BYTES = 64 * 1024 * 1024
"""Largest response body that is read, counted after decompression."""

_LARGE_BODY = 2**16  # larger ones are sent in pieces
_KEEP_ALIVE = 25.0  # the service closes a connection that was idle for 30 s
_CONTENT_TYPE = istr("Content-Type")
_REQUEST_ID = istr("X-Request-ID")
_RETRY_AFTER = istr("Retry-After")
_LOCATION = istr("Location")


_read_timeout: contextvars.ContextVar[ReadTimeout] = contextvars.ContextVar(
    "read_timeout"
)


class _Connector(aiohttp.TCPConnector):
    """A connector that limits connecting and notes when a request has a connection."""

    async def connect(self, *args: Any, **kwargs: Any) -> aiohttp.connector.Connection:
        connection = await super().connect(*args, **kwargs)
        _read_timeout.get().start()
        return connection

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,
    ) -> ResponseHandler:
        """Connect within `timeout.connect`.

        aiohttp limits neither name resolution nor the response of a proxy.
        """
        async with asyncio.timeout(timeout.sock_connect):
            return await super()._create_connection(req, traces, timeout)

    def __del__(self, _warnings: object = None) -> None:
        """Emit no warning about open connections: the transport closes them."""


class AiohttpBackend:
    """A pool of connections in one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        headers = _headers(settings)
        # aiohttp sends the headers of a session to the proxy, too, when it asks for a
        # tunnel; those of a request only to the service.
        self._headers = headers if settings.proxy else {}
        self._default_timeout = _client_timeout(settings.timeout)
        self._session = aiohttp.ClientSession(
            connector=_Connector(
                limit=settings.max_connections,
                keepalive_timeout=_KEEP_ALIVE,
                ssl=settings.ssl or True,
            ),
            headers=None if settings.proxy else headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=settings.proxy,
        )
        # By default aiohttp sends a GET again when an idle connection was closed: an
        # attempt that nobody counts, with the same request id.
        self._session._retry_connection = False  # noqa: SLF001 - there is no other switch
        self._timeouts = TimeoutRegistry(asyncio.get_running_loop())

    async def send(self, attempt: HTTPRequest) -> HTTPResponse:
        """Send one attempt; see `HTTPBackend`."""
        read_timeout = ReadTimeout(self._timeouts, attempt)
        token = _read_timeout.set(read_timeout)
        try:
            with read_timeout:
                response = await self._session.request(
                    attempt.method,
                    yarl.URL(self._settings.base_url + attempt.path, encoded=True),
                    data=_body_payload(attempt.body, read_timeout),
                    headers=self._request_headers(attempt),
                    timeout=self._client_timeout(attempt.timeout),
                    allow_redirects=False,
                )
            try:
                return await self._response(response, attempt)
            finally:
                if not response.closed:
                    response.release()
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            failed = _connection_error(error, attempt)
            cause = self._safe_cause(error)
        finally:
            _read_timeout.reset(token)
        raise failed from cause  # here, where no other exception is its context

    async def _response(
        self, response: aiohttp.ClientResponse, attempt: HTTPRequest
    ) -> HTTPResponse:
        headers = response.headers
        attempt.request_id = _replace_surrogates(
            headers.get(_REQUEST_ID, attempt.request_id)
        )
        attempt.status = response.status
        location = headers.get(_LOCATION)
        return HTTPResponse(
            response.status,
            _replace_surrogates(response.reason or ""),
            attempt.request_id,
            headers.get(_RETRY_AFTER),
            None if location is None else _replace_surrogates(location),
            await self._read(response, attempt.timeout.read),
        )

    async def _read(
        self, response: aiohttp.ClientResponse, limit: float | None
    ) -> bytes:
        """Read the body; of an error response, as much as arrives and is allowed."""
        content = response.content
        # Nearly every body is complete by now: this saves 2 % of a request.
        if content.is_eof() and content.total_bytes <= MAX_RESPONSE_BYTES:
            return content.read_nowait()
        chunks: list[bytes] = []
        size = 0
        is_success = response.status < 300  # noqa: PLR2004 - the 2xx of RFC 9110
        try:
            while not content.at_eof():
                with self._timeouts.after(limit):
                    chunk = await content.readany()
                chunks.append(chunk)
                size += len(chunk)
                if size > MAX_RESPONSE_BYTES:
                    response.close()
                    break
        except (aiohttp.ClientError, OSError):
            # An error status is an answer, with or without its explanation.
            if is_success:
                raise
        if size > MAX_RESPONSE_BYTES and is_success:
            raise ResponseTooLargeError(
                f"the response is larger than {MAX_RESPONSE_BYTES // 2**20} MiB",
                status_code=response.status,
                delivery=Delivery.UNKNOWN,
            )
        return b"".join(chunks)

    def _client_timeout(self, timeout: Timeout) -> aiohttp.ClientTimeout:
        # Nearly every attempt has that of the settings: this saves 2 % of a request.
        return (
            self._default_timeout
            if timeout is self._settings.timeout
            else _client_timeout(timeout)
        )

    def _request_headers(self, attempt: HTTPRequest) -> CIMultiDict[str]:
        headers = CIMultiDict(self._headers)
        headers[_REQUEST_ID] = attempt.request_id
        if attempt.body is not None:
            headers[_CONTENT_TYPE] = "application/json"
        return headers

    def _safe_cause(self, error: Exception) -> BaseException | None:
        """Return the part of an error that may be shown.

        With a proxy, errors of aiohttp contain its password.
        """
        _drop_tracebacks(error)
        if self._settings.proxy and isinstance(error, aiohttp.ClientError):
            return error.__cause__
        return error

    async def aclose(self) -> None:
        """Close the connections; see `HTTPBackend`."""
        await self._session.close()

    def detach(self) -> None:
        """Drop the connections; see `HTTPBackend`."""
        self._inherited = self._session.connector
        self._session.detach()


def _headers(settings: Settings) -> dict[str, str]:
    headers = {
        "User-Agent": f"futureagi-async/{__version__} "
        f"Python/{platform.python_version()} aiohttp/{aiohttp.__version__}",
        **settings.headers,
        "Accept": "application/json",
        "X-Api-Key": settings.api_key.reveal(),
        "X-Secret-Key": settings.secret_key.reveal(),
    }
    if settings.workspace_id is not None:
        headers["X-Workspace-Id"] = settings.workspace_id
    return headers


def _client_timeout(timeout: Timeout) -> aiohttp.ClientTimeout:
    # The other limits are in `timeouts`, at less cost.
    return aiohttp.ClientTimeout(
        total=None, sock_connect=timeout.connect, sock_read=None
    )


def _body_payload(
    body: bytes | None, read_timeout: ReadTimeout
) -> bytes | ChunkedBody | None:
    return ChunkedBody(body, read_timeout) if body and len(body) > _LARGE_BODY else body


def _replace_surrogates(received: str) -> str:
    """Replace bytes that are not UTF-8: aiohttp decodes them to lone surrogates."""
    return received.encode(errors="surrogateescape").decode(errors="replace")


def _connection_error(error: Exception, attempt: HTTPRequest) -> APIConnectionError:
    """Return an error with its cause, and whether the request can have arrived."""
    if attempt.connection_acquired:
        if isinstance(error, TimeoutError):
            return APITimeoutError(
                f"no response within {attempt.timeout.read:g} s",
                delivery=Delivery.UNKNOWN,
            )
        return APIConnectionError(
            f"the connection broke before the response was complete: {_describe(error)}",
            delivery=Delivery.UNKNOWN,
        )
    if isinstance(error, TimeoutError):
        return APITimeoutError(
            f"no connection within {attempt.timeout.connect:g} s",
            delivery=Delivery.NOT_SENT,
        )
    failed = APIConnectionError(
        f"no connection: {_describe(error)}", delivery=Delivery.NOT_SENT
    )
    failed.retryable = not isinstance(error, ssl.CertificateError)
    return failed


def _drop_tracebacks(error: Exception) -> None:
    """Drop the frames of aiohttp, whose variables hold the request with its keys."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__


def _describe(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        reason = _replace_surrogates(error.message)
        return f"the proxy responded with {error.status} {reason}".rstrip()
    if isinstance(error, aiohttp.ClientResponseError):
        problem = (
            _replace_surrogates(error.message).strip().partition("\n")[0].rstrip(":")
        )
        return f"the response is not HTTP ({problem})"
    return str(error) or type(error).__name__
