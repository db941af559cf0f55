"""Lock files: one holder at a time among processes, for exactly as long as the holder lives."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from local.runtime.locks import FileLock
from tests.support.polling import wait_for
from tests.support.programs import REPOSITORY, is_held, living, python


def test_only_one_holds_it(tmp_path: Path) -> None:
    ours, theirs = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert ours.acquire(wait=False)
    assert not theirs.acquire(wait=False)
    ours.release()
    assert theirs.acquire(wait=False)
    theirs.release()


def test_its_folder_is_made(tmp_path: Path) -> None:
    with FileLock(tmp_path / "data" / "deep" / "lock") as lock:
        assert lock.path.exists()


def test_it_is_released_on_the_way_out_of_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="inside"), FileLock(tmp_path / "lock"):
        raise RuntimeError("inside")
    assert not is_held(tmp_path / "lock")


def test_releasing_what_is_not_held_does_nothing(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    lock.release()
    with pytest.raises(RuntimeError, match="not locked"):
        _ = lock.descriptor


def test_a_killed_holder_holds_it_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        living(path), cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        wait_for(lambda: path.exists() and is_held(path), "taking the lock")
        process.kill()
    assert not is_held(path)


def test_a_child_that_was_given_the_descriptor_goes_on_holding_it(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    lock.acquire(wait=True)
    with subprocess.Popen(
        python("input()"), stdin=subprocess.PIPE, pass_fds=[lock.descriptor]
    ) as child:
        lock.release()
        assert is_held(tmp_path / "lock")
        child.communicate(b"\n")
    assert not is_held(tmp_path / "lock")


def test_others_may_not_read_it(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock") as lock:
        assert lock.path.stat().st_mode & 0o077 == 0
