"""No secret of the app reaches a file, however a teacher repeats it."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel, SecretStr

from shared.core.secrets import redactor

KEY = "key-of-the-teacher-0123"
ACCOUNT_KEY = "cGFzc3dvcmQtb2YtYWNjb3VudA=="


class AppSettings(BaseModel):
    storage: SecretStr = SecretStr(f"AccountName=me;AccountKey={ACCOUNT_KEY};Suffix=core")
    key: SecretStr | None = SecretStr(KEY)
    short: SecretStr = SecretStr("sesame")
    model: str = "a-model-with-a-long-name"


JSON_KEY = 'a/b+c"d\\e=f-0123456789'


class SettingsWithSigns(BaseModel):
    key: SecretStr = SecretStr(JSON_KEY)


def _codes(text: str) -> str:
    return "".join(f"\\u{ord(character):04X}" for character in text)


@pytest.mark.parametrize(
    "spelled",
    [
        json.dumps(JSON_KEY)[1:-1],
        json.dumps(JSON_KEY)[1:-1].replace("/", "\\/"),
        json.dumps(JSON_KEY)[1:-1].replace("+", "\\u002b"),
        json.dumps(json.dumps(JSON_KEY))[3:-3],
        _codes(JSON_KEY),
        _codes(JSON_KEY).lower(),
    ],
)
def test_secrets_are_replaced_however_json_escapes_them(spelled: str) -> None:
    redact = redactor(SettingsWithSigns())
    assert redact(f'{{"text": "it is {spelled}."}}') == '{"text": "it is ***."}'


@pytest.mark.parametrize("lost", range(7))
def test_a_secret_with_escapes_is_replaced_where_the_text_ends_within_it(lost: int) -> None:
    cut = _codes(JSON_KEY[:15])
    assert redactor(SettingsWithSigns())(f"it is {cut[: len(cut) - lost]}") == "it is ***"


def test_the_longest_secrets_can_be_searched() -> None:
    class WithToken(BaseModel):
        key: SecretStr = SecretStr("0123456789abcdef" * 100)

    redact = redactor(WithToken())
    assert redact("0123456789ab" + "0123456789abcdef" * 100 + ".") == "0123456789ab***."


def test_latex_and_many_backslashes_change_nothing() -> None:
    text = r"\underline{a/b+c} \frac{1}{2} " + "\\" * 100_000
    assert redactor(SettingsWithSigns())(text) == text


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"Wrong key {KEY}, and again {KEY}.", "Wrong key ***, and again ***."),
        (f"account {ACCOUNT_KEY}!", "account ***!"),
        (f"it was cut: {KEY[:14]}", "it was cut: ***"),
        ("Open sesame with a-model-with-a-long-name", "Open sesame with a-model-with-a-long-name"),
        ("key-of-the is too little to tell", "key-of-the is too little to tell"),
        ("", ""),
    ],
)
def test_secrets_are_replaced_and_nothing_else(text: str, redacted: str) -> None:
    assert redactor(AppSettings())(text) == redacted


def test_absent_secrets_change_nothing() -> None:
    assert redactor(AppSettings(key=None))(f"the key {KEY}") == f"the key {KEY}"
