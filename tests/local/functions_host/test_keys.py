"""The host's access keys on disk, and how a presented key is compared."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from local.functions_host.errors import HostError
from local.functions_host.keys import FILE_NAME, Keys, matches


def test_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    made = Keys.load_or_create(tmp_path)
    assert Keys.load_or_create(tmp_path) == made
    assert len({made.function_key, made.master_key, made.system_key}) == 3
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_two_data_directories_share_no_key(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    assert (
        Keys.load_or_create(tmp_path / "a").master_key
        != Keys.load_or_create(tmp_path / "b").master_key
    )


def test_only_the_owner_can_read_them_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Keys.load_or_create(tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_they_are_not_shown_where_the_object_is(tmp_path: Path) -> None:
    keys = Keys.load_or_create(tmp_path)
    assert keys.master_key not in repr(keys)
    assert keys.function_key not in repr(keys)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"function_key": 1}', "\x80"])
def test_a_damaged_file_is_an_error_that_names_it_and_the_way_out(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / FILE_NAME).write_text(content, encoding="latin-1")
    with pytest.raises(HostError, match=r"keys\.json does not hold the host's keys: remove it"):
        Keys.load_or_create(tmp_path)
    assert (tmp_path / FILE_NAME).read_text(encoding="latin-1") == content


def test_an_empty_key_is_no_key(tmp_path: Path) -> None:
    Keys.load_or_create(tmp_path)
    file = tmp_path / FILE_NAME
    file.write_text(json.dumps({**json.loads(file.read_text()), "master_key": ""}))
    with pytest.raises(HostError, match="remove it to get new ones"):
        Keys.load_or_create(tmp_path)


def test_a_draft_that_a_crash_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / f".{FILE_NAME}.draft").write_text("half")
    assert Keys.load_or_create(tmp_path).master_key


@pytest.mark.parametrize(
    ("presented", "is_accepted"),
    [
        ("one", True),
        ("two", True),
        ("three", False),
        ("", False),
        (None, False),
        ("on", False),
        ("é", False),
    ],
)
def test_a_presented_key_must_be_one_of_the_accepted(
    presented: str | None, is_accepted: bool
) -> None:
    assert matches(presented, ["one", "two"]) is is_accepted


def test_bytes_that_are_no_text_are_no_key_rather_than_an_error() -> None:
    assert not matches(b"\xff".decode(errors="surrogateescape"), ["one"])
