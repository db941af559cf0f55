"""Rows that nobody wrote for this teacher: each still gets an answer of the right form."""

from __future__ import annotations

import re
from typing import Any

import pytest

from local.emulators.teacher import serve
from tests.support.teacher import REPOSITORY, Message, ask, rows, sdk

DATA = REPOSITORY.parent / "shared" / "data"
FORMS = {
    "nli": re.compile(r"entailment|contradiction|neutral"),
    "nlu_qa": re.compile(r"[A-E]"),
    "math": re.compile(r"-?\d+"),
    "summarization": re.compile(r"(?:\S+\s+){0,79}\S+"),
    "conversation": re.compile(r"[\s\S]*\w[\s\S]*"),
}


def questions(row: dict[str, Any]) -> list[list[Message]]:
    """What is asked, one entry a user turn, with the history before it."""
    messages: list[Message] = row["messages"]
    return [
        messages[: place + 1] for place, message in enumerate(messages) if message["role"] == "user"
    ]


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="the real datasets are not beside this checkout")
@pytest.mark.parametrize("task", sorted(FORMS))
@pytest.mark.parametrize("split", ["train", "validation"])
async def test_every_row_gets_a_well_formed_answer(task: str, split: str) -> None:
    asked = [
        question for row in rows(DATA / task / f"{split}.jsonl") for question in questions(row)
    ]
    assert asked
    async with serve() as teacher, sdk(teacher) as client:
        for question in asked:
            answer = await ask(client, question)
            assert FORMS[task].fullmatch(answer), (question[-1]["content"][-300:], answer)
