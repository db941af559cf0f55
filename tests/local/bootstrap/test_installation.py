"""An installation is finished only after its last step, and gives advice when a step fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from local.bootstrap.entry import bring_up_to_date
from local.bootstrap.environment import Environment
from local.bootstrap.install import (
    ADVICE,
    GENERAL_ADVICE,
    Installer,
    InstallFailed,
    explain_failure,
    run_program,
)
from local.runtime.locks import FileLock
from tests.support.checkout import REQUIREMENTS, StandIns, install, site_packages, small_checkout
from tests.support.polling import wait_for

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """One that is not there yet."""
    return small_checkout(tmp_path / "checkout")


def test_a_first_installation_makes_everything(environment: Environment) -> None:
    assert install(environment).started == ["venv", "pip", "npm"]
    assert (site_packages(environment) / "tiny").exists()
    assert (environment.azurite / "node_modules" / "azurite").exists()
    assert not environment.unfinished.exists()


def test_the_reason_and_the_steps_are_shown(
    environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    install(environment)
    output = capsys.readouterr().out
    assert "there is no environment yet" in output
    assert "installing 2 Python packages" in output
    assert "Ready after" in output


@pytest.mark.parametrize("program", ["venv", "pip", "npm"])
def test_a_failed_step_ends_the_command_with_the_log_and_a_remedy(
    environment: Environment, program: str
) -> None:
    programs = StandIns(environment)
    programs.failing[program] = "ERROR: No matching distribution found for tiny==1.0\n"
    with pytest.raises(SystemExit) as ended:
        bring_up_to_date(environment, Installer(environment, programs))
    assert "No matching distribution found for tiny==1.0" in str(ended.value)
    assert str(environment.log) in str(ended.value)
    assert "pip config list" in str(ended.value)
    assert programs.started[-1] == program
    assert install(environment).started == ["venv", "pip", "npm"]


def test_a_failed_update_is_not_taken_for_a_finished_one(environment: Environment) -> None:
    install(environment)
    environment.requirements.write_text("tiny==2.0\n")
    programs = StandIns(environment)
    programs.failing["npm"] = "npm error"
    with pytest.raises(SystemExit):
        bring_up_to_date(environment, Installer(environment, programs))
    environment.requirements.write_text(REQUIREMENTS)  # as it was, but the packages no longer are
    repair = environment.repair()
    assert repair
    assert repair.rebuild


def test_an_interrupted_installation_starts_over(environment: Environment) -> None:
    programs = StandIns(environment)
    programs.interrupted = "pip"
    with pytest.raises(SystemExit, match="Interrupted"):
        bring_up_to_date(environment, Installer(environment, programs))
    repair = environment.repair()
    assert repair
    assert (repair.reason, repair.rebuild) == ("an earlier installation was not finished", True)
    assert install(environment).started == ["venv", "pip", "npm"]


def test_the_lock_is_free_again_after_a_failure(environment: Environment) -> None:
    programs = StandIns(environment)
    programs.failing["venv"] = "no"
    with pytest.raises(SystemExit):
        bring_up_to_date(environment, Installer(environment, programs))
    lock = FileLock(environment.lock)
    assert lock.acquire(wait=False)
    lock.release()


def test_a_program_that_cannot_be_started_is_explained(environment: Environment) -> None:
    install(environment)
    environment.azurite_pins[0].write_text('{"changed": 1}')
    repair = environment.repair()
    assert repair
    environment.python.unlink()
    with (
        pytest.raises(InstallFailed, match=r"installing 2 Python packages .* failed"),
        FileLock(environment.lock) as lock,
    ):
        Installer(environment).carry_out(repair, lock)


def test_rebuilding_removes_the_old_environment_but_not_what_a_link_points_at(
    environment: Environment,
) -> None:
    elsewhere = environment.root / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    environment.folder.symlink_to(elsewhere)
    install(environment)
    assert (elsewhere / "precious").exists()
    assert not environment.folder.is_symlink()
    assert environment.repair() is None


@pytest.mark.parametrize(("sign", "remedy"), [*ADVICE.items(), ("something else", GENERAL_ADVICE)])
def test_a_known_cause_gets_its_remedy(tmp_path: Path, sign: str, remedy: str) -> None:
    log = tmp_path / "install.log"
    log.write_text("\n".join([f"line {number}" for number in range(100)] + [f"x {sign} y"]))
    message = explain_failure("installing", 1, log)
    assert message.endswith(remedy)
    assert "line 99" in message
    assert "line 50" not in message


def test_settings_that_lead_pip_astray_are_kept_from_it(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER"):
        monkeypatch.setenv(name, "/led/astray")
    monkeypatch.setenv("PIP_INDEX_URL", "https://the-users.own/simple")
    show = [sys.executable, "-c", "import os; [print(*pair) for pair in os.environ.items()]"]
    environment.log.parent.mkdir()
    with FileLock(environment.lock) as lock, environment.log.open("wb") as log:
        assert run_program(show, environment.root, log, lock) == 0
    seen = environment.log.read_text()
    assert "/led/astray" not in seen
    assert "PIP_INDEX_URL https://the-users.own/simple" in seen


def test_others_stay_out_until_the_pip_of_a_killed_installation_has_ended(tmp_path: Path) -> None:
    lock, started, finish = tmp_path / "lock", tmp_path / "started", tmp_path / "finish"
    pip = (
        "import pathlib, time\n"
        f"pathlib.Path({str(started)!r}).touch()\n"
        "give_up = time.monotonic() + 30\n"
        f"finish = pathlib.Path({str(finish)!r})\n"
        "while time.monotonic() < give_up and not finish.exists(): time.sleep(0.01)"
    )
    installer = (
        "import sys; from pathlib import Path; from local.runtime.locks import FileLock\n"
        "from local.bootstrap.install import run_program\n"
        f"lock, log = Path({str(lock)!r}), Path({str(tmp_path / 'log')!r})\n"
        "with FileLock(lock) as lock, log.open('wb') as log:\n"
        f"    run_program([sys.executable, '-c', {pip!r}], Path.cwd(), log, lock)"
    )
    with subprocess.Popen([sys.executable, "-c", installer], cwd=REPOSITORY) as process:
        wait_for(started.exists, "the start of pip")
        process.kill()
    ours = FileLock(lock)
    assert not ours.acquire(wait=False)
    finish.touch()
    wait_for(lambda: ours.acquire(wait=False), "the end of pip")
    ours.release()
