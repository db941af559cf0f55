"""Which deployment a command speaks to, and with which key: never one that belongs elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from client.connection import connect
from client.errors import UsageError

AZURE = "https://x.azurewebsites.net"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (AZURE, AZURE),
        (f"{AZURE}/", AZURE),
        (f"{AZURE}/api", AZURE),
        (f"{AZURE}/api/runs/math-a-1?code=k", AZURE),
        ("x.azurewebsites.net", AZURE),
        ("http://x.azurewebsites.net", AZURE),
        (" https://gateway.example/team/api/ ", "https://gateway.example/team"),
        ("localhost:7071", "http://localhost:7071"),
        ("127.0.0.1:7071/api", "http://127.0.0.1:7071"),
        ("http://[::1]:7071", "http://[::1]:7071"),
    ],
)
def test_a_url_is_taken_in_the_forms_that_people_paste(
    tmp_path: Path, url: str, expected: str
) -> None:
    assert connect(url, None, {}, tmp_path).url == expected


@pytest.mark.parametrize(
    "url", ["ftp://x", "https://", "https://user:password@x", "https://x:port", "https://[x"]
)
def test_what_is_no_url_is_refused_without_a_traceback(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="--url"):
        connect(url, None, {}, tmp_path)


def test_options_come_before_the_environment_and_that_before_the_local_cloud(
    tmp_path: Path,
) -> None:
    with pytest.raises(UsageError) as error:
        connect(None, None, {}, tmp_path)
    for place in ("--url", "DISTILLATION_URL", "DISTILLATION_KEY", ".local/endpoints.json"):
        assert place in str(error.value)
    (tmp_path / ".local").mkdir()
    endpoints = {"host_url": "http://127.0.0.1:7071", "function_key": "local"}
    (tmp_path / ".local/endpoints.json").write_text(json.dumps(endpoints))
    environ = {"DISTILLATION_KEY": "variable"}
    local = connect(None, None, environ, tmp_path)
    assert (local.url, local.key) == ("http://127.0.0.1:7071", "local")
    environ["DISTILLATION_URL"] = AZURE
    named = connect(None, None, environ, tmp_path)
    assert (named.url, named.key) == (AZURE, "variable")
    assert connect("https://y", "option", environ, tmp_path).key == "option"
    assert connect("https://y?code=pasted", None, environ, tmp_path).key == "pasted"


def test_the_key_of_the_local_cloud_is_sent_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    endpoints = {"host_url": "http://127.0.0.1:7071", "function_key": "local"}
    (tmp_path / ".local/endpoints.json").write_text(json.dumps(endpoints))
    assert connect(AZURE, None, {}, tmp_path).key is None


def test_a_key_is_in_no_message_and_no_repr(tmp_path: Path) -> None:
    assert "secret" not in repr(connect(f"{AZURE}?code=secret", None, {}, tmp_path))
    with pytest.raises(UsageError) as error:
        connect(AZURE, "secret key\n with line break", {}, tmp_path)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"host_url": 1}', "\ud800"])
def test_a_broken_file_of_the_local_cloud_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / ".local").mkdir()
    file = tmp_path / ".local/endpoints.json"
    file.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(UsageError, match=r"endpoints\.json"):
        connect(None, None, {}, tmp_path)
