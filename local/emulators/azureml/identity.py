"""A managed identity: tokens as App Service issues them, and the check that a caller has one of
ours.

A token is the time of its end, signed with the emulator's key: it stays valid after a restart.
"""

from __future__ import annotations

import hashlib
import hmac
import time

from aiohttp import web

LIFETIME_SECONDS = 24 * 3600


class Identity:
    """Issues and checks tokens. Callers must send `header`, their secret; None accepts any."""

    def __init__(self, key: bytes, header: str | None) -> None:
        self._key = key
        self._header = header

    async def token(self, request: web.Request) -> web.Response:
        """Answer `GET …?resource=…` as App Service's identity endpoint of 2019-08-01 does."""
        header = request.headers.get("X-IDENTITY-HEADER", "")
        secret = self._header or header
        if not header or not hmac.compare_digest(header.encode(), secret.encode()):
            return _refused(401, "the header X-IDENTITY-HEADER is missing or wrong")
        resource = request.query.get("resource", "")
        if not resource:
            return _refused(400, "the query parameter resource is missing")
        expires = str(int(time.time()) + LIFETIME_SECONDS)
        body = {
            "access_token": f"{expires}.{self._signature(expires)}",
            "expires_on": expires,
            "resource": resource,
            "token_type": "Bearer",
        }
        return web.json_response(body)

    def accepts(self, authorization: str) -> bool:
        """Return whether an Authorization header carries a token of ours that is still valid."""
        scheme, _, token = authorization.partition(" ")
        expires, _, signature = token.partition(".")
        if scheme.lower() != "bearer":
            return False
        if not hmac.compare_digest(signature.encode(), self._signature(expires).encode()):
            return False
        return int(expires) > time.time()

    def _signature(self, expires: str) -> str:
        return hmac.digest(self._key, expires.encode(), hashlib.sha256).hex()


def _refused(status: int, message: str) -> web.Response:
    return web.json_response({"statusCode": status, "message": message}, status=status)
