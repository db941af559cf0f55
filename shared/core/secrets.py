"""Replaces the app's secrets in texts of services, before they are kept, shown or taught.

A teacher, a fine-tuning service or the storage may quote the key that it was called with, in an
error or in an answer.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import cast
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, JsonValue, SecretStr

REDACTED = "***"
MAX_ESCAPES = 8  # backslashes before a character, in JSON within JSON
MIN_CHARACTERS = 12  # a shorter value may be a word that has nothing to do with the secret
# The end of a text, maybe within an escape, or of a string in JSON.
CUT_OFF = (
    rf"\\{{0,{MAX_ESCAPES}}}(?:u[0-9a-fA-F]{{0,3}}|%(?:25)*[0-9a-fA-F]?)?\Z"
    rf"|(?=\\{{0,{MAX_ESCAPES}}}\")"
)
# An ASCII character in JSON and in a URL, which may be encoded several times. Two patterns, because
# each is searched by its first character, 20 times faster.
CODES = (re.compile(r"\\+u00([2-7][0-9a-fA-F])"), re.compile(r"%(?:25)*([2-7][0-9a-fA-F])"))
# parts of a connection string, which may be written in any case
SECRET_PARTS = ("accountkey", "sharedaccesssignature")
EMULATOR = "usedevelopmentstorage=true"  # a connection string without a secret
# Secrets of the process that are no settings of this app: of its host, of its identity, of proxies.
ENVIRONMENT_SECRETS = (
    "AzureWebJobsStorage",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_PASSWORD",
    "IDENTITY_HEADER",
    "MSI_SECRET",
)
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
# What only an error or a log may not have: a token, or the signature of a URL.
TOKEN = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|(?<=[?&;]sig=)[\w%+/=-]{20,}")

Redact = Callable[[str], str]


def redactor(secrets: Iterable[str]) -> Redact:
    """Return a function that replaces these secrets in a text, in upper or lower case.

    They may be percent-, base64- or hex-encoded. A secret in a JSON text may have escapes (`\\/`,
    `\\u002b`). One that is cut off where the text ends, or a string in JSON, is replaced too, if
    MIN_CHARACTERS of it are there. A service that wants to hide a key has other ways, all the same.
    """
    searched = [secret for secret in secrets if len(secret) >= MIN_CHARACTERS]
    values = {spelled for secret in searched for spelled in _encoded(secret)}
    longest_first = sorted(values, key=len, reverse=True)
    searches = [(beginning, value) for value in longest_first for beginning in _beginnings(value)]

    def redact(text: str) -> str:
        read = _readings(text)
        for beginning, value in searches:
            if beginning in read:  # nearly never, and it's slow
                text = _spellings(value).sub(REDACTED, text)
        return text

    return redact


def redacted_bytes(content: bytes, redact: Redact) -> bytes:
    """Return a text without secrets, in UTF-8 if it had some. It may be JSON in UTF-16 or 32."""
    encoding = json.detect_encoding(content)
    is_wide = encoding.startswith(("utf-16", "utf-32"))
    errors = "replace" if is_wide else "surrogateescape"
    text = content.decode(encoding if is_wide else "utf-8", errors)
    redacted = redact(text)
    return content if redacted == text else redacted.encode("utf-8", "surrogateescape")


def redacted_json(value: JsonValue, redact: Redact) -> JsonValue:
    """Return decoded JSON without secrets: the value itself if it has none.

    Each text is redacted by itself: encoded, it could break.
    """
    text = json.dumps(value, ensure_ascii=False)
    return value if redact(text) == text else _each_redacted(value, redact)


def _each_redacted(value: JsonValue, redact: Redact) -> JsonValue:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_each_redacted(item, redact) for item in value]
    if isinstance(value, dict):
        return {redact(name): _each_redacted(item, redact) for name, item in value.items()}
    return value


def without_tokens(text: str) -> str:
    """Return an error or a log without tokens and signatures, which no setting holds."""
    return TOKEN.sub(REDACTED, text)


def secrets_of(settings: BaseModel) -> list[str]:
    """Return the secret values of settings."""
    values = [getattr(settings, name) for name in type(settings).model_fields]
    return [secret for value in values for secret in _parts(value)]


def secrets_of_environment(environ: Mapping[str, str], names: Iterable[str]) -> list[str]:
    """Return the secrets in environment variables: those of these names, and the host's."""
    secrets = [
        part
        for name in (*names, *ENVIRONMENT_SECRETS)
        for part in _parts(SecretStr(environ.get(name, "").strip()))
    ]
    for name in PROXIES:
        for url in (environ.get(name, ""), environ.get(name.lower(), "")):
            secrets += _password(url)
    return [secret for secret in secrets if secret]


