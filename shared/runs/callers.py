"""Who calls a route, and whether they may change anything.

The Functions host has checked the function key before. Whatever is found here only takes rights
away, so a header that somebody forges gains nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from shared.core.caller_keys import CALLERS, ApiKey, Role, key_of
from shared.core.errors import ErrorCode, PermanentError
from shared.core.json_values import json_object
from shared.core.run_actions import UNKNOWN_CALLER, Caller, CallerKind

KEY_HEADER = "x-functions-key"
KEY_PARAMETER = "code"
PRINCIPAL = "x-ms-client-principal"
PRINCIPAL_NAMES = ("x-ms-client-principal-name", "x-ms-client-principal-id")
AUTHENTICATION = "WEBSITE_AUTH_ENABLED"
READER_ROLE = "Distillation.Reader"
ROLE_CLAIMS = ("roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")
MAX_NAME_CHARACTERS = 100


@dataclass(frozen=True)
class Access:
    """Who calls, and why they may only look: None for a caller that may change things."""

    caller: Caller = UNKNOWN_CALLER
    refusal: PermanentError | None = None

    def check_change(self) -> None:
        """Raise PermanentError for a caller that may only look."""
        if self.refusal is not None:
            raise self.refusal


EVERYTHING = Access()
"""Of a caller that nobody knows, in an app that names none."""


def access_of(
    url: str,
    parameters: Mapping[str, str],
    headers: Mapping[str, str],
    keys: tuple[ApiKey, ...],
    environ: Mapping[str, str],
) -> Access:
    """Return who sends a request. `parameters` is its query as the Functions host gives it."""
    by_name = {name.lower(): value for name, value in headers.items()}
    key = key_of(_presented_keys(url, parameters, by_name), keys)
    user = _user(by_name) if environ.get(AUTHENTICATION, "").lower() == "true" else None
    caller = user or (Caller(kind=CallerKind.KEY, name=key.name) if key else UNKNOWN_CALLER)
    refusal = _key_refusal(key, keys) or _role_refusal(by_name.get(PRINCIPAL))
    return Access(caller, PermanentError(refusal, code=ErrorCode.FORBIDDEN) if refusal else None)


def _presented_keys(
    url: str, parameters: Mapping[str, str], headers: Mapping[str, str]
) -> list[str]:
    """Return everything in a request that may be its key.

    A repeated header arrives as one, joined by commas. The host takes parameters in any case.
    """
    header = headers.get(KEY_HEADER, "")
    query = [*parse_qsl(urlsplit(url).query, keep_blank_values=True), *parameters.items()]
    presented = [value for name, value in query if name.lower() == KEY_PARAMETER]
    values = [header, *presented]
    parts = [part.strip() for value in values for part in value.split(",")]
    return [value for value in dict.fromkeys([*values, *parts]) if value]


def _key_refusal(key: ApiKey | None, keys: Iterable[ApiKey]) -> str | None:
    if key is not None and key.role is Role.READER:
        return (
            f"the key {key.name} may only read: use one that {CALLERS} lists with the role "
            f"{Role.OPERATOR}"
        )
    if key is None and any(keys):  # a reader's key that was renewed must not become an operator's
        return (
            f"{CALLERS} doesn't list this key, which may therefore only read: add its SHA-256 "
            "with a name, or use a key that is listed"
        )
    return None


def _user(headers: Mapping[str, str]) -> Caller | None:
    """Return whom App Service Authentication has signed in, None for nobody."""
    for header in PRINCIPAL_NAMES:
        name = "".join(part for part in headers.get(header, "") if part.isprintable()).strip()
        if name:
            return Caller(kind=CallerKind.USER, name=name[:MAX_NAME_CHARACTERS])
    return None


def _role_refusal(principal: str | None) -> str | None:
    """Return why a signed-in caller may only read. It holds whoever has set the header."""
    if not principal:
        return None
    roles = _roles(principal)
    if roles is None:
        return f"the header {PRINCIPAL} can't be read, so its caller may only read"
    if roles == {READER_ROLE}:
        return f"the app role {READER_ROLE} may only read: ask for another role of this app"
    return None


def _roles(principal: str) -> set[str] | None:
    """Return the roles in a client principal, None for one that can't be read.

    https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
    """
    try:
        decoded = json_object(json.loads(base64.b64decode(principal + "=" * (-len(principal) % 4))))
    except (ValueError, RecursionError):
        return None
    claims = decoded.get("claims") if decoded else None
    if decoded is None or not isinstance(claims, list):
        return None
    types = [*ROLE_CLAIMS, decoded.get("role_typ")]
    named = [json_object(claim) or {} for claim in cast(list[object], claims)]
    return {str(claim.get("val")) for claim in named if claim.get("typ") in types}
