"""A managed identity: tokens as App Service issues them, and the check that a caller has one of
ours.

Tokens are JSON Web Tokens signed with the emulator's own key, so they stay valid when it restarts.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from aiohttp import web

from local.emulators.azureml.environment import TENANT

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
        expires = int(time.time()) + LIFETIME_SECONDS
        claims = {
            "aud": resource,
            "exp": expires,
            "tid": TENANT,
            "oid": "local-identity",
            "iss": "local.emulators.azureml",
        }
        body = {
            "access_token": self._sign(claims),
            "expires_on": str(expires),
            "resource": resource,
            "token_type": "Bearer",
        }
        return web.json_response(body)

    def accepts(self, authorization: str) -> bool:
        """Return whether an Authorization header carries a token of ours that is still valid."""
        scheme, _, token = authorization.partition(" ")
        signed, _, signature = token.rpartition(".")
        right_signature = self._signature(signed)
        if scheme.lower() != "bearer":
            return False
        if not hmac.compare_digest(signature.encode(), right_signature.encode()):
            return False
        claims: dict[str, Any] = json.loads(_decode(signed.partition(".")[2]))
        return claims["exp"] > time.time()

    def _sign(self, claims: dict[str, Any]) -> str:
        header = _encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
        signed = f"{header}.{_encode(json.dumps(claims).encode())}"
        return f"{signed}.{self._signature(signed)}"

    def _signature(self, signed: str) -> str:
        return _encode(hmac.digest(self._key, signed.encode(), hashlib.sha256))


def _refused(status: int, message: str) -> web.Response:
    return web.json_response({"statusCode": status, "message": message}, status=status)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
