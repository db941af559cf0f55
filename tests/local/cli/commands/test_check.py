"""`check` says offline what a dry run of the same dataset says, and stays legible."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local.cli.commands import check
from local.cli.commands.arguments import parse
from local.runtime.failures import UsageError
from shared.core.paths import DATASETS, split_path
from shared.core.settings import SETTINGS
from shared.core.storage import Storage
from shared.dataset.lines import BOM
from shared.dataset.rows import as_jsonl
from shared.runs import handlers
from shared.runs.dry_run import MAX_REJECTED
from shared.runs.http import ApiRequest
from tests.activities.conftest import Configure, app, configure
from tests.shared.conftest import storage

__all__ = ["app", "configure", "storage"]

LABELS = "Answer with one of these labels: entailment, neutral, contradiction."
Files = dict[str, bytes]
Check = Callable[..., tuple[int, str]]


def row(number: int, system: str = LABELS, **fields: Any) -> dict[str, Any]:
    content = f"Premise: {number} birds sing. Hypothesis: it is day {number}."
    turns = [{"role": "system", "content": system}, {"role": "user", "content": content}]
    return {"messages": turns, **fields}


def rows(count: int, first: int = 0, **fields: Any) -> bytes:
    return as_jsonl([row(number, **fields) for number in range(first, first + count)])


MESSY = (
    BOM
    + rows(70, answer="neutral").replace(b"\n", b"\r\n")
    + b"{\r\n\r\n[1]\n"
    + as_jsonl([row(3, answer="entailment"), row(90, system="Decide."), row(91, answer="perhaps")])
)
CASES: dict[str, tuple[Files, dict[str, Any]]] = {
    "messy": ({"train": MESSY, "validation": rows(3) + rows(4, first=200)}, {}),
    "too_few": ({"train": rows(4), "test": b""}, {}),
    "declared": (
        {"train": b"".join([rows(66, system="Decide."), b"{\n" * 120])},
        {"answers": {"labels": ["yes", "no"]}, "teacher": {"model": "gpt-4.1"}},
    ),
    "alpaca": ({"train": as_jsonl([{"instruction": "Say", "output": "x"}] * 5)}, {}),
    "over_budget": ({"train": rows(80)}, {"budget": {"max_requests": 5}}),
    "provided": (
        {"train": rows(70, first=300, answer="x")},
        {"answers": {"source": "provided"}, "student": None, "quality": {"min_rows": 1}},
    ),
}


@pytest.fixture
def run_check(capsys: pytest.CaptureFixture[str]) -> Check:
    """Runs the command. Returns its exit code, and what it prints."""

    def run(*arguments: str | Path) -> tuple[int, str]:
        code = check.main(parse(["check", *map(str, arguments)]))
        return code, capsys.readouterr().out

    return run


def written(folder: Path, files: Files, spec: dict[str, Any] | None = None) -> Path:
    """Write a dataset. Return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.jsonl").write_bytes(content)
    if spec:
        (folder / "run.json").write_text(json.dumps(spec))
    return folder


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting is set, and whoever connects fails."""

    def refuse(*address: object) -> None:
        raise AssertionError(f"connects to {address}")

    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("case", CASES)
async def test_check_and_dry_run_agree(
    case: str, app: Configure, storage: Storage, tmp_path: Path
) -> None:
    """All they find, in every dataset that one of them can judge."""
    files, spec = CASES[case]
    app(TEACHER_MODEL="teacher", TEACHER_PROMPT_PRICE="2", STUDENT_MODEL="gpt-4.1-mini")
    folder = f"{DATASETS}/nli/{uuid4().hex[:12]}"
    service = storage._client  # pyright: ignore[reportPrivateUsage]
    for name, content in files.items():
        container, blob = split_path(f"{folder}/{name}.jsonl")
        await service.get_blob_client(container, blob).upload_blob(content)
    paths = {name: f"{folder}/{name}.jsonl" for name in files}
    body = json.dumps({"task": "nli", **paths, **spec}).encode()
    query = {"dry_run": "true"}
    request = ApiRequest("http://x/api/runs", query, "application/json", body, "", lambda _: {})
    client: Any = NoRuns()
    online = json.loads((await handlers.start_run(client, request)).text)

    dataset = check.find_dataset(written(tmp_path / Path(folder).name, files, spec), None)
    checked = await check.check(dataset, "nli")
    offline = json.loads(check.as_json(dataset, check.Task("nli", "--task"), checked))
    assert len(offline["rejected_rows"]) == sum(
        sum(split["rejected"].values()) for split in offline["splits"].values()
    )
    offline["rejected_rows"] = offline["rejected_rows"][:MAX_REJECTED]
    assert {name: offline[name] for name in online} == online
    assert offline["usable"] == (online["error"] is None)


class NoRuns:
    """A task hub without any run."""

    runtime_status = None

    async def get_status(self, instance_id: str, *, show_input: bool) -> NoRuns:
        return self


def test_a_usable_dataset_is_described_in_80_columns(
    offline: None, run_check: Check, tmp_path: Path
) -> None:
    folder = written(tmp_path / "a b", {**CASES["messy"][0], "tests": b""})
    code, shown = run_check(folder, "--task", "nli")
    assert code == 0
    assert all(len(line) <= 80 for line in shown.splitlines()[3:])
    for text in (
        "train: 75 rows = 71 usable + 4 rejected",
        "invalid_json: 1 row (line 71)",
        "duplicate: 1 row (line 74)",
        "same question, different references: 1 row",
        "references: 72 rows with one, 1 of them can't be read (lines 76)",
        "validation: 7 rows = 4 usable + 3 rejected",
        "overlap: 3 rows (lines 1, 2, 3)",
        "entailment, neutral, contradiction: ",
        'file "tests.jsonl" isn\'t used',
        "Usable: a run would begin to ask its teacher.",
    ):
        assert text in shown


@pytest.mark.parametrize("case", ["too_few", "alpaca", "over_budget"])
def test_what_would_stop_a_run_is_exit_code_1(
    case: str, offline: None, run_check: Check, tmp_path: Path
) -> None:
    code, shown = run_check(written(tmp_path / "d", *CASES[case]), "--task=nli")
    assert (code, "Not usable: " in shown) == (1, True)


def test_a_file_in_another_form_needs_no_task_to_be_recognised(
    offline: None, run_check: Check, tmp_path: Path
) -> None:
    contents = {
        "my rows.csv": b"question,answer\n1+1?,2\n",
        "z.jsonl.gz": gzip.compress(rows(2)),
        "alpaca.jsonl": CASES["alpaca"][0]["train"],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        code, shown = run_check(tmp_path / name)
        assert code == 1
        assert "python3 -m local convert" in " ".join(shown.split()), name
    (tmp_path / "empty.jsonl").touch()
    assert "is empty" in run_check(tmp_path / "empty.jsonl")[1]


def test_the_task_is_told_by_path_specification_or_rows_or_asked_for(
    offline: None, run_check: Check, tmp_path: Path
) -> None:
    talk = [{"role": role, "content": "Hi"} for role in ("user", "assistant", "user")]
    plain: Files = {"train": as_jsonl([{"messages": talk[:1]}])}
    for folder, files, spec, task in (
        ("datasets/math/x", plain, {}, "math"),
        ("b", plain, {"task": "summarization"}, "summarization"),
        ("c", {"train": as_jsonl([{"messages": talk}])}, {}, "conversation"),
        ("d", {"train": rows(3)}, {}, "nli"),
    ):
        _, shown = run_check(written(tmp_path / folder, files, spec), "--json")
        assert json.loads(shown)["task"] == task, folder
    with pytest.raises(UsageError, match=r"--task, one of nli, .*summarization"):
        run_check(written(tmp_path / "e", plain))


def test_a_wrong_specification_is_reported_with_every_problem(
    offline: None, run_check: Check, tmp_path: Path
) -> None:
    folder = written(tmp_path / "d", {"train": rows(3)}, {"teacher": {"temperatur": 1}, "x": 2})
    code, shown = run_check(folder, "--task", "nli")
    assert code == 1
    assert "teacher.temperatur" in shown and "x: " in shown
    code, shown = run_check(folder, "--task", "nli", "--json")
    assert (code, json.loads(shown)["usable"]) == (1, False)


def test_texts_of_rows_cannot_steer_the_terminal(
    offline: None, run_check: Check, tmp_path: Path
) -> None:
    hostile = rows(1, labels=["\x1b[31mred", "\u202egreen"]) + b'{"messages": "\\u001b[2J"}\n'
    _, shown = run_check(written(tmp_path / "d", {"train": hostile}), "--task", "nli")
    assert "\x1b" not in shown and "\u202e" not in shown


def test_a_folder_without_a_training_set_and_files_in_storage_are_wrong_use(
    offline: None, run_check: Check, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"has no train\.jsonl"):
        run_check(tmp_path)
    spec = {"validation": "datasets/nli/other/v.jsonl"}
    with pytest.raises(UsageError, match="put a copy beside"):
        run_check(written(tmp_path / "d", {"train": rows(3)}, spec), "--task", "nli")
    for missing in (tmp_path / "nowhere", tmp_path / "d" / "train.jsonl" / "x"):
        with pytest.raises(SystemExit, match="2"):
            run_check(missing)
