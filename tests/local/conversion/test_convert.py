"""Files in other forms become JSON lines, and every row is converted or rejected by its number."""

from __future__ import annotations

import gzip
import io
import json
import sys
import zipfile
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from local.cli.commands.arguments import parse
from local.cli.commands.convert import main
from local.runtime.failures import UsageError
from shared.dataset.file_form import file_form
from shared.dataset.rows import Row, parse_row

CHAT = {"messages": [{"role": "user", "content": "Wie viel ist 2 + 5? é"}], "id": "r"}
LINE = json.dumps(CHAT, ensure_ascii=False)


def zipped(*contents: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"{number}.jsonl", content)
    return buffer.getvalue()


def zipped_as(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"<x/>")
    return buffer.getvalue()


def converted(
    folder: Path, content: bytes, *options: str, exit_code: int = 0
) -> list[dict[str, Any]]:
    source = folder / "mine.data"
    source.write_bytes(content)
    target = folder / "out.jsonl"
    chosen: Namespace = parse(["convert", str(source), "-o", str(target), *options])
    assert main(chosen) == exit_code
    assert file_form(target.read_bytes()) is None
    return [json.loads(line) for line in target.read_bytes().splitlines()]


@pytest.mark.parametrize(
    "content",
    [
        f"{LINE}\n{LINE}\n".encode(),
        f"{LINE}\r\n\r\n{LINE}".encode("utf-16"),
        f"{LINE}\n{LINE}\n".encode("utf-16-be"),
        f"{LINE}\n{LINE}\n".encode("utf-32"),
        gzip.compress(f"{LINE}\n{LINE}\n".encode(), mtime=0),
        zipped(f"{LINE}\n{LINE}\n".encode()),
        gzip.compress(json.dumps([CHAT, CHAT]).encode("utf-16"), mtime=0),
        json.dumps([CHAT, CHAT], indent=2).encode(),
        json.dumps({"version": 1, "data": [CHAT, CHAT]}, indent=2).encode(),
        json.dumps({"data": [CHAT, CHAT]}).encode(),
        f"{LINE}\r{LINE}\r".encode(),
        f"{LINE},\n{LINE}\n".encode(),
        f"{LINE}{LINE}\n".encode(),
        "\n".join([json.dumps(CHAT, indent=2)] * 2).encode(),
        json.dumps([{**CHAT, "messages": json.dumps(CHAT["messages"])}] * 2).encode(),
    ],
)
def test_rows_of_messages_keep_what_they_hold_whatever_the_file(
    tmp_path: Path, content: bytes
) -> None:
    assert converted(tmp_path, content, "--task", "math") == [CHAT, CHAT]


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


FORMATS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"instruction": "Add up.", "input": "2 5", "output": "7"},
        {"messages": [user("Add up.\n\n2 5"), assistant("7")]},
    ),
    (
        {"instruction": "Say hi.", "input": "", "output": "Hi."},
        {"messages": [user("Say hi."), assistant("Hi.")]},
    ),
    (
        {
            "id": 4,
            "conversations": [
                {"from": "system", "value": "Be brief."},
                {"from": "human", "value": "Hi."},
                {"from": "gpt", "value": "Hello."},
            ],
        },
        {
            "id": 4,
            "messages": [
                {"role": "system", "content": "Be brief."},
                user("Hi."),
                assistant("Hello."),
            ],
        },
    ),
    (
        {"prompt": "2 + 5 =", "completion": " 7\n"},
        {"messages": [user("2 + 5 ="), assistant("7")]},
    ),
    (
        {"question": "2 + 5?", "answer": "Two and five.\n#### 7"},
        {"messages": [user("2 + 5?")], "answer": "7"},
    ),
    (
        {"question": "What burns?", "choices": ["ice", "coal"], "answer": 1},
        {"messages": [user("What burns?\n(A) ice\n(B) coal")], "answer": "B"},
    ),
    (
        {
            "question": "What burns?",
            "choices": {"text": ["ice", "coal"], "label": ["1", "2"]},
            "answerKey": "2",
        },
        {"messages": [user("What burns?\n(A) ice\n(B) coal")], "answer": "B"},
    ),
]


MORE_FORMATS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"conversation": [{"role": "user", "content": "Hi."}]},
        {"messages": [user("Hi.")]},
    ),
    ({"Question": "2 + 5?", "Answer": "7"}, {"messages": [user("2 + 5?")], "answer": "7"}),
    ({"question": "2 + 5?"}, {"messages": [user("2 + 5?")]}),
    ({"instruction": "Add.", "input": "2 5"}, {"messages": [user("Add.\n\n2 5")]}),
    (
        {"prompt": "2 + 5?", "chosen": "7", "rejected": "8"},
        {"messages": [user("2 + 5?"), assistant("7")]},
    ),
    ({"input": "2 + 5?", "output": "7"}, {"messages": [user("2 + 5?"), assistant("7")]}),
    (
        {"question": "Is it wet?", "passage": "It rains.", "answer": True},
        {"messages": [user("It rains.\n\nIs it wet?\n(A) yes\n(B) no")], "answer": "A"},
    ),
    (
        {"question": "What burns?", "options": {"A": "ice", "B": "coal"}, "answer": "B"},
        {"messages": [user("What burns?\n(A) ice\n(B) coal")], "answer": "B"},
    ),
    (
        {"question": "What burns?", "A": "ice", "B": "coal", "answer": "B"},
        {"messages": [user("What burns?\n(A) ice\n(B) coal")], "answer": "B"},
    ),
    (
        {"dialogue": "A: Hi.", "summary": "A greets."},
        {"messages": [user("Summarize the following text.\n\nA: Hi."), assistant("A greets.")]},
    ),
    (
        {"custom_id": "r", "body": {"model": "m", "messages": [user("Hi.")]}},
        {"id": "r", "messages": [user("Hi.")]},
    ),
]


