"""A file in another form is told by one sentence, not by an error on each of its lines."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from typing import Any

import pytest

from shared.dataset.file_form import file_form

CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "One and one?"}]}
LINE = json.dumps(CHAT)
TWO_LINES = f"{LINE}\n{LINE}\n"


def sentence(head: bytes) -> str:
    form = file_form(head)
    assert form is not None
    return form.sentence("datasets/math/x/train.jsonl", "math")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        TWO_LINES.encode(),
        b"\xef\xbb\xbf" + TWO_LINES.encode(),
        b"\n  " + TWO_LINES.encode(),
        b"[]\n[]\n",
        b'{"messages": [',
        b"null\n",
        b"\xff\n" + TWO_LINES.encode(),
        b"hello\n",
    ],
)
def test_rows_of_messages_and_unknown_files_have_no_other_form(content: bytes) -> None:
    assert file_form(content) is None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_other_encodings_are_told_with_and_without_a_mark(encoding: str) -> None:
    text = sentence(TWO_LINES.encode(encoding))
    assert text.startswith(f"the file is {encoding[:6].upper()} text, not UTF-8: convert it")
    assert "`python3 -m local convert train.jsonl --task math`" in text


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (gzip.compress(TWO_LINES.encode(), mtime=0), "a gzip file"),
        (bz2.compress(TWO_LINES.encode()), "a bzip2 file"),
        (lzma.compress(TWO_LINES.encode()), "a xz file"),
        (b"PK\x03\x04rest", "a zip file"),
        (b"PAR1rest", "a Parquet file"),
        (json.dumps([CHAT, CHAT]).encode(), "one JSON array of rows with the keys messages"),
        (json.dumps([CHAT, CHAT], indent=1).encode(), "one JSON array of rows"),
        (b"[\n", "one JSON array"),
        (json.dumps({"data": [CHAT]}, indent=1).encode(), "one JSON document over several lines"),
        (json.dumps({"data": [CHAT]}).encode(), "one JSON document with the keys data"),
        (json.dumps({"messages": "[]"}).encode(), "rows whose `messages` are a text"),
        (b'[{"role": "user", "content": "a"}]\n' * 2, "lists of messages"),
        (TWO_LINES.replace("\n", "\r").encode(), "text whose lines end in a carriage return"),
        (b"PK\x03\x04....xl/workbook.xml", "an Excel workbook: save it as CSV"),
        (b"SQLite format 3\x00", "a SQLite file"),
        (b"<!DOCTYPE html>", "a HTML file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer file"),
        (b"Question;Answer\n", "a CSV table with the columns Question, Answer"),
        (b"name,place\n", "text, perhaps a table with the columns name, place"),
        (b"a\rb", "text whose lines end in a carriage return"),
        (b"question,answer\n1+1?,2\n", "a CSV table with the columns question, answer"),
        (
            b"premise\thypothesis\tlabel\n",
            "a CSV table with the columns premise, hypothesis, label",
        ),
    ],
)
def test_files_of_another_kind_are_told(content: bytes, name: str) -> None:
    assert sentence(content).startswith(f"the file is {name}")


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"instruction": "Add.", "input": "1 1", "output": "2"}, "Alpaca"),
        ({"id": 1, "conversations": []}, "ShareGPT"),
        ({"prompt": "1+1=", "completion": " 2"}, "prompt and completion"),
        ({"question": "1+1?", "answer": "#### 2"}, "GSM8K"),
        ({"premise": "a", "hypothesis": "b", "label": 1}, "NLI"),
        ({"question": "?", "choices": ["a"], "answer": 0}, "multiple-choice"),
    ],
)
def test_rows_of_another_format_are_told_with_their_keys(row: dict[str, Any], name: str) -> None:
    text = sentence(json.dumps(row).encode() + b"\n")
    assert name in text
    assert f"with the keys {', '.join(row)} instead of `messages`" in text
    assert "local convert" in text


def test_rows_of_an_unknown_format_are_told_without_a_command_that_cannot_help() -> None:
    text = sentence(b'{"utterance": "hi", "reply": "ho"}\n')
    assert "the keys utterance, reply instead of `messages`" in text
    assert "convert" not in text


def test_a_row_of_many_long_keys_makes_no_long_message() -> None:
    row = {f"{number}" + "x" * 300: 1 for number in range(100)}
    assert len(sentence(json.dumps(row).encode() + b"\n")) < 600
