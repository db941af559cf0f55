"""The strict check of training files: every kind of damage is found, by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.emulators.chat_dataset import MAX_PROBLEMS, check_chat_dataset, line_problem

SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "2 + 3?"}
ASSISTANT = {"role": "assistant", "content": "5"}


def line(*messages: object) -> bytes:
    return json.dumps({"messages": messages}).encode()


GOOD = line(USER, ASSISTANT)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "train.jsonl"


@pytest.mark.parametrize(
    "messages",
    [[USER, ASSISTANT], [SYSTEM, USER, ASSISTANT], [SYSTEM, USER, ASSISTANT, USER, ASSISTANT]],
)
def test_what_a_fine_tuning_service_takes_is_no_problem(messages: list[object]) -> None:
    assert line_problem(line(*messages)) is None


DAMAGE: dict[str, tuple[bytes, str]] = {
    "blank line": (b"", "is not JSON in UTF-8"),
    "cut line": (GOOD[:-3], "is not JSON in UTF-8"),
    "two objects in a line": (GOOD + GOOD, "is not JSON in UTF-8"),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, "is not JSON in UTF-8"),
    "other encoding": (GOOD.replace(b"5", "fünf".encode("latin-1")), "is not JSON in UTF-8"),
    "not an object": (b"[1]", "is not an object"),
    "a further key": (
        b'{"messages": [], "id": 1}',
        "has keys ['id', 'messages'] instead of messages alone",
    ),
    "another key": (b'{"prompt": "x"}', "has keys ['prompt']"),
    "messages of another type": (b'{"messages": {"role": "user"}}', "messages is not a list"),
    "no messages": (line(), "user and assistant must take turns"),
    "a message that is text": (
        line("hello"),
        "message 0 is not an object of role and content alone",
    ),
    "a message with a name": (
        line({**USER, "name": "x"}, ASSISTANT),
        "message 0 is not an object of role and content",
    ),
    "a message without content": (
        line(USER, {"role": "assistant"}),
        "message 1 is not an object of role and content",
    ),
    "empty content": (line(USER, {**ASSISTANT, "content": " \n"}), "message 1 has no text"),
    "content that is null": (line(USER, {**ASSISTANT, "content": None}), "message 1 has no text"),
    "content in parts": (
        line({**USER, "content": [{"type": "text"}]}, ASSISTANT),
        "message 0 has no text",
    ),
    "system only": (line(SYSTEM), "user and assistant must take turns"),
    "no answer": (line(SYSTEM, USER), "user and assistant must take turns"),
    "answer first": (line(ASSISTANT, USER), "user and assistant must take turns"),
    "two questions": (line(USER, USER, ASSISTANT), "user and assistant must take turns"),
    "two system messages": (
        line(SYSTEM, SYSTEM, USER, ASSISTANT),
        "user and assistant must take turns",
    ),
    "system message in the middle": (
        line(USER, SYSTEM, ASSISTANT),
        "user and assistant must take turns",
    ),
    "unknown role": (line({**USER, "role": "tool"}, ASSISTANT), "roles are ['tool', 'assistant']"),
    "a role that is no text": (
        line({**USER, "role": 1}, ASSISTANT),
        "roles are ['1', 'assistant']",
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_told_by_file_and_line(path: Path, what: str) -> None:
    damaged, problem = DAMAGE[what]
    path.write_bytes(b"\n".join([GOOD, damaged, GOOD, b""]))
    count, problems = check_chat_dataset(path)
    assert count == 3
    assert len(problems) == 1
    assert problems[0].startswith("train.jsonl:2: ")
    assert problem in problems[0]


def test_a_good_file_is_counted(path: Path) -> None:
    path.write_bytes(GOOD + b"\n" + GOOD + b"\n")
    assert check_chat_dataset(path) == (2, [])


def test_a_file_that_is_missing_or_empty_is_a_problem(path: Path) -> None:
    assert check_chat_dataset(path) == (0, ["train.jsonl is missing"])
    path.touch()
    assert check_chat_dataset(path) == (0, ["train.jsonl is empty"])


def test_an_unended_last_line_is_a_problem_and_counts(path: Path) -> None:
    path.write_bytes(GOOD + b"\n" + GOOD)
    assert check_chat_dataset(path) == (
        2,
        ["train.jsonl:2: the last line has no newline at its end"],
    )


def test_the_first_problems_are_enough(path: Path) -> None:
    path.write_bytes(b"x\n" * 100)
    count, problems = check_chat_dataset(path)
    assert (count, len(problems)) == (100, MAX_PROBLEMS)
    assert problems[0].startswith("train.jsonl:1: ")