@pytest.mark.parametrize(("row", "right"), FORMATS + MORE_FORMATS)
def test_rows_of_known_formats_become_messages(
    tmp_path: Path, row: dict[str, Any], right: dict[str, Any]
) -> None:
    assert converted(tmp_path, json.dumps(row).encode()) == [right]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (zipped_as("xl/workbook.xml"), "Excel workbook: save it as CSV"),
        (b"SQLite format 3\x00", "SQLite file"),
        (b"%PDF-1.4", "PDF file"),
        (b"\n \r\n", "no rows"),
        (b"[]", "no rows"),
    ],
)
def test_a_file_without_rows_that_can_be_read_is_refused_by_name(
    tmp_path: Path, content: bytes, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        converted(tmp_path, content)


def test_names_and_sentences_of_snli_are_read(tmp_path: Path) -> None:
    rows = [
        {"sentence1": "a", "sentence2": "b", "gold_label": label}
        for label in ("neutral", "entailment", "-")
    ]
    content = "\n".join(map(json.dumps, rows)).encode()
    answers = [row.get("answer") for row in converted(tmp_path, content, "--task", "nli")]
    assert answers == ["neutral", "entailment", None]


def test_a_table_is_read_with_its_quotes_and_its_short_rows_are_rejected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = b'question,answer\n"2 + 5,\nhow much?",7\nalone\n1 + 1?,2,3\n4 + 4?,8\n'
    rows = converted(tmp_path, table, exit_code=1)
    assert rows == [
        {"messages": [user("2 + 5,\nhow much?")], "answer": "7"},
        {"messages": [user("4 + 4?")], "answer": "8"},
    ]
    shown = capsys.readouterr()
    assert "row 2: has no cell for answer" in shown.err
    assert "row 3: has more cells" in shown.err
    assert shown.out.startswith("4 rows = 2 converted + 2 rejected: ")


def test_every_row_is_accounted_for_by_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        LINE.encode(),
        b"",
        b"{",
        b"[1]",
        b'{"a": 1}',
        b'{"question": "\xff", "answer": "7"}',
        b'{"question": "\\ud800", "answer": "7"}',
        b'{"question": 7, "answer": "7"}',
        b'{"messages": []}',
    ]
    assert converted(tmp_path, b"\n".join(lines), exit_code=1) == [CHAT]
    shown = capsys.readouterr()
    numbers = [line.partition(":")[0] for line in shown.err.splitlines()]
    assert numbers == ["row 3", "row 4", "row 5", "row 6", "row 7", "row 8", "row 9"]
    assert shown.out.startswith("8 rows = 1 converted + 7 rejected: ")


def test_labels_of_nli_rows_are_the_files_own_or_declared_and_never_assumed(tmp_path: Path) -> None:
    named = [
        {"premise": "a", "hypothesis": "b", "label": label} for label in ("follows", "open", "-")
    ]
    rows = converted(tmp_path, json.dumps(named).encode(), "--task", "nli")
    assert [row.get("answer") for row in rows] == ["follows", "open", None]
    assert "'follows', 'open'" in rows[0]["messages"][0]["content"]
    numbered = [{"premise": "a", "hypothesis": "b", "label": label} for label in (1, 0, -1, 2)]
    content = json.dumps(numbered).encode()
    assert converted(tmp_path, content, exit_code=1) == []
    rows = converted(tmp_path, content, "--labels", "follows,open", exit_code=1)
    assert [row.get("answer") for row in rows] == ["open", "follows", None]


def test_with_a_task_rows_that_it_cannot_use_are_rejected(tmp_path: Path) -> None:
    assert converted(tmp_path, LINE.encode(), "--task", "nlu_qa", exit_code=1) == []


@pytest.mark.parametrize("row", [row for row, _ in FORMATS])
def test_what_is_converted_is_a_row_that_the_app_accepts(
    tmp_path: Path, row: dict[str, Any]
) -> None:
    [line] = converted(tmp_path, json.dumps(row).encode())
    assert isinstance(parse_row(json.dumps(line).encode()), Row)


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(LINE.encode(), mtime=0)[:-9],
        zipped(b"{}", b"{}"),
        b"PK\x03\x04broken",
        b"\xff\xfe{\x00\n",
        b"question,answer\n" + b"x" * 17_000_000 + b",1\n",
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UsageError):
        converted(tmp_path, content)


def test_without_pyarrow_a_parquet_file_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError, match="pip install pyarrow"):
        converted(tmp_path, b"PAR1")


def test_the_file_itself_is_never_overwritten(tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    source.write_text(LINE)
    with pytest.raises(UsageError, match="is the file itself"):
        main(parse(["convert", str(source), "-o", str(source)]))
    assert main(parse(["convert", str(source)])) == 0
    assert json.loads((tmp_path / "train.converted.jsonl").read_text()) == CHAT
