"""Which deployment a command speaks to, and with which key.

Each of both comes from an option, an environment variable, or the file that `python3 -m local up`
writes, in this order. A key of the file is sent to the file's URL only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from .errors import UsageError

URL_VARIABLE = "DISTILLATION_URL"
KEY_VARIABLE = "DISTILLATION_KEY"
ENDPOINTS = Path(".local/endpoints.json")
AZURE = ".azurewebsites.net"
NO_URL = f"""no deployment is named. Name one in one of these ways:
  --url https://NAME.azurewebsites.net --key KEY
  the environment variables {URL_VARIABLE} and {KEY_VARIABLE}
  {ENDPOINTS} in this folder, which `python3 -m local up` writes while it runs"""


@dataclass(frozen=True, slots=True)
class Connection:
    """A deployment: `url` is its address without `/api`, `key_source` where the key is from."""

    url: str
    key: str | None = field(repr=False)
    key_source: str

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        return is_loopback(self.url)

    @property
    def is_unencrypted(self) -> bool:
        """Whether keys would cross a network as plain text."""
        return self.url.startswith("http:") and not self.is_loopback

    @property
    def app_name(self) -> str:
        """Return the name of the function app, or a placeholder."""
        host = urlsplit(self.url).hostname or ""
        return host.partition(".")[0] if host.endswith(AZURE) else "<app>"


@dataclass(frozen=True, slots=True)
class _Address:
    url: str
    key: str | None = field(repr=False)
    """The key in its query."""


def connect(
    url: str | None, key: str | None, environ: Mapping[str, str], folder: Path
) -> Connection:
    """Return the deployment that options, environment or a local cloud name.

    Raises UsageError.
    """
    if url:
        return _connection(_address(url, "--url"), key, environ, "--url")
    variable = environ.get(URL_VARIABLE, "").strip()
    if variable:
        return _connection(_address(variable, URL_VARIABLE), key, environ, URL_VARIABLE)
    local = _local_cloud(folder / ENDPOINTS)
    if local is None:
        raise UsageError(NO_URL)
    if key:
        return Connection(local.url, _checked_key(key, "--key"), "--key")
    return Connection(local.url, local.key, str(ENDPOINTS))


def is_loopback(url: str) -> bool:
    """Return whether a URL leads to this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _connection(
    address: _Address, key: str | None, environ: Mapping[str, str], url_source: str
) -> Connection:
    if key:
        return Connection(address.url, _checked_key(key, "--key"), "--key")
    if address.key:
        source = f"the code in {url_source}"
        return Connection(address.url, _checked_key(address.key, source), source)
    variable = environ.get(KEY_VARIABLE, "").strip()
    if variable:
        return Connection(address.url, _checked_key(variable, KEY_VARIABLE), KEY_VARIABLE)
    return Connection(address.url, None, "")


def _address(text: str, source: str) -> _Address:
    """Return the address in a URL as people paste it: with `/api`, a slash, `?code=`, no scheme.

    Raises UsageError.
    """
    url = text.strip()
    if "://" not in url:
        url = f"{'http' if is_loopback(f'//{url}') else 'https'}://{url}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UsageError(f"{source} isn't a URL: {text.partition('?')[0]}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise UsageError(
            f"{source} must be like https://NAME.azurewebsites.net, without user or password"
        )
    scheme = "https" if parts.hostname.endswith(AZURE) else parts.scheme
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    # What follows `api` is a route, for instance of a URL that was copied from the portal.
    segments = [segment for segment in parts.path.split("/") if segment]
    if "api" in segments:
        segments = segments[: segments.index("api")]
    path = "".join(f"/{segment}" for segment in segments)
    codes = parse_qs(parts.query).get("code")
    return _Address(
        f"{scheme}://{host}{f':{port}' if port else ''}{path}", codes[0] if codes else None
    )


def _checked_key(key: str, source: str) -> str:
    """Return a key that can be sent in a header. Raises UsageError, without the key."""
    stripped = key.strip()
    if not stripped.isascii() or not stripped.isprintable() or " " in stripped:
        raise UsageError(
            f"the key from {source} holds characters that no key has: paste it again, "
            "without quotes, spaces and line breaks"
        )
    return stripped


def _local_cloud(path: Path) -> _Address | None:
    """Return the address of a local cloud, None if none is running. Raises UsageError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} can't be read: {error}") from None
    try:
        data: Any = json.loads(text)
        endpoints = cast(dict[str, Any], data)
        return _Address(str(endpoints["host_url"]).rstrip("/"), str(endpoints["function_key"]))
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"{path} isn't what `python3 -m local up` writes: remove it, and start that again"
        ) from None
