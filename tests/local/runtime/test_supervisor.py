"""The processes of a cloud start together, stop in order, are missed, and end with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.runtime.children import Child, ChildFailed
from local.runtime.supervisor import Service, Supervisor
from tests.support.polling import wait_for
from tests.support.programs import REPOSITORY, is_held, living, python

ENVIRONMENT = dict(os.environ)
NOTES_ITS_END = """\
import signal, sys
def end(*_):
    print({name!r}, file=open({notes!r}, "a"))
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open({ready!r}, "w").close()
while True: signal.pause()
"""
SUPERVISOR = """\
import os, time
from pathlib import Path
from local.runtime.supervisor import Service, Supervisor
logs, locks = Path({logs!r}), [Path(lock) for lock in {locks!r}]
supervisor = Supervisor(logs, Path.cwd())
for number, (lock, command) in enumerate(zip(locks, {commands!r})):
    log = logs / f"child{{number}}.log"
    ready = lambda log=log: "alive" in log.read_text()
    name = f"child{{number}}"
    supervisor.start(Service(name=name, command=command, environment=os.environ, ready=ready))
(logs / "all started").touch()
time.sleep(60)
"""


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@contextmanager
def supervised(logs: Path, folder: Path) -> Generator[Supervisor]:
    supervisor = Supervisor(logs, folder)
    try:
        yield supervisor
    finally:
        supervisor.stop()


def service(name: str, code: str, ready: Path) -> Service:
    return Service(name=name, command=python(code), environment=ENVIRONMENT, ready=ready.exists)


def test_those_started_together_need_not_wait_for_each_other(tmp_path: Path, logs: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"

    def after(its: Path, the_others: Path) -> str:
        return (
            "from pathlib import Path; import time\n"
            f"Path({str(its)!r}).with_suffix('.begun').touch()\n"
            f"other = Path({str(the_others)!r}).with_suffix('.begun')\n"
            "while not other.exists(): time.sleep(0.01)\n"
            f"Path({str(its)!r}).touch()\ntime.sleep(60)"
        )

    with supervised(logs, tmp_path) as supervisor:
        supervisor.start(
            service("one", after(one, other), one), service("other", after(other, one), other)
        )
        supervisor.check()
        assert one.exists()
        assert other.exists()
    assert sorted(log.name for log in logs.iterdir()) == ["one.log", "other.log"]


def test_the_last_started_is_the_first_to_be_stopped(tmp_path: Path, logs: Path) -> None:
    notes = tmp_path / "notes"
    with supervised(logs, tmp_path) as supervisor:
        for name in ("storage", "teacher", "host"):
            ready = tmp_path / f"{name} ready"
            code = NOTES_ITS_END.format(name=name, notes=str(notes), ready=str(ready))
            supervisor.start(service(name, code, ready))
    assert notes.read_text().split() == ["host", "teacher", "storage"]


def test_one_that_dies_is_named_with_the_end_of_its_log_and_advice(
    tmp_path: Path, logs: Path
) -> None:
    ready, die = tmp_path / "ready", tmp_path / "die"
    code = (
        f"from pathlib import Path; import time\nPath({str(ready)!r}).touch()\n"
        f"while not Path({str(die)!r}).exists(): time.sleep(0.01)\n"
        "raise SystemExit('out of memory')"
    )
    with supervised(logs, tmp_path) as supervisor:
        supervisor.start(service("teacher", code, ready))
        supervisor.check()
        die.touch()
        with pytest.raises(ChildFailed) as failed:
            wait_for(lambda: supervisor.check() is not None, "the failure")
    assert "teacher ended with exit code 1" in str(failed.value)
    assert "    out of memory" in str(failed.value)
    assert "`python3 -m local up`" in str(failed.value)


def test_one_that_does_not_come_up_takes_the_others_with_it(tmp_path: Path, logs: Path) -> None:
    lock = tmp_path / "lock"
    good = Service(
        name="good",
        command=living(lock),
        environment=ENVIRONMENT,
        ready=lambda: "alive" in (logs / "good.log").read_text(),
    )
    bad = service("bad", "raise SystemExit('port 1 is taken')", tmp_path / "never")
    with (
        pytest.raises(ChildFailed, match="port 1 is taken"),
        supervised(logs, REPOSITORY) as supervisor,
    ):
        supervisor.start(good, bad)
    assert not is_held(lock)


def test_a_program_that_is_missing_leaves_nothing_running(tmp_path: Path, logs: Path) -> None:
    missing = Service(name="host", command=["/no/such"], environment={}, ready=lambda: True)
    with (
        pytest.raises(ChildFailed, match="host could not be started"),
        supervised(logs, tmp_path) as supervisor,
    ):
        supervisor.start(missing)


def test_a_child_of_other_origin_is_watched_and_stopped_too(tmp_path: Path, logs: Path) -> None:
    child = Child("azurite", living(tmp_path / "lock"), logs / "azurite.log", folder=REPOSITORY)
    child.start()
    with supervised(logs, tmp_path) as supervisor:
        supervisor.watch(child)
        child.wait_until(lambda: "alive" in child.output(), 30)
        supervisor.check()
    assert child.exit_code == -signal.SIGTERM


def test_a_supervisor_killed_outright_leaves_no_child_behind(tmp_path: Path, logs: Path) -> None:
    logs.mkdir()
    locks = [tmp_path / "one", tmp_path / "other"]
    code = SUPERVISOR.format(
        logs=str(logs),
        locks=[str(lock) for lock in locks],
        commands=[living(lock) for lock in locks],
    )
    with subprocess.Popen(python(code), cwd=REPOSITORY) as supervisor:
        wait_for((logs / "all started").exists, "the start")
        assert all(map(is_held, locks))
        supervisor.kill()
    wait_for(lambda: not any(map(is_held, locks)), "the end of the children")
