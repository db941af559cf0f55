"""How a command ends: its exit code, and a sentence instead of a traceback for user errors."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from local.bootstrap.entry import CONTINUED_IN
from local.cli.commands import INTERRUPTED, checks, demo, main
from local.runtime.children import Child
from local.runtime.failures import LocalError, UsageError
from local.runtime.locks import FileLock
from local.runtime.ports import free_port


@pytest.fixture(autouse=True)
def in_the_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if the environment were ready; signals are put back as they were."""

    def ready(arguments: Sequence[str]) -> None:
        pass

    monkeypatch.setattr("local.cli.commands.ensure_environment", ready)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def command_that(does: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    def command(chosen: argparse.Namespace) -> int:
        return does()

    monkeypatch.setattr(checks, "main", command)


def raising(error: BaseException) -> Callable[[], int]:
    def does() -> int:
        raise error

    return does


def test_convert_takes_no_option_of_a_cloud(tmp_path: Path) -> None:
    row = b'{"question": "What is 2 + 5?", "answer": "7"}\n'
    source = tmp_path / "rows.jsonl"
    source.write_bytes(row)
    assert main(["convert", str(source)]) == 0
    assert (tmp_path / "rows.converted.jsonl").read_bytes().count(b"\n") == 1


@pytest.mark.parametrize("code", [0, 1])
def test_the_exit_code_is_the_commands(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    command_that(lambda: code, monkeypatch)
    assert main(["test"]) == code


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError("--x is wrong"), 2), (LocalError("it is gone"), 1)]
)
def test_a_failure_that_can_be_explained_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: LocalError,
    code: int,
) -> None:
    command_that(raising(error), monkeypatch)
    assert main(["test"]) == code
    assert capsys.readouterr().err == f"\n{error}\n"


def test_a_bug_is_not_explained_away(monkeypatch: pytest.MonkeyPatch) -> None:
    command_that(raising(KeyError("bug")), monkeypatch)
    with pytest.raises(KeyError):
        main(["test"])


def test_ctrl_c_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command_that(raising(KeyboardInterrupt()), monkeypatch)
    assert main(["test"]) == INTERRUPTED == 130
    assert "Interrupted" in capsys.readouterr().err


def test_ctrl_c_names_the_command_that_continues_the_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupted(chosen: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "main", interrupted)
    main(["demo"])
    assert "with the next `python3 -m local up`." in capsys.readouterr().err
    main(["demo", "--data-dir", str(tmp_path)])
    assert f"`python3 -m local up --data-dir {tmp_path}`." in capsys.readouterr().err


def test_a_polite_kill_is_like_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    command_that(lambda: signal.raise_signal(signal.SIGTERM) or 0, monkeypatch)
    assert main(["test"]) == INTERRUPTED


def test_an_unreachable_teacher_stops_a_command_before_anything_is_set_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(arguments: Sequence[str]) -> None:
        raise AssertionError("nothing may be set up")

    monkeypatch.delenv(CONTINUED_IN, raising=False)
    monkeypatch.setattr("local.cli.commands.ensure_environment", never)
    url = f"http://127.0.0.1:{free_port()}/v1"
    for command in ("up", "demo"):
        assert main([command, "--teacher-url", url, "--teacher-model", "m"]) == 2
        assert f"--teacher-url {url} can't be reached" in capsys.readouterr().err


def test_options_that_contradict_each_other_stop_a_command_before_it_starts_anything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*arguments: object, **named: object) -> None:
        raise AssertionError("nothing may be started")

    monkeypatch.setattr(Child, "start", never)
    monkeypatch.setattr(FileLock, "acquire", never)
    for command in ("up", "demo"):
        assert main([command, "--teacher-url", "http://t/v1"]) == 2
        assert "--teacher-url needs --teacher-model" in capsys.readouterr().err
