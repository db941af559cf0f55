"""CALLERS: names and roles of the app's function keys, as JSON.

`[{"name": "ci", "sha256": "<64 hex digits>"}, {"name": "dashboard", "role": "reader", …}]`. The
Functions host checks keys, and tells the app neither which one it was nor its name. The app sees
the key itself, of which it compares the hash: the setting holds no secret.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared.core.errors import Problem
from shared.core.json_values import decode_json
from shared.core.setting_values import setting_text

CALLERS = "CALLERS"
MAX_KEYS = 100
FORM = 'must be a JSON list such as [{"name": "ci", "sha256": "<64 hex digits>"}]'
# pydantic's own texts would repeat values, one of which may be a key that was pasted by mistake
PROBLEMS = {
    "name": "must be a text of 1 to 100 characters that begins with a letter or digit",
    "sha256": "must be the SHA-256 of the key: 64 hex digits. The key itself doesn't belong here",
    "role": "must be `operator` (the default) or `reader`",
}
UNKNOWN = f"isn't known: use {', '.join(PROBLEMS)}. Keys themselves don't belong here"


class Role(StrEnum):
    """What a caller may do: everything, or look only."""

    OPERATOR = "operator"
    READER = "reader"


class ApiKey(BaseModel):
    """One key, known by its hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^\w[\w .@+-]{0,99}$")]
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")]
    role: Role = Role.OPERATOR


KEYS = TypeAdapter(list[ApiKey])


def read_api_keys(environ: Mapping[str, str]) -> tuple[ApiKey, ...]:
    """Return the keys in CALLERS, none without it. It must have no problems."""
    text = setting_text(environ, CALLERS)
    return tuple(KEYS.validate_json(text)) if text else ()


def api_key_problems(environ: Mapping[str, str]) -> list[Problem]:
    """Return what is wrong with CALLERS, each problem with its place. No value is repeated."""
    text = setting_text(environ, CALLERS)
    if text is None:
        return []
    try:
        data: object = decode_json(text)
    except (ValueError, RecursionError):
        return [{"where": CALLERS, "problem": FORM}]
    entries = cast(list[object], data) if isinstance(data, list) else []
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        return [{"where": CALLERS, "problem": FORM}]
    if len(entries) > MAX_KEYS:
        problem = f"has {len(entries)} keys, but may have {MAX_KEYS} at most"
        return [{"where": CALLERS, "problem": problem}]
    try:
        keys = KEYS.validate_json(text)
    except ValidationError as error:
        return [_problem(problem["loc"]) for problem in error.errors()]
    return _repeated(keys)


def key_of(presented: Iterable[str], keys: Iterable[ApiKey]) -> ApiKey | None:
    """Return the key that a request presents, None for one that isn't listed.

    Compared in the same time whichever it is. Where a request presents several, a reader's counts.
    """
    digests = [hashlib.sha256(key.encode(errors="surrogateescape")).digest() for key in presented]
    matching = [
        key
        for key in keys
        for digest in digests
        if hmac.compare_digest(digest, bytes.fromhex(key.sha256))
    ]
    readers = [key for key in matching if key.role is Role.READER]
    return next(iter([*readers, *matching]), None)


def _problem(place: tuple[int | str, ...]) -> Problem:
    if not place:  # of text as a whole: half of a surrogate pair, or lists nested too deeply
        return {"where": CALLERS, "problem": FORM}
    number, *rest = place
    field = str(rest[0]) if rest else ""
    where = f"{CALLERS}.{number}.{field}" if field in PROBLEMS else f"{CALLERS}.{number}"
    return {"where": where, "problem": PROBLEMS.get(field, f"has a field that {UNKNOWN}")}


def _repeated(keys: list[ApiKey]) -> list[Problem]:
    problems: list[Problem] = []
    places: dict[str, int] = {}
    for number, key in enumerate(keys):
        first = places.setdefault(key.sha256.lower(), number)
        if first != number:
            problem = f"is the same key as {CALLERS}.{first}: remove one of both"
            problems.append({"where": f"{CALLERS}.{number}", "problem": problem})
    return problems
