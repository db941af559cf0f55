"""Why a request got no reply: aiohttp's errors in our words, with the remedy.

Nothing of a message comes from the proxy's URL as it was set, which may have credentials.
"""

from __future__ import annotations

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientHttpProxyError,
    ClientPayloadError,
    ClientProxyConnectionError,
    ClientResponseError,
)
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

from shared.teacher.proxy import Proxy

CERTIFICATE_REMEDY = (
    "If your network signs certificates itself, set the environment variable SSL_CERT_FILE to a "
    "PEM file with its certificate authority beside the public ones"
)
TLS_REMEDY = "Check that the address is right and speaks TLS: the setting begins with https://"
PROXY_REMEDIES = {
    403: "Ask for this address to be allowed, or name it in NO_PROXY if it can be reached directly",
    407: "Put the proxy's user and password into the variable: http://user:password@host:port",
}
# 408 and 429 of a proxy may pass, as all from 500 on
PASSING_REFUSALS = frozenset({408, 429})


class NoReply(Exception):
    """The connection could not be made, broke, or did not carry HTTP."""


class NotConnected(NoReply):
    """The connection could not be made: nothing was sent."""


class ProxyRefused(Exception):
    """The proxy lets no request through, whatever is asked. `status` is its HTTP status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def connection_error(error: ClientError, target: URL, proxy: Proxy | None) -> Exception:
    """Return the NoReply or ProxyRefused for an error of aiohttp."""
    if isinstance(error, ClientHttpProxyError) and proxy is not None:
        return proxy_error(error.status, target, proxy)
    if isinstance(error, ClientConnectorError):
        return NotConnected(_not_connected(error, proxy))
    if isinstance(error, ClientResponseError):
        reason = error.message.partition("\n")[0].rstrip(": ")
        return NoReply(f"the reply is not HTTP: {reason}")
    if isinstance(error, ClientPayloadError):
        if isinstance(error.__cause__, ContentEncodingError):
            return NoReply("the reply can't be decompressed")
        return NoReply("the connection was lost before the reply was whole")
    return NoReply(f"the connection was lost: {error or 'closed by the server'}")


def proxy_error(status: int, target: URL, proxy: Proxy) -> NotConnected | ProxyRefused:
    """Return the error for a proxy that answered a request for the target with this status."""
    place = f"{target.host}:{target.port}"
    detail = f"{proxy} refuses the connection to {place} (HTTP {status})"
    if status >= 500 or status in PASSING_REFUSALS:
        return NotConnected(detail)
    remedy = PROXY_REMEDIES.get(status)
    return ProxyRefused(status, f"{detail}. {remedy}" if remedy else detail)


def _not_connected(error: ClientConnectorError, proxy: Proxy | None) -> str:
    place = f"{error.host}:{error.port}"
    is_proxys = proxy is not None and (error.host, error.port) == (proxy.url.host, proxy.url.port)
    if isinstance(error, ClientProxyConnectionError) or is_proxys:
        place = str(proxy)
    if isinstance(error, ClientConnectorCertificateError):
        return f"no connection to {place}: {error.certificate_error}. {CERTIFICATE_REMEDY}"
    detail = f"no connection to {place}: {error.os_error}"
    if isinstance(error, ClientConnectorSSLError):
        return f"{detail}. {TLS_REMEDY}"
    return detail
