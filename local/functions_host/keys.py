"""The host's access keys: made once, kept in `keys.json`, readable by their owner alone."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Self, cast

from pydantic import Field, TypeAdapter

from local.functions_host.errors import HostError
from local.runtime.private_files import write_private

FILE_NAME = "keys.json"
KEY_BYTES = 40
Key = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Keys:
    """The host's keys.

    `function_key` and `reader_key` open every function (host keys, as Azure's named default),
    `master_key` everything, `system_key` Durable's management API (durabletask_extension). What
    tells the first two apart is up to the app.
    """

    function_key: Key = field(repr=False)
    master_key: Key = field(repr=False)
    system_key: Key = field(repr=False)
    reader_key: Key = field(repr=False)

    @classmethod
    def load_or_create(cls, data_dir: Path) -> Self:
        """Return this data directory's keys. Raises HostError for a file that is not keys."""
        path = data_dir / FILE_NAME
        data: Any = None
        try:
            data = json.loads(path.read_bytes())
            keys = TypeAdapter(cls).validate_python(_with_reader_key(data))
        except FileNotFoundError:
            keys = cls(*(secrets.token_urlsafe(KEY_BYTES) for _ in fields(cls)))
        except ValueError:
            raise HostError(
                f"{path} does not hold the host's keys: remove it to get new ones"
            ) from None
        if asdict(keys) != data:
            write_private(path, json.dumps(asdict(keys), indent=2))
        return keys


def _with_reader_key(data: Any) -> Any:
    """Return the file's content with a key that files of earlier versions don't have."""
    if not isinstance(data, dict):
        return data
    return {"reader_key": secrets.token_urlsafe(KEY_BYTES), **cast(dict[str, Any], data)}


def matches(presented: str | None, accepted: Iterable[str]) -> bool:
    """Return whether a request's key is one of these, in the same time whichever it is."""
    key_bytes = (presented or "").encode(errors="surrogateescape")
    matching = [hmac.compare_digest(key_bytes, key.encode()) for key in accepted]
    return any(matching)
