"""Replaces the app's secrets in texts of others that are stored, such as a teacher's reply."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pydantic import BaseModel, SecretStr

REDACTED = "***"
MIN_CHARACTERS = 12  # a shorter value may be a word that has nothing to do with the secret
# parts of a storage connection string
SECRET_PARTS = ("AccountKey", "SharedAccessSignature")


def redactor(settings: BaseModel) -> Callable[[str], str]:
    """Return a function that replaces the secret values of these settings in a text.

    A secret that is cut off where the text ends is replaced too, if MIN_CHARACTERS of it are there.
    """
    values = {value for value in _secrets(settings) if len(value) >= MIN_CHARACTERS}
    longest_first = sorted(values, key=len, reverse=True)

    def redact(text: str) -> str:
        for secret in longest_first:
            if secret[:MIN_CHARACTERS] in text:  # nearly never, and every reply is searched
                text = _without_beginning(text.replace(secret, REDACTED), secret)
        return text

    return redact


def _secrets(settings: BaseModel) -> Iterator[str]:
    for name in type(settings).model_fields:
        setting = getattr(settings, name)
        if not isinstance(setting, SecretStr):
            continue
        value = setting.get_secret_value()
        yield value
        for part in value.split(";"):
            part_name, _, part_value = part.partition("=")
            if part_name.strip() in SECRET_PARTS:
                yield part_value


def _without_beginning(text: str, secret: str) -> str:
    """Replace the beginning of a secret at the end of a text."""
    for length in range(len(secret) - 1, MIN_CHARACTERS - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + REDACTED
    return text
