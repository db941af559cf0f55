"""No secret of the app reaches a file, however a teacher repeats it."""

from __future__ import annotations

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
