"""What a dataset is like, told in one pass over it, in the same words each time."""

from __future__ import annotations

from typing import Any

from shared.dataset.lines import Line
from shared.dataset.rows import as_jsonl
from shared.report.statistics import MAX_ANSWERS, MAX_EXAMPLES, Describer, Description


def example(answer: str, question: str = "What is it?") -> dict[str, Any]:
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
    }


def described(*rows: dict[str, Any], has_values: bool = True) -> Description:
    describer = Describer(has_values=has_values)
    for number, content in enumerate(as_jsonl(rows).splitlines(), 1):
        describer.take(Line(number, 0, len(content), content))
    return describer.description()


def test_answers_are_counted_the_most_frequent_first_and_equal_ones_by_name() -> None:
    found = described(*[example(answer) for answer in ("b", "c", "a", "c", "b", "c")])
    assert list(found.answers.items()) == [("c", 3), ("b", 2), ("a", 1)]
    assert list(described(example("z"), example("y")).answers) == ["y", "z"]
    assert found.other_answers == 0


def test_the_answer_after_a_reasoning_is_counted_not_the_reasoning() -> None:
    rows = [
        example(f"Answer: 9 is what\nI thought first.\n\nAnswer: {answer}")
        for answer in ("5", "5", "6")
    ]
    assert described(*rows).answers == {"5": 2, "6": 1}


def test_of_many_different_answers_some_are_shown_and_all_are_counted() -> None:
    rows = [example(str(number)) for number in range(50)] + [example("7")] * 3
    found = described(*rows)
    assert (len(found.answers), found.answers["7"]) == (MAX_ANSWERS, 4)
    assert sum(found.answers.values()) + found.other_answers == 53


def test_answers_that_are_not_kept_apart_are_counted_together(monkeypatch: Any) -> None:
    monkeypatch.setattr("shared.report.statistics.MAX_DISTINCT", 2)
    found = described(*[example(answer) for answer in "abcda"])
    assert (found.answers, found.other_answers) == ({"a": 2, "b": 1}, 2)


def test_answers_that_are_texts_are_not_counted() -> None:
    found = described(example("hello"), has_values=False)
    assert (found.answers, found.other_answers) == ({}, 0)


def test_lengths_are_counted_in_buckets_that_hold_every_row() -> None:
    words = {"tiny": 1, "small": 90, "long": 1500, "longer": 1600}
    found = described(*[example("5", "word " * count) for count in words.values()])
    assert [(bucket.tokens, bucket.rows) for bucket in found.lengths] == [
        (64, 1),
        (128, 1),
        (2048, 2),
    ]


def test_the_first_few_rows_are_the_examples() -> None:
    rows = [example(str(number)) for number in range(MAX_EXAMPLES + 5)]
    assert described(*rows).examples == [row["messages"] for row in rows[:MAX_EXAMPLES]]


def test_an_empty_dataset_is_described_as_one() -> None:
    assert described() == Description()