def _password(url: str) -> list[str]:
    try:
        password = urlsplit(url if "://" in url else f"http://{url}").password or ""
    except ValueError:
        return []
    return [password, unquote(password)] if "%" in password else [password]


def _encoded(secret: str) -> Iterator[str]:
    """Yield a secret as it is, in hexadecimal digits, and base64-encoded within any other text."""
    yield secret
    data = secret.encode()
    yield data.hex()
    for before in range(3):
        text = base64.b64encode(b"\0" * before + data).decode()
        # without characters that depend on what stands before or after
        whole = text[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        if len(whole) >= MIN_CHARACTERS:
            yield whole
            yield whole.replace("+", "-").replace("/", "_")


def _readings(text: str) -> str:
    """Return a text without backslashes, and again with its codes decoded if it has some.

    In lower case, as a service may write a key in any.
    """
    unescaped = text.replace("\\", "").lower()
    if "\\u00" not in text and "%" not in text:
        return unescaped
    return f"{unescaped}\n{_decoded(text)}"


def _decoded(text: str) -> str:
    for codes in CODES:
        text = codes.sub(lambda code: chr(int(code[1], 16)), text)
    return text.replace("\\", "").lower()


def _beginnings(secret: str) -> set[str]:
    """Return what a text with this secret holds, by `_readings`."""
    beginning = secret[:MIN_CHARACTERS]
    if not beginning.isascii():  # its codes aren't decoded
        return {""}
    return {beginning.replace("\\", "").lower(), _decoded(beginning)}


@functools.cache
def _spellings(secret: str) -> re.Pattern[str]:
    """Return a pattern of a secret, whole or cut off at the end of a text, with any escapes."""
    characters = [_spelling(character) for character in secret]
    beginning = "".join(characters[:MIN_CHARACTERS])
    rest = "".join([rf"(?:{character}|{CUT_OFF})" for character in characters[MIN_CHARACTERS:]])
    return re.compile(beginning + rest, re.IGNORECASE)


def _spelling(character: str) -> str:
    escapes = rf"\\{{0,{MAX_ESCAPES}}}{re.escape(character)}|\\{{1,{MAX_ESCAPES}}}u"
    percents = "".join(f"%(?:25)*{byte:02x}" for byte in character.encode())
    return f"(?:{escapes}{ord(character):04x}|{percents})"


def _parts(setting: object) -> Iterator[str]:
    """Yield the secrets in one setting, which may be a tuple of models with secrets.

    Of a connection string, they are its key and its signature.
    """
    if isinstance(setting, BaseModel):
        yield from secrets_of(setting)
    elif isinstance(setting, tuple):
        for entry in cast(tuple[object, ...], setting):
            yield from _parts(entry)
    elif isinstance(setting, SecretStr):
        value = setting.get_secret_value()
        pairs = [part.partition("=") for part in value.split(";")]
        named = [text.strip() for name, _, text in pairs if name.strip().lower() in SECRET_PARTS]
        if value.strip("; ").lower() != EMULATOR:
            yield from named or [value]
