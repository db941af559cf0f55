"""The command line: what is asked for arrives, and what cannot be is a sentence and exit code 2."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from local.cli.commands.arguments import DEFAULT_DATA_DIR, DEMO_MINUTES, TASKS, parse
from shared.tasks import TASKS as APP_TASKS


@pytest.fixture
def train(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    path.write_text("{}\n")
    return path


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The last line that a wrong command line is answered with."""
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_tasks_are_those_of_the_app() -> None:
    assert set(TASKS) == set(APP_TASKS)


def test_a_run_takes_its_files_and_name(train: Path) -> None:
    chosen = parse(
        [
            "run",
            "nli",
            str(train),
            "--validation",
            str(train),
            "--spec",
            str(train),
            "--name",
            "mine",
        ]
    )
    assert (chosen.task, chosen.train, chosen.validation, chosen.spec) == (
        "nli",
        train,
        train,
        train,
    )
    assert (chosen.name, chosen.timeout, chosen.data_dir) == ("mine", None, DEFAULT_DATA_DIR)


def test_a_data_directory_need_not_be_there_yet(tmp_path: Path) -> None:
    assert parse(["up", "--data-dir", str(tmp_path / "a" / "b")]).data_dir == tmp_path / "a" / "b"
    assert parse(["up", "--data-dir", "a"]).data_dir == Path("a")


def test_a_demo_gives_up_in_time_unless_told_otherwise() -> None:
    assert parse(["demo"]).timeout == DEMO_MINUTES
    assert parse(["demo", "--timeout", "0.5"]).timeout == 0.5


def test_options_of_the_stand_ins_may_be_repeated() -> None:
    chosen = parse(["up", "--teacher-option", "rpm=1", "--teacher-option", "seed=2"])
    assert chosen.teacher_options == ["rpm=1", "seed=2"]
    assert parse(["up"]).teacher_options == []


@pytest.mark.parametrize(
    ("line", "pytest_arguments", "fast"),
    [
        ("test", [], False),
        ("test --all", [], False),
        ("test --fast", [], True),
        ("test tests/shared -k journal", ["tests/shared", "-k", "journal"], False),
        ("test -x --fast tests/shared::test_a", ["-x", "tests/shared::test_a"], True),
        ("test -- --lf -q", ["--lf", "-q"], False),
        ("test -m real_data --durations=5", ["-m", "real_data", "--durations=5"], False),
    ],
)
def test_what_test_does_not_know_goes_to_pytest(
    line: str, pytest_arguments: list[str], fast: bool
) -> None:
    chosen = parse(line.split())
    assert (chosen.pytest_arguments, chosen.fast) == (pytest_arguments, fast)


WRONG = {
    "": "the following arguments are required: command",
    "dmeo": "invalid choice: 'dmeo'",
    "up --prot 80": "unrecognized arguments: --prot 80 (see python3 -m local up --help)",
    "up --por 80": "unrecognized arguments: --por 80",
    "demo nli": "unrecognized arguments: nli (see python3 -m local demo --help)",
    "up --timeout 5": "unrecognized arguments: --timeout 5",
    "up --port 0": "0 is not a port: give a number from 1 to 65535",
    "up --port 65536": "65536 is not a port",
    "up --port http": "http is not a port",
    "demo --timeout 0": "0 is not a number of minutes",
    "demo --timeout nan": "nan is not a number of minutes",
    "demo --timeout soon": "soon is not a number of minutes",
    "up --data-dir FILE": "argument --data-dir: FILE is not a folder",
    "up --data-dir FILE/deeper": "argument --data-dir: FILE is not a folder",
    "run": "the following arguments are required: TASK, TRAIN",
    "run nli": "the following arguments are required: TRAIN",
    "run chess FILE": "invalid choice: 'chess' (choose from ",
    "run nli nowhere.jsonl": "argument TRAIN: nowhere.jsonl is not a file",
    "run nli FOLDER": "argument TRAIN: FOLDER is not a file",
    "run nli EMPTY": "argument TRAIN: EMPTY is empty",
    "run nli FILE --validation nowhere": "argument --validation: nowhere is not a file",
    "run nli FILE --spec EMPTY": "argument --spec: EMPTY is empty",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_command_line_is_explained(
    tmp_path: Path, train: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    (tmp_path / "empty").touch()
    names = {"FILE": train, "FOLDER": tmp_path, "EMPTY": tmp_path / "empty"}

    def filled(text: str) -> str:
        for name, path in names.items():
            text = text.replace(name, str(path))
        return text

    assert filled(WRONG[line]) in error_of(capsys, *map(filled, line.split()))


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind the superuser"
)
def test_missing_permissions_are_explained(train: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train.chmod(0)
    assert "cannot be read: check its permissions" in error_of(capsys, "run", "nli", str(train))
    train.parent.chmod(0o500)
    try:
        assert "cannot be written to: check" in error_of(
            capsys, "up", "--data-dir", str(train.parent / "new")
        )
    finally:
        train.parent.chmod(0o700)


@pytest.mark.parametrize("command", ["up", "demo", "run", "test"])
def test_help_tells_every_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    options = {
        "test": ["--fast"],
        "run": [
            "TASK",
            "TRAIN",
            "--validation",
            "--spec",
            "--name",
            "--timeout",
            "--teacher-url",
            "--data-dir",
        ],
    }
    for option in options.get(
        command,
        [
            "--data-dir",
            "--port",
            "--teacher-url",
            "--teacher-option",
            "--azureml-url",
            "--openai-url",
        ],
    ):
        assert option in text
