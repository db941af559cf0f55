"""HTTP to one teacher: POST and its reply, through the proxy that the environment names, if any.

A request costs 110 µs of processor time, 85 more than a client of our own that knew no proxies, no
TLS within their tunnels and no compression (docs/benchmarks.md).

A POST is never sent twice here. When a kept connection turns out to be closed, the teacher may have
answered already, and be paid: that is a failed attempt like any other, and the caller's to repeat.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping

from aiohttp import (
    BytesPayload,
    ClientError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from shared.core.errors import SettingsError
from shared.core.secrets import Redact, redacted_bytes
from shared.teacher.connection_errors import (
    NoReply,
    NotConnected,
    ProxyRefused,
    connection_error,
    proxy_error,
)
from shared.teacher.proxy import Proxy, proxy_for

USER_AGENT = "durable-distillation/0.1.0"
MAX_REPLY_BYTES = 32 * 1024 * 1024  # after decompression
MAX_HEADER_BYTES = 64 * 1024  # of one header: some gateways send more than aiohttp's 8 KB
MAX_HEADERS = 1000
# a connection that was idle for longer may have been closed by the server
IDLE_SECONDS = 60.0
SSL_CERT_FILE = "SSL_CERT_FILE"
PROXY_AUTHORIZATION = "Proxy-Authorization"
PROXY_AUTHENTICATION_REQUIRED = 407

__all__ = ["Connections", "NoReply", "NotConnected", "ProxyRefused", "Reply", "header"]


class Reply:
    """One HTTP reply, without the app's secrets. Header names are found in any case.

    `redact` is for texts that are put together from parts of the body.
    """

    __slots__ = ("body", "headers", "is_redacted", "redact", "status")

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        *,
        is_redacted: bool = False,
        redact: Redact = str,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.is_redacted = is_redacted
        self.redact = redact

    @property
    def is_success(self) -> bool:
        """Return whether the status is one of success: some gateways answer a POST with 201."""
        return 200 <= self.status < 300


class _Connector(TCPConnector):
    """Keeps connections, and drops those on which something came that nobody asked for.

    Otherwise it would be taken for the reply to the next request.
    """

    async def connect(
        self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout
    ) -> Connection:
        while True:
            connection = await super().connect(req, traces, timeout)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()


class Connections:
    """Connections to the host of one URL. Open it as a context; POSTs go to `url`.

    Credentials in the URL aren't sent. `redact` replaces the app's secrets in every reply.
    """

    def __init__(self, url: str, redact: Redact = str) -> None:
        self._redact = redact
        self.url = URL(url).with_user(None)
        self._proxy: Proxy | None = None
        # Credentials for the proxy: within each request where it reads them, else in `CONNECT`.
        self._request_headers: Mapping[str, str] = {}
        self._connect_headers: Mapping[str, str] | None = None

    async def __aenter__(self) -> Connections:
        """Connect to nothing yet. Raises SettingsError if an environment variable is wrong."""
        self._proxy = proxy_for(self.url)
        if self._proxy is not None and self._proxy.authorization is not None:
            credentials = {PROXY_AUTHORIZATION: self._proxy.authorization}
            if self.url.scheme == "https":
                self._connect_headers = credentials
            else:
                self._request_headers = credentials
        context = _trusted_certificates() if self._needs_tls() else True
        self._session = ClientSession(
            connector=_Connector(limit=0, keepalive_timeout=IDLE_SECONDS, ssl=context),
            # Only what a proxy may read too: aiohttp sends these headers with `CONNECT`.
            headers={"User-Agent": USER_AGENT},
            proxy=self._proxy.url if self._proxy else None,
            cookie_jar=DummyCookieJar(),
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
        )
        return self

    def _needs_tls(self) -> bool:
        return "https" in (self.url.scheme, self._proxy and self._proxy.url.scheme)

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def post(self, headers: Mapping[str, str], body: bytes, timeout: float) -> Reply:
        """Return the reply to one request. `timeout` is in seconds, connecting included.

        Raises NoReply, ProxyRefused and TimeoutError. However it ends, a connection whose reply
        wasn't read to its end is closed.
        """
        if self._request_headers:
            headers = {**headers, **self._request_headers}
        try:
            response = await self._session.post(
                self.url,
                data=BytesPayload(body, content_type="application/json"),
                headers=headers,
                proxy_headers=self._connect_headers,
                timeout=ClientTimeout(total=timeout),
                allow_redirects=False,
            )
            content = await _read(response)
        except TimeoutError:
            raise TimeoutError from None
        except ClientError as error:
            raise connection_error(error, self.url, self._proxy) from None
        if response.status == PROXY_AUTHENTICATION_REQUIRED and self._proxy is not None:
            raise proxy_error(response.status, self.url, self._proxy)
        return self._without_secrets(response.status, response.headers, content)

    def _without_secrets(self, status: int, headers: Mapping[str, str], content: bytes) -> Reply:
        redacted = redacted_bytes(content, self._redact)
        is_redacted = redacted != content
        return Reply(status, headers, redacted, is_redacted=is_redacted, redact=self._redact)


def _trusted_certificates() -> ssl.SSLContext:
    """Return the system's certificates, or those of SSL_CERT_FILE and SSL_CERT_DIR.

    Raises SettingsError for a file that isn't one: OpenSSL would pass over it, and trust nobody.
    """
    context = ssl.create_default_context()
    path = os.environ.get(SSL_CERT_FILE)
    if path:
        try:
            context.load_verify_locations(path)
        except OSError as error:
            problem = f"must name a PEM file with certificates: {path}: {error.strerror or error}"
            message = f"the environment variable {SSL_CERT_FILE} {problem}"
            raise SettingsError(
                message, details=[{"where": SSL_CERT_FILE, "problem": problem}]
            ) from None
    return context


async def _read(response: ClientResponse) -> bytes:
    """Return the body of a reply. Raises NoReply if it is larger than MAX_REPLY_BYTES."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.content.iter_any():
            size += len(part)
            if size > MAX_REPLY_BYTES:
                raise NoReply(f"the reply is larger than {MAX_REPLY_BYTES} bytes")
            parts.append(part)
    except BaseException:
        response.close()
        raise
    return b"".join(parts)


def header(name: str, value: str) -> dict[str, str]:
    """Return one header. Raises ValueError for a value that would break the request."""
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"header {name} contains characters that HTTP does not allow")
    return {name: value}
