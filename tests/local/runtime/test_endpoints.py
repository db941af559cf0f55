"""`endpoints.json`: whole or not there, and for its owner's eyes alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.runtime.endpoints import FILE_NAME, Endpoints, remove_endpoints
from tests.support.views import endpoints

ENDPOINTS = endpoints()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_what_is_written_is_read(tmp_path: Path) -> None:
    ENDPOINTS.write(tmp_path / "data")
    assert Endpoints.read(tmp_path / "data") == ENDPOINTS
    assert [file.name for file in (tmp_path / "data").iterdir()] == [FILE_NAME]


def test_only_its_owner_may_read_it_whatever_was_there_before(tmp_path: Path) -> None:
    for left_over in (tmp_path / FILE_NAME, tmp_path / f".{FILE_NAME}.draft"):
        left_over.write_text("{}")
        left_over.chmod(0o666)
    ENDPOINTS.write(tmp_path)
    assert mode(tmp_path / FILE_NAME) == 0o600


def test_a_write_that_fails_leaves_the_last_whole_file(tmp_path: Path) -> None:
    ENDPOINTS.write(tmp_path)
    unwritable: Any = object()
    with pytest.raises(TypeError):
        replace(ENDPOINTS, azureml_url=unwritable).write(tmp_path)
    assert Endpoints.read(tmp_path) == ENDPOINTS


def test_readers_find_the_old_or_the_new_file_and_never_a_part(tmp_path: Path) -> None:
    ENDPOINTS.write(tmp_path)
    with (tmp_path / FILE_NAME).open() as reader:
        replace(ENDPOINTS, host_url="http://127.0.0.1:9").write(tmp_path)
        assert json.load(reader)["host_url"] == ENDPOINTS.host_url


@pytest.mark.parametrize(
    "text", ["", '{"host_url": "http', "[]", "null", "1", '{"host_url": "x"}', '{"other": 1}']
)
def test_a_file_that_is_not_whole_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    assert Endpoints.read(tmp_path) is None


def test_no_file_is_no_cloud(tmp_path: Path) -> None:
    assert Endpoints.read(tmp_path) is None
    ENDPOINTS.write(tmp_path)
    remove_endpoints(tmp_path)
    remove_endpoints(tmp_path)
    assert Endpoints.read(tmp_path) is None


def test_keys_are_masked_where_it_is_printed() -> None:
    assert "secret" not in repr(ENDPOINTS)
    assert ENDPOINTS.host_url in repr(ENDPOINTS)
