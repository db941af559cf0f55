"""Child processes: a log each, failures that show its end, and an end that always comes."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.runtime.children import TAIL_LINES, Child, ChildFailed
from tests.support.polling import wait_for
from tests.support.programs import REPOSITORY, is_held, living, python

WAITING = "print('ready', flush=True)\nimport time\ntime.sleep(60)"
ORDERLY = (
    "import signal, sys\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('goodbye') or 0))\n"
    "print('ready', flush=True)\n"
    "while True: signal.pause()"
)
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAITING


@contextmanager
def started(
    command: list[str],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Generator[Child]:
    child = Child("worker", command, log, environment=environment, folder=folder)
    child.start()
    try:
        yield child
    finally:
        child.stop()


def is_ready(child: Child) -> bool:
    return "ready" in child.output()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "worker.log"


def test_logs_are_appended_to_and_output_is_that_of_the_last_start(log: Path) -> None:
    log.parent.mkdir()
    log.write_text("of an earlier start\n")
    with started(python("import sys; print('out'); print('err', file=sys.stderr)"), log) as child:
        wait_for(lambda: child.exit_code is not None, "its end")
        assert sorted(child.output().split()) == ["err", "out"]
    assert log.read_text().startswith("of an earlier start\n")


def test_ready_is_when_it_is_ready(log: Path) -> None:
    with started(python(WAITING), log) as child:
        child.wait_until(lambda: is_ready(child), 30)
        assert child.exit_code is None


def test_one_that_ends_before_it_is_ready_shows_the_end_of_its_log(log: Path) -> None:
    code = "[print('line', number) for number in range(100)]; raise SystemExit(7)"
    with started(python(code), log) as child, pytest.raises(ChildFailed) as failed:
        child.wait_until(lambda: False, 30)
    assert str(failed.value).startswith(
        f"worker ended with exit code 7. The end of its log ({log}):\n"
    )
    assert failed.value.tail.splitlines() == [
        f"line {number}" for number in range(100 - TAIL_LINES, 100)
    ]
    assert "    line 99" in str(failed.value)


def test_one_that_is_not_ready_in_time_is_a_failure(log: Path) -> None:
    with started(python(WAITING), log) as child:
        child.wait_until(lambda: is_ready(child), 30)
        with pytest.raises(ChildFailed, match="worker was not ready after 0 s"):
            child.wait_until(lambda: False, 0)


def test_one_that_a_signal_has_ended_says_which(log: Path) -> None:
    with started(python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), log) as child:
        wait_for(lambda: child.exit_code is not None, "its end")
        with pytest.raises(
            ChildFailed, match=r"worker was ended by signal 9\..*\n    \(nothing\)\nTry again"
        ):
            child.check("\nTry again")


def test_a_program_that_does_not_exist_is_a_failure_with_a_name(log: Path) -> None:
    child = Child("worker", ["/no/such/program"], log)
    with pytest.raises(ChildFailed, match=r"worker could not be started .*No such file"):
        child.start()
    child.stop()


def test_stopping_lets_it_end_in_its_own_way(log: Path) -> None:
    with started(python(ORDERLY), log) as child:
        child.wait_until(lambda: is_ready(child), 30)
        child.stop()
        assert (child.exit_code, child.tail(1)) == (0, "goodbye")
        child.stop()


def test_one_that_refuses_to_stop_is_killed(log: Path) -> None:
    with started(python(STUBBORN), log) as child:
        child.wait_until(lambda: is_ready(child), 30)
        child.stop(seconds=0.1)
        assert child.exit_code == -signal.SIGKILL


def test_its_environment_is_what_it_was_given_and_nothing_else(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "1")
    show = "import os; print([name for name in os.environ if name in ('OURS', 'ITS', 'HOME')])"
    with started(python(show), log, environment={"ITS": "1"}) as child:
        wait_for(lambda: child.exit_code is not None, "its end")
        assert child.output().strip() == "['ITS']"


def test_ctrl_c_reaches_us_alone(log: Path) -> None:
    with started(python(WAITING), log) as child:
        assert child.pid is not None
        assert os.getsid(child.pid) == child.pid


def test_a_cut_lifeline_ends_it(log: Path, tmp_path: Path) -> None:
    with started(living(tmp_path / "lock"), log, folder=REPOSITORY) as child:
        child.wait_until(lambda: "alive" in child.output(), 30)
        child.cut_lifeline()
        wait_for(lambda: child.exit_code == -signal.SIGTERM, "its end")
        assert not is_held(tmp_path / "lock")
