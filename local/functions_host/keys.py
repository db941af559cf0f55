"""The host's access keys: made once, kept in `keys.json`, readable by their owner alone."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, TypeAdapter

from local.functions_host.errors import HostError
from local.runtime.private_files import write_private

FILE_NAME = "keys.json"
KEY_BYTES = 40
Key = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Keys:
    """The host's keys.

    `function_key` opens every function (a host key named default), `master_key` everything,
    `system_key` Durable's management API (durabletask_extension).
    """

    function_key: Key = field(repr=False)
    master_key: Key = field(repr=False)
    system_key: Key = field(repr=False)

    @classmethod
    def load_or_create(cls, data_dir: Path) -> Self:
        """Return this data directory's keys. Raises HostError for a file that is not keys."""
        path = data_dir / FILE_NAME
        try:
            return TypeAdapter(cls).validate_json(path.read_bytes())
        except FileNotFoundError:
            keys = cls(*(secrets.token_urlsafe(KEY_BYTES) for _ in fields(cls)))
            write_private(path, json.dumps(asdict(keys), indent=2))
            return keys
        except ValueError:
            raise HostError(
                f"{path} does not hold the host's keys: remove it to get new ones"
            ) from None


def matches(presented: str | None, accepted: Iterable[str]) -> bool:
    """Return whether a request's key is one of these, in the same time whichever it is."""
    key_bytes = (presented or "").encode(errors="surrogateescape")
    matching = [hmac.compare_digest(key_bytes, key.encode()) for key in accepted]
    return any(matching)
