"""The host's access keys: made once, kept in `keys.json`, readable by their owner alone."""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self, cast

from local.functions_host.errors import HostError

FILE_NAME = "keys.json"
KEY_BYTES = 40


@dataclass(frozen=True, slots=True)
class Keys:
    """The host's keys.

    `function_key` opens every function (a host key named default), `master_key` everything,
    `system_key` Durable's management API (durabletask_extension).
    """

    function_key: str = field(repr=False)
    master_key: str = field(repr=False)
    system_key: str = field(repr=False)

    @classmethod
    def load_or_create(cls, data_dir: Path) -> Self:
        """Return this data directory's keys. Raises HostError for a file that is not keys."""
        path = data_dir / FILE_NAME
        try:
            return cls._parse(path.read_text())
        except FileNotFoundError:
            keys = cls(*(secrets.token_urlsafe(KEY_BYTES) for _ in fields(cls)))
            keys._write(path)
            return keys
        except ValueError as error:
            raise HostError(
                f"{path} does not hold the host's keys ({error}): remove it to get new ones"
            ) from None

    @classmethod
    def _parse(cls, text: str) -> Self:
        data: Any = json.loads(text)
        if not isinstance(data, dict):
            raise ValueError("not an object")
        entries = cast(dict[str, Any], data)
        values = [entries.get(key.name) for key in fields(cls)]
        if not all(isinstance(value, str) and value for value in values):
            raise ValueError("a key is missing or empty")
        return cls(*cast(list[str], values))

    def _write(self, path: Path) -> None:
        draft = path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(self), file, indent=2)
        draft.replace(path)


def matches(presented: str | None, accepted: Iterable[str]) -> bool:
    """Return whether a request's key is one of these, in the same time whichever it is."""
    key_bytes = (presented or "").encode(errors="surrogateescape")
    matching = [hmac.compare_digest(key_bytes, key.encode()) for key in accepted]
    return any(matching)
