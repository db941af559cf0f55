"""`run`: which files are uploaded under which names, and what the dataset is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.cli.commands import demo, run
from local.cli.commands.arguments import TASKS, parse
from local.cli.commands.run import dataset_files, dataset_name
from local.runtime.failures import UsageError


def files_of(folder: Path, **contents: str) -> dict[str, Path]:
    """The files to upload when `run` is given files with these contents."""
    arguments = ["run", "nli", str(folder / "train")]
    for name, content in contents.items():
        (folder / name).write_text(content)
        if name != "train":
            arguments += [f"--{name}", str(folder / name)]
    return dataset_files(parse(arguments))


def test_files_get_the_names_that_the_app_looks_for(tmp_path: Path) -> None:
    assert files_of(tmp_path, train="{}", validation="{}", spec="{}") == {
        "train.jsonl": tmp_path / "train",
        "validation.jsonl": tmp_path / "validation",
        "run.json": tmp_path / "spec",
    }
    assert files_of(tmp_path, train="{}") == {"train.jsonl": tmp_path / "train"}


def test_a_specification_with_a_byte_order_mark_is_fine(tmp_path: Path) -> None:
    assert "run.json" in files_of(tmp_path, train="{}", spec="\ufeff{}")


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("{", "is not JSON: "),
        ("\n", "is not JSON: "),
        ("[]", "must hold a JSON object"),
        ("null", "must hold a JSON"),
    ],
)
def test_a_specification_that_is_no_object_is_refused(
    tmp_path: Path, spec: str, problem: str
) -> None:
    with pytest.raises(UsageError) as wrong:
        files_of(tmp_path, train="{}", spec=spec)
    assert f"the specification {tmp_path / 'spec'} {problem}" in str(wrong.value)


def test_a_specification_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train").write_text("{}")
    (tmp_path / "spec").write_bytes('{"name": "fünf"}'.encode("latin-1"))
    with pytest.raises(UsageError, match="is not JSON"):
        dataset_files(
            parse(["run", "nli", str(tmp_path / "train"), "--spec", str(tmp_path / "spec")])
        )


def test_a_wrong_setting_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as wrong:
        files_of(tmp_path, train="{}", spec='{"quality": {"min_row": 9}}')
    assert "quality.min_row isn't a known setting: did you mean min_rows?" in str(wrong.value)
    assert wrong.value.exit_code == 2


def test_the_files_beside_the_training_set_are_used_as_in_an_upload(tmp_path: Path) -> None:
    (tmp_path / "validation.jsonl").write_text("{}")
    (tmp_path / "test.jsonl").write_text("{}")
    (tmp_path / "run.json").write_text("{}")
    assert files_of(tmp_path, train="{}") == {
        "train.jsonl": tmp_path / "train",
        "validation.jsonl": tmp_path / "validation.jsonl",
        "test.jsonl": tmp_path / "test.jsonl",
        "run.json": tmp_path / "run.json",
    }


def test_options_win_over_the_files_beside_the_training_set(tmp_path: Path) -> None:
    (tmp_path / "validation.jsonl").write_text("{}")
    (tmp_path / "run.json").write_text("not read")
    (tmp_path / "test.jsonl").write_text("{}")
    files = files_of(tmp_path, train="{}", validation="{}", test="{}", spec="{}")
    assert files["validation.jsonl"] == tmp_path / "validation"
    assert files["test.jsonl"] == tmp_path / "test"
    assert files["run.json"] == tmp_path / "spec"


def test_a_wrong_specification_beside_the_training_set_is_refused_by_its_path(
    tmp_path: Path,
) -> None:
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(UsageError, match=str(tmp_path / "run.json")):
        files_of(tmp_path, train="{}")


def test_a_training_set_is_not_its_own_validation_set(tmp_path: Path) -> None:
    (tmp_path / "validation.jsonl").write_text("{}")
    chosen = parse(["run", "nli", str(tmp_path / "validation.jsonl")])
    assert dataset_files(chosen).keys() == {"train.jsonl"}


def test_files_that_the_command_line_does_not_name_are_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise UsageError("far enough")

    monkeypatch.setattr(run, "session", stop)
    (tmp_path / "train.jsonl").write_text("{}")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(UsageError, match="far enough"):
        run.main(parse(["run", "nli", str(tmp_path / "train.jsonl")]))
    assert capsys.readouterr().out == f"Also uses {tmp_path / 'run.json'}.\n"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("/x/my-pairs.jsonl", "my-pairs"),
        ("/x/pairs.v2.jsonl", "pairs.v2"),
        ("/x/mine/train.jsonl", "mine"),
        ("/x/mine/training.jsonl", "mine"),
        ("/x/mine/data.json", "mine"),
    ],
)
def test_a_dataset_is_called_as_its_file_or_its_folder(file: str, name: str) -> None:
    assert dataset_name(Path(file)) == name


def test_a_relative_file_is_called_as_the_folder_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    assert dataset_name(Path("train.jsonl")) == "mine"


@pytest.mark.parametrize("task", TASKS)
def test_the_demo_uploads_a_training_and_a_validation_set_of_each_task(task: str) -> None:
    files = demo.sample_files(task)
    assert (
        {"train.jsonl", "validation.jsonl"}
        <= files.keys()
        <= {"train.jsonl", "validation.jsonl", "run.json"}
    )
    assert all(path.is_file() for path in files.values())
