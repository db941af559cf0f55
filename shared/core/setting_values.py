"""Reads single values of app settings."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit


def setting_text(environ: Mapping[str, str], name: str) -> str | None:
    """Return the text of a setting, None if it is missing or blank."""
    return environ.get(name, "").strip() or None


def normalise_base_url(url: str) -> str:
    """Return the API's base URL without a trailing slash or `/chat/completions`."""
    return url.strip().rstrip("/").removesuffix("/chat/completions").rstrip("/")


def is_http_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query
