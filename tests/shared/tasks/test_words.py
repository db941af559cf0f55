"""The lists of words beside modules hold nothing that no module reads."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from shared.tasks.words import any_of

TASKS = Path(__file__).parents[3] / "shared" / "tasks"


@pytest.mark.parametrize(
    "table", ["replies/sentences", "labels/choice_sentences", "labels/prompt_words"]
)
def test_every_list_of_words_is_read(table: str) -> None:
    code = "".join(module.read_text(encoding="utf-8") for module in TASKS.rglob("*.py"))
    names = tomllib.loads((TASKS / f"{table}.toml").read_text(encoding="utf-8"))
    assert names
    unread = [name for name in names if f"'{name}'" not in code and f'"{name}"' not in code]
    assert unread == []


def test_a_word_matches_as_a_whole_and_in_unspaced_scripts_anywhere() -> None:
    pattern = re.compile(any_of(["or", "or rather", "所以"]))
    assert [match[0] for match in pattern.finditer("more or  rather, 是所以对")] == [
        "or  rather",
        "所以",
    ]
