"""Reads single values of app settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

URL_PROBLEM = "must be an http or https URL without a query, fragment, user or password"
# What a setting holds while Azure can't resolve its Key Vault reference.
UNRESOLVED_REFERENCE = "@microsoft.keyvault("


def setting_text(environ: Mapping[str, str], name: str) -> str | None:
    """Return the text of a setting, None if it is missing or blank."""
    return environ.get(name, "").strip() or None


def normalise_base_url(url: str) -> str:
    """Return the API's base URL without a trailing slash or `/chat/completions`."""
    return url.strip().rstrip("/").removesuffix("/chat/completions").rstrip("/")


def is_http_url(value: str) -> bool:
    """Return whether a value is the URL of an API, to which paths can be added."""
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises ValueError if it is none
    except ValueError:
        return False
    is_web_address = parts.scheme in ("http", "https") and bool(parts.hostname)
    has_more = "@" in parts.netloc or "?" in value or "#" in value
    return is_web_address and not has_more and not re.search(r"\s", value)


def reference_problem(value: str) -> str | None:
    """Return why a value isn't what its Key Vault reference stands for, None if it is no such."""
    if not value.lower().startswith(UNRESOLVED_REFERENCE):
        return None
    return (
        "is a Key Vault reference that Azure couldn't resolve: check the reference, and that "
        "the app's identity may read the secret"
    )


def key_problem(key: str) -> str | None:
    """Return why a value can't be a key, None if it may be one. The value isn't repeated."""
    problem = reference_problem(key)
    if problem is not None:
        return problem
    if re.search(r"[\"'\\]", key):
        return "holds quotes or backslashes, which no key has: remove them"
    if not key.isascii() or not key.isprintable():
        return "holds characters that no key has, such as line breaks or dots for hidden ones"
    return None
