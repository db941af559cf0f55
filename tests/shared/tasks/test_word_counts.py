"""Words in any script, and the lengths that prompts ask for."""

from __future__ import annotations

import pytest

from shared.tasks.texts.word_counts import (
    Length,
    requested_length,
    too_long,
    too_short,
    word_count,
)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 0),
        ("The mill - it closed.", 4, 4),
        ("état d'âme, l’eau", 3, 3),
        ("Мельница закрылась в мае.", 4, 4),
        ("공장은 오월에 문을 닫았다.", 4, 4),
        ("工厂在五月关闭，四十人失业。", 7, 9),
        ("工場は五月に閉鎖された。", 5, 8),
        ("โรงงานปิดในเดือนพฤษภาคม", 5, 8),
        ("Apple发布了新的iPhone。", 4, 6),
    ],
)
def test_words_are_counted_with_and_without_spaces(text: str, least: int, most: int) -> None:
    assert least <= word_count(text) <= most


@pytest.mark.parametrize(
    ("prompt", "length"),
    [
        ("Do not exceed 80 words.", Length(0, 80)),
        ("Summarize it in at most 30 words.", Length(0, 30)),
        ("Use no more than 1 word.", Length(0, 1)),
        ("Write fewer than 50 words.", Length(0, 49)),
        ("in under 40 words", Length(0, 39)),
        ("Use at least 20 words.", Length(20, None)),
        ("Between 20 and 30 words, please.", Length(20, 30)),
        ("Write 20-30 words.", Length(20, 30)),
        ("At least 20 words, at most 30 words.", Length(20, 30)),
        ("Höchstens 50 Wörter.", Length(0, 50)),
        ("Mindestens 20 Wörter.", Length(20, None)),
        ("En 50 mots maximum.", Length(0, 50)),
        ("Máximo 50 palabras.", Length(0, 50)),
        ("请用不超过100字总结。", Length(0, 100, in_characters=True)),
        ("100字以内で要約してください。", Length(0, 100, in_characters=True)),
        ("總結不超過50字。", Length(0, 50, in_characters=True)),
        ("字数控制在50字以内，总结对话。", Length(0, 50, in_characters=True)),
        ("10단어 이내로 요약해 주세요.", Length(0, 10)),
        ("สรุปไม่เกิน 20 คำ", Length(0, 20)),
        ("Use a maximum of twenty words.", Length(0, 20)),
        ("It must not be longer than 20 words.", Length(0, 20)),
        ("Summarize it.", None),
        ("Use at most 3 sentences.", None),
        ("First at most 30 words, then at most 40 words.", None),
        ("Chapter 30 words", None),
    ],
)
def test_the_length_that_a_prompt_asks_for(prompt: str, length: Length | None) -> None:
    assert requested_length(prompt) == length


def test_a_length_over_or_under_what_is_asked_for_is_a_problem_that_says_so() -> None:
    assert too_long("one two three", Length(2, 3)) is None
    assert too_short("one two three", Length(2, 3)) is None
    assert too_long("one two three", Length(0, 2)) == "it has 3 words, the limit is 2"
    assert too_short("one", Length(2)) == "it has 1 words, at least 2 are asked for"
    assert too_long("工厂关闭了", Length(0, 5, in_characters=True)) is None
    assert too_long("工厂关闭了", Length(0, 4, in_characters=True)) is not None
