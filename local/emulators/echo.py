"""A hostile service, on demand: its answers quote every key that it was called with.

In the headers of every answer, in its texts, and in codes of errors: as the key is, and encoded as
in a URL, in base64, in hexadecimal digits and in JSON. So one can see that no key gets any further.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any, cast
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler

from local.emulators.service import draw

CREDENTIAL_HEADERS = ("Authorization", "api-key", "X-IDENTITY-HEADER")
SCHEMES = ("bearer ", "basic ")
TOKEN_START = "eyJ"  # of JSON Web Tokens, which are quoted as they are: they are no app's settings
TEXT_FIELDS = frozenset(
    {
        "code",
        "description",
        "detail",
        "displayName",
        "emulator",
        "fine_tuned_model",
        "message",
        "owned_by",
        "refusal",
        "status_details",
        "suffix",
        "system_fingerprint",
        "target",
    }
)
ANSWER_FIELDS = TEXT_FIELDS | {"content"}  # of a teacher's message


def spellings(key: str) -> list[str]:
    """Return the ways in which a key is quoted, each once."""
    data = key.encode()
    codes = "".join(f"\\u{ord(character):04x}" for character in key)
    spelled = [
        key,
        key.upper(),
        quote(key, safe=""),
        quote(quote(key, safe=""), safe=""),
        base64.b64encode(data).decode(),
        base64.urlsafe_b64encode(b"user:" + data).decode(),
        data.hex(),
        json.dumps(json.dumps(key))[3:-3],
        codes,
    ]
    return list(dict.fromkeys(spelled))


class Echo:
    """Middleware that quotes the keys of all requests so far.

    `answer_rate` is the share of a teacher's answers whose own text quotes them, drawn by `seed`.
    """

    def __init__(self, answer_rate: float = 0.0, seed: int = 0) -> None:
        self._answer_rate = answer_rate
        self._seed = seed
        self._keys: dict[str, None] = {}
        self._answers = 0

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._keys |= dict.fromkeys(_credentials(request))
        response = await handler(request)
        if self._keys and isinstance(response, web.Response) and not response.prepared:
            self._answers += 1
            is_drawn = draw(self._seed, "echo", self._answers) < self._answer_rate
            self._quote(response, ANSWER_FIELDS if is_drawn else TEXT_FIELDS)
        return response

    def _quote(self, response: web.Response, fields: frozenset[str]) -> None:
        quoted = self._quotation()
        first_key = quote(next(iter(self._keys)))
        response.headers.setdefault("WWW-Authenticate", f'Bearer realm="{first_key}"')
        response.headers["X-Echo"] = quoted
        if response.content_type == "application/json" and isinstance(response.body, bytes):
            response.text = json.dumps(_quoting(json.loads(response.body), quoted, fields))

    def _quotation(self) -> str:
        texts: list[str] = []
        for key in self._keys:
            texts += [key] if key.startswith(TOKEN_START) else spellings(key)
        return " ".join(texts)


def _credentials(request: web.Request) -> Iterable[str]:
    for name in CREDENTIAL_HEADERS:
        value = request.headers.get(name, "")
        for scheme in SCHEMES:
            if value.lower().startswith(scheme):
                value = value[len(scheme) :]
        if value:
            yield value


def _quoting(value: Any, quoted: str, fields: frozenset[str]) -> Any:
    """Return JSON data whose texts in these fields quote keys."""
    if isinstance(value, list):
        return [_quoting(item, quoted, fields) for item in cast(list[Any], value)]
    if not isinstance(value, dict):
        return value
    entries = cast(dict[str, Any], value)
    changed: dict[str, Any] = {}
    for name, item in entries.items():
        is_text = name in fields and isinstance(item, str)
        changed[name] = f"{item} {quoted}" if is_text else _quoting(item, quoted, fields)
    return changed
