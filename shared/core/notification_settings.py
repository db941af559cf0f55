"""The two settings of notifications: where a run's end is announced, and the key that signs it.

Both are secrets: chat and workflow services put a token into the address itself.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from shared.core.errors import Problem
from shared.core.setting_values import key_problem, reference_problem, setting_text

NOTIFY_URL = "NOTIFY_URL"
NOTIFY_SECRET = "NOTIFY_SECRET"
NOTIFICATION_SETTINGS = (NOTIFY_URL, NOTIFY_SECRET)
# Standard Webhooks: base64 of 24 to 64 random bytes behind this prefix
SECRET_PREFIX = "whsec_"
MIN_KEY_BYTES = 24
MAX_KEY_BYTES = 64
URL_PROBLEM = (
    "must be an https URL without a fragment, user or password (http is for loopback addresses "
    "only)"
)
MISSING = {
    NOTIFY_URL: "is missing: set it to the https URL that is notified, or remove NOTIFY_SECRET",
    NOTIFY_SECRET: (
        f"is missing: set it to {SECRET_PREFIX} followed by base64 of {MIN_KEY_BYTES} to "
        f"{MAX_KEY_BYTES} random bytes, or remove NOTIFY_URL"
    ),
}


@dataclass(frozen=True)
class NotificationTarget:
    """Who is notified. `key` signs; neither is printed."""

    url: str = field(repr=False)
    key: bytes = field(repr=False)


def notification_target(
    url: SecretStr | None, secret: SecretStr | None
) -> NotificationTarget | None:
    """Return who is notified by valid settings, None where nobody is."""
    if url is None or secret is None:
        return None
    return NotificationTarget(url.get_secret_value(), _key(secret.get_secret_value()))


def notification_problems(environ: Mapping[str, str]) -> list[Problem]:
    """Return what is wrong with the two settings. No value is repeated."""
    values = {name: setting_text(environ, name) for name in NOTIFICATION_SETTINGS}
    if not any(values.values()):
        return []
    problems: list[Problem] = []
    for name, check in ((NOTIFY_URL, _url_problem), (NOTIFY_SECRET, _secret_problem)):
        value = values[name]
        problem = MISSING[name] if value is None else check(value)
        if problem is not None:
            problems.append({"where": name, "problem": problem})
    return problems


def notification_secrets(environ: Mapping[str, str]) -> list[str]:
    """Return the secrets in both settings, also if they are wrong.

    Of the address: the whole, what follows its host, and the values in its query.
    """
    url = setting_text(environ, NOTIFY_URL) or ""
    secret = setting_text(environ, NOTIFY_SECRET) or ""
    secrets = [url, secret, secret.removeprefix(SECRET_PREFIX)]
    try:
        parts = urlsplit(url)
    except ValueError:
        return secrets
    secrets.append(f"{parts.path}?{parts.query}" if parts.query else parts.path)
    secrets += [value for _, value in parse_qsl(parts.query)]
    return secrets + [unquote(text) for text in secrets if "%" in text]


def _url_problem(url: str) -> str | None:
    problem = reference_problem(url)
    if problem is not None:
        return problem
    return None if _is_notifiable(url) else URL_PROBLEM


def _is_notifiable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError if it is none
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc or not url.isascii():
        return False
    if re.search(r"[\s#\"'<>\\]", url) or not url.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _secret_problem(secret: str) -> str | None:
    problem = key_problem(secret)
    if problem is not None:
        return problem
    try:
        size = len(_key(secret))
    except binascii.Error:
        return f"isn't base64 behind {SECRET_PREFIX}: copy it again, or make a new one"
    if size < MIN_KEY_BYTES:
        return f"has {size} bytes: use {MIN_KEY_BYTES} or more, chosen at random"
    if secret.startswith(SECRET_PREFIX) and size > MAX_KEY_BYTES:
        return f"has {size} bytes: use at most {MAX_KEY_BYTES}, as libraries refuse more"
    return None


def _key(secret: str) -> bytes:
    """Return the bytes that sign: those that the base64 stands for, or the text's own."""
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
