"""A managed identity: tokens as App Service issues them, and the check that a caller has one of
ours.

Tokens are JSON Web Tokens signed with the emulator's own key, so they stay valid when it restarts.
"""

from __future__ import annotations

import hmac
import time

import jwt
from aiohttp import web

from local.emulators.azureml.environment import TENANT

LIFETIME_SECONDS = 24 * 3600
ALGORITHM = "HS256"


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
        expires = int(time.time()) + LIFETIME_SECONDS
        claims = {"aud": resource, "exp": expires, "tid": TENANT, "oid": "local-identity"}
        body = {
            "access_token": jwt.encode(claims, self._key, ALGORITHM),
            "expires_on": str(expires),
            "resource": resource,
            "token_type": "Bearer",
        }
        return web.json_response(body)

    def accepts(self, authorization: str) -> bool:
        """Return whether an Authorization header carries a token of ours that is still valid."""
        scheme, _, token = authorization.partition(" ")
        try:
            jwt.decode(token, self._key, [ALGORITHM], options={"verify_aud": False})
        except jwt.InvalidTokenError:
            return False
        return scheme.lower() == "bearer"


def _refused(status: int, message: str) -> web.Response:
    return web.json_response({"statusCode": status, "message": message}, status=status)
