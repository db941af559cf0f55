"""No secret of the app reaches a file, however a teacher repeats it."""

from __future__ import annotations

import base64
import json
from codecs import BOM_UTF8
from urllib.parse import quote

import pytest
from pydantic import BaseModel, JsonValue, SecretStr

from shared.core.secrets import (
    redacted_bytes,
    redacted_json,
    redactor,
    secrets_of,
    secrets_of_environment,
    without_tokens,
)

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
    redact = redactor(secrets_of(SettingsWithSigns()))
    assert redact(f'{{"text": "it is {spelled}."}}') == '{"text": "it is ***."}'


@pytest.mark.parametrize("lost", range(7))
def test_a_secret_with_escapes_is_replaced_where_the_text_ends_within_it(lost: int) -> None:
    cut = _codes(JSON_KEY[:15])
    assert (
        redactor(secrets_of(SettingsWithSigns()))(f"it is {cut[: len(cut) - lost]}") == "it is ***"
    )


def test_the_longest_secrets_can_be_searched() -> None:
    class WithToken(BaseModel):
        key: SecretStr = SecretStr("0123456789abcdef" * 100)

    redact = redactor(secrets_of(WithToken()))
    assert redact("0123456789ab" + "0123456789abcdef" * 100 + ".") == "0123456789ab***."


def test_latex_and_many_backslashes_change_nothing() -> None:
    text = r"\underline{a/b+c} \frac{1}{2} " + "\\" * 100_000
    assert redactor(secrets_of(SettingsWithSigns()))(text) == text


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
    assert redactor(secrets_of(AppSettings()))(text) == redacted


def test_absent_secrets_change_nothing() -> None:
    assert redactor(secrets_of(AppSettings(key=None)))(f"the key {KEY}") == f"the key {KEY}"


SIGNS = "p/ss+w=rd-of-the-teacher"


@pytest.mark.parametrize(
    "spelled",
    [quote(SIGNS, safe=""), quote(SIGNS), quote(quote(SIGNS)), "p%2fss%2bw%3drd-of-the-teacher"],
)
@pytest.mark.parametrize("lost", range(3))
def test_secrets_are_replaced_in_urls_also_in_parts_of_them(spelled: str, lost: int) -> None:
    assert redactor([SIGNS])(f"/x?key={spelled}&y=1%") == "/x?key=***&y=1%"
    assert redactor([SIGNS])(f"/x?key={spelled[: 25 - lost]}") == "/x?key=***"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_secrets_are_replaced_in_every_encoding_that_json_may_have(encoding: str) -> None:
    text = json.dumps({"text": f"ä {KEY}"}, ensure_ascii=False)
    redacted = redacted_bytes(text.encode(encoding), redactor([KEY]))
    assert json.loads(redacted.removeprefix(BOM_UTF8)) == {"text": "ä ***"}


def test_json_stays_json_whatever_signs_a_secret_has() -> None:
    value: JsonValue = {"a": ['endquote12345"', 'x"endback12345\\', 7, None], "endback12345\\": {}}
    redact = redactor(['endquote12345"', "endback12345\\"])
    assert redacted_json(value, redact) == {"a": ["***", 'x"***', 7, None], "***": {}}


@pytest.mark.parametrize("before", ["", "a", "ab", "user:"])
@pytest.mark.parametrize("after", ["", "@host", "!!"])
def test_secrets_are_replaced_where_they_are_encoded(before: str, after: str) -> None:
    redact = redactor([SIGNS])
    encoded = base64.b64encode(f"{before}{SIGNS}{after}".encode()).decode()
    for text in (encoded, encoded.replace("+", "-").replace("/", "_"), quote(encoded, safe="=")):
        redacted = redact(f"Basic {text}!")
        assert "***" in redacted
        assert len(redacted) < len("Basic ***!") + 20, "at most what stands around it is left"


def test_a_secret_cut_off_where_a_string_in_json_ends_is_replaced_and_it_stays_json() -> None:
    redact = redactor([KEY])
    for cut in range(12, len(KEY)):
        text = json.dumps({"content": f"it is {KEY[:cut]}", "next": f'"{KEY[:cut]}" he said'})
        assert json.loads(redact(text)) == {"content": "it is ***", "next": '"***" he said'}


def test_secrets_are_found_in_the_environment_whatever_else_is_wrong_there() -> None:
    environ = {
        "TEACHER_API_KEY": KEY,
        "DISTILLATION_STORAGE": f"AccountName=me;AccountKey={ACCOUNT_KEY}",
        "AzureWebJobsStorage": "BlobEndpoint=https://x;SharedAccessSignature=sv=1&sig=abcdefgh",
        "https_proxy": "http://user:pass%2Bof-the-proxy@proxy:80",
        "ALL_PROXY": "user:pass-of-another@proxy:80",
        "TEACHER_ENDPOINTS": "[",
    }
    assert secrets_of_environment(environ, ["TEACHER_API_KEY", "DISTILLATION_STORAGE"]) == [
        KEY,
        ACCOUNT_KEY,
        "sv=1&sig=abcdefgh",
        "pass%2Bof-the-proxy",
        "pass+of-the-proxy",
        "pass-of-another",
    ]


def test_connection_strings_may_be_written_in_any_case_and_that_of_an_emulator_has_no_secret() -> (
    None
):
    environ = {
        "DISTILLATION_STORAGE": f"accountname=me; accountkey={ACCOUNT_KEY};",
        "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    }
    assert secrets_of_environment(environ, ["DISTILLATION_STORAGE"]) == [ACCOUNT_KEY]


def test_errors_have_no_tokens_and_no_signatures() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0aaaa.c2lnbmF0dXJl-_"
    text = f"Bearer {token} at https://x/y?sv=1&sig=abcdefghij%2Bklmnopqrst%3D&se=2"
    assert without_tokens(text) == "Bearer *** at https://x/y?sv=1&sig=***&se=2"
