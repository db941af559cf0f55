"""`test`: every check runs even after a failure, and the exit code and last line tell of all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from local.cli.commands import checks
from local.cli.commands.arguments import parse
from local.cli.commands.checks import FAST, QUICK, SIDE_BY_SIDE, THOROUGH, Check, run_checks
from local.cli.commands.tools import BackgroundTool, Counts, Tools, read_counts

OTHER = Path("/environments/3.99/python")


class FinishedTool(BackgroundTool):
    """Stands in for pyright."""

    def __init__(self, passed: bool) -> None:
        self._passed = passed

    def result(self) -> tuple[bool, str]:
        return self._passed, "what pyright says"


class StandIns(Tools):
    """Stands in for all tools; `failing` are those that find something. Each test run has 10."""

    def __init__(self, *failing: str) -> None:
        self.started: list[str] = []
        self._failing = failing

    def passes(self, module: str, *arguments: str) -> bool:
        self.started.append(" ".join([module, *arguments]))
        return module not in self._failing

    def start(self, module: str, *arguments: str) -> BackgroundTool:
        return FinishedTool(self.passes(module, *arguments))

    def tests(self, python: Path, *arguments: str) -> Counts:
        where = "other " if python == OTHER else ""
        failed = 0 if self.passes(f"{where}pytest", *arguments) else 1
        return Counts(10 - failed, failed)

    def demo(self, python: Path) -> Counts:
        self.started.append("demo")
        return Counts(1, 0)

    def environments(self) -> dict[str, Path]:
        return {"3.99": OTHER}

    def main(self, *arguments: str) -> int:
        return checks.main(parse(["test", *arguments]), self)


def test_all_checks_run_and_the_tests_come_last(capsys: pytest.CaptureFixture[str]) -> None:
    tools = StandIns()
    assert tools.main("tests/shared", "-k", "journal") == 0
    assert tools.started == [
        "pyright --warnings",
        "ruff check .",
        "ruff format --check .",
        "pytest tests/shared -k journal",
    ]
    output = capsys.readouterr().out
    assert output.count("passed  ") == 3
    assert output.endswith("pyright runs beside the tests.\n")


def test_slow_repetitions_are_left_out() -> None:
    tools = StandIns()
    tools.main()
    assert tools.started[-1] == f"pytest {' '.join((*SIDE_BY_SIDE, *QUICK))}"


def test_fast_leaves_out_pyright_and_the_real_data_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tools = StandIns()
    assert tools.main("--fast") == 0
    assert tools.started == [
        "ruff check .",
        "ruff format --check .",
        f"pytest {' '.join((*SIDE_BY_SIDE, *FAST))}",
    ]
    assert "skipped (--fast): pyright" in capsys.readouterr().out


def test_all_runs_the_tests_on_each_python_and_the_slow_ones_here(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tools = StandIns()
    assert tools.main("--all") == 0
    assert f"other pytest {' '.join((*SIDE_BY_SIDE, *QUICK))}" in tools.started
    assert tools.started[-1] == f"pytest {' '.join((*SIDE_BY_SIDE, *THOROUGH))}"
    assert capsys.readouterr().out.endswith("0 failed\n")


def test_all_runs_the_demo_where_the_host_uses_microsofts_runtime(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tools = StandIns()
    monkeypatch.setattr(checks, "MICROSOFT_RUNTIME", "3.99")
    assert tools.main("--all") == 0
    assert "demo" in tools.started
    assert capsys.readouterr().out.endswith("21 passed, 0 failed\n")


@pytest.mark.parametrize("failing", [["ruff"], ["pyright"], ["pytest"], ["ruff", "pytest"]])
def test_a_failed_check_fails_the_command_but_stops_no_other(failing: Sequence[str]) -> None:
    tools = StandIns(*failing)
    assert tools.main() == 1
    assert len(tools.started) == 4


def test_failed_checks_are_named_and_counted_in_the_last_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert StandIns("pyright", "pytest").main() == 1
    output = capsys.readouterr().out
    assert "what pyright says" in output
    assert output.endswith("FAILED: pyright\n9 passed, 2 failed\n")


def test_pins_that_drifted_fail_the_command_with_advice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def drifted(root: Path) -> list[str]:
        return ["x is in pyproject.toml but not in requirements.txt"]

    monkeypatch.setattr(checks, "check_pins", drifted)
    assert StandIns().main() == 1
    output = capsys.readouterr().out
    assert "x is in pyproject.toml but not in requirements.txt: compile them again" in output
    assert "FAILED: pins" in output


def test_each_check_is_shown_with_its_outcome_and_time() -> None:
    lines: list[str] = []
    failed = run_checks(
        [Check("one", lambda: True), Check("two", lambda: False), Check("three", bool)],
        lines.append,
    )
    assert failed == ["two", "three"]
    assert [line.split("(")[0].split() for line in lines] == [
        ["passed", "one"],
        ["FAILED", "two"],
        ["FAILED", "three"],
    ]


def test_a_tool_that_finds_something_does_not_pass(capfd: pytest.CaptureFixture[str]) -> None:
    assert Tools().passes("this")
    assert "Beautiful is better than ugly." in capfd.readouterr().out
    assert not Tools().passes("no_such_module")


def test_a_tool_beside_the_tests_holds_its_output_back(capfd: pytest.CaptureFixture[str]) -> None:
    passed, output = Tools().start("this").result()
    assert passed
    assert "Beautiful is better than ugly." in output
    assert capfd.readouterr().out == ""


def test_tests_are_counted_by_outcome(tmp_path: Path) -> None:
    results = tmp_path / "results.xml"
    results.write_text(
        '<testsuites><testsuite tests="9" failures="1" errors="2" skipped="3"/></testsuites>'
    )
    assert read_counts(results) == Counts(passed=3, failed=3)
    results.write_text("<testsuites/>")
    assert read_counts(results) == Counts(0, 0)
