"""Replaces the app's secrets in texts of others that are stored, such as a teacher's reply."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import cast

from pydantic import BaseModel, SecretStr

REDACTED = "***"
MAX_ESCAPES = 8  # backslashes before a character, in JSON within JSON
MIN_CHARACTERS = 12  # a shorter value may be a word that has nothing to do with the secret
# the end of a text, maybe within an escape
CUT_OFF = rf"\\{{0,{MAX_ESCAPES}}}(?:u[0-9a-fA-F]{{0,3}})?\Z"
# parts of a storage connection string
SECRET_PARTS = ("AccountKey", "SharedAccessSignature")


def redactor(settings: BaseModel) -> Callable[[str], str]:
    """Return a function that replaces the secret values of these settings in a text.

    A secret in a JSON text may have escapes (`\\/`, `\\u002b`). One that is cut off where the text
    ends is replaced too, if MIN_CHARACTERS of it are there.
    """
    values = {value for value in _secrets(settings) if len(value) >= MIN_CHARACTERS}
    longest_first = sorted(values, key=len, reverse=True)
    searches = [(_unescaped(value[:MIN_CHARACTERS]), _spellings(value)) for value in longest_first]

    def redact(text: str) -> str:
        may_have_codes = "\\u" in text
        unescaped = _unescaped(text)
        for beginning, spellings in searches:
            if may_have_codes or beginning in unescaped:  # nearly never, and all is searched
                text = spellings.sub(REDACTED, text)
        return text

    return redact


def _unescaped(text: str) -> str:
    return text.replace("\\", "")


def _spellings(secret: str) -> re.Pattern[str]:
    """Return a pattern of a secret, whole or cut off at the end of a text, with any escapes."""
    characters = [_spelling(character) for character in secret]
    beginning = "".join(characters[:MIN_CHARACTERS])
    rest = "".join([rf"(?:{character}|{CUT_OFF})" for character in characters[MIN_CHARACTERS:]])
    return re.compile(beginning + rest)


def _spelling(character: str) -> str:
    code = "".join(f"[{digit}{digit.upper()}]" for digit in f"{ord(character):04x}")
    return rf"(?:\\{{0,{MAX_ESCAPES}}}{re.escape(character)}|\\{{1,{MAX_ESCAPES}}}u{code})"


def _secrets(settings: BaseModel) -> Iterator[str]:
    for name in type(settings).model_fields:
        yield from _secrets_in(getattr(settings, name))


def _secrets_in(setting: object) -> Iterator[str]:
    """Yield the secrets of one setting, which may be a tuple of models with secrets."""
    if isinstance(setting, BaseModel):
        yield from _secrets(setting)
    elif isinstance(setting, tuple):
        for entry in cast(tuple[object, ...], setting):
            yield from _secrets_in(entry)
    elif isinstance(setting, SecretStr):
        value = setting.get_secret_value()
        yield value
        for part in value.split(";"):
            part_name, _, part_value = part.partition("=")
            if part_name.strip() in SECRET_PARTS:
                yield part_value
