"""`test`: every check runs whatever becomes of the others, and the exit code tells of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from local.cli.commands import checks
from local.cli.commands.arguments import parse
from local.cli.commands.checks import SIDE_BY_SIDE, Check, run_checks


class Tools:
    """Stands in for ruff, pyright and pytest; `failing` are those that find something."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *failing: str) -> None:
        self.started: list[str] = []
        self._failing = failing
        monkeypatch.setattr(checks, "_passes", self._passes)

    def _passes(self, module: str, *arguments: str) -> bool:
        self.started.append(" ".join([module, *arguments]))
        return module not in self._failing

    def main(self, *arguments: str) -> int:
        return checks.main(parse(["test", *arguments]))


def test_all_checks_run_and_pytest_comes_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tools = Tools(monkeypatch)
    assert tools.main("tests/shared", "-k", "journal") == 0
    assert tools.started == [
        *(
            "ruff check .",
            "ruff format --check .",
            "pyright --warnings",
            "pytest tests/shared -k journal",
        )
    ]
    assert capsys.readouterr().out.count("passed") == 4


def test_fast_leaves_out_what_is_slow_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tools = Tools(monkeypatch)
    assert tools.main("--fast") == 0
    assert tools.started == [
        "ruff check .",
        "ruff format --check .",
        f"pytest {' '.join(SIDE_BY_SIDE)} -m not real_data",
    ]
    assert "skipped (--fast): pyright" in capsys.readouterr().out


@pytest.mark.parametrize("failing", [["ruff"], ["pyright"], ["pytest"], ["ruff", "pytest"]])
def test_a_failed_check_fails_the_command_but_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], failing: Sequence[str]
) -> None:
    tools = Tools(monkeypatch, *failing)
    assert tools.main() == 1
    assert len(tools.started) == 4
    told = capsys.readouterr().err
    assert told.startswith("FAILED: ")
    assert all(name in told for name in failing)


def test_pins_that_drifted_fail_the_command_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def drifted(root: Path) -> list[str]:
        return ["x is in pyproject.toml but not in requirements.txt"]

    monkeypatch.setattr(checks, "check_pins", drifted)
    assert Tools(monkeypatch).main() == 1
    told = capsys.readouterr()
    assert "x is in pyproject.toml but not in requirements.txt: compile them again" in told.out
    assert "FAILED: pins" in told.err


def test_each_check_is_told_with_its_outcome_and_time() -> None:
    told: list[str] = []
    failed = run_checks(
        [Check("one", lambda: True), Check("two", lambda: False), Check("three", bool)], told.append
    )
    assert failed == ["two", "three"]
    assert [line.split("(")[0].split() for line in told] == [
        ["passed", "one"],
        ["FAILED", "two"],
        ["FAILED", "three"],
    ]


def test_a_tool_that_finds_something_does_not_pass(capfd: pytest.CaptureFixture[str]) -> None:
    assert checks._passes("this")  # pyright: ignore[reportPrivateUsage]
    assert "Beautiful is better than ugly." in capfd.readouterr().out
    assert not checks._passes("no_such_module")  # pyright: ignore[reportPrivateUsage]
