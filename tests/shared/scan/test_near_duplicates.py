"""Rows of an evaluation set that nearly repeat a training row, and rows that only look alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from shared.core.paths import Split
from shared.dataset.lines import ReadBytes
from shared.dataset.rejection import RejectedRow
from shared.dataset.rows import Row, as_jsonl, parse_row
from shared.scan import near_duplicates
from shared.scan.near_duplicates import EvaluationRows
from shared.scan.plan import RangePlan
from shared.scan.range_plan import plan_in_memory
from shared.scan.scan_warnings import scan_warnings
from shared.spec.models import RunSpec
from shared.spec.parse import parse_spec
from shared.tasks import TASKS
from tests.shared.conftest import question, questions

STORY = (
    "A gardener planted seven rows of tulips behind the old town hall in early spring, and every "
    "row had the same number of bulbs because her grandfather had always done it that way. "
    "How many bulbs did she plant if each row had 12 of them?"
)
CHINESE_STORY = "今天早上老园丁在花园里种下了三朵郁金香请问是多少"
ARTICLE = " ".join(f"sentence {number} tells of the {number * 7} herons." for number in range(80))
PROMPT = "Read the two texts and say whether the first one implies the second, with one word only: "


def spec_of(mode: str = "count", task: str = "math") -> RunSpec:
    body = {"task": task, "train": f"datasets/{task}/x.jsonl", "quality": {"near_duplicates": mode}}
    return parse_spec(body)


def row_of(text: str) -> Row:
    row = parse_row(as_jsonl([question(text)]))
    assert isinstance(row, Row)
    return row


def similarity(text: str, evaluation_text: str, task: str = "math") -> float | None:
    """The similarity of two texts if they are near-duplicates, among other evaluation rows."""
    others = [row_of(f"Where does {number} come from?") for number in range(9)]
    rows = list(enumerate([row_of(evaluation_text), *others], 1))
    matches = EvaluationRows("test", rows, TASKS[task]).new_matches(row_of(text), 1)
    assert all(match.line == 1 for match in matches)
    return matches[0].similarity if matches else None


def plans_of(
    contents: Mapping[Split, bytes], mode: str
) -> tuple[dict[Split, RangePlan], list[RejectedRow]]:
    inputs: dict[Split, tuple[ReadBytes, int]] = {}
    for split, content in contents.items():
        inputs[split] = (reading(content), len(content))
    return asyncio.run(plan_in_memory(inputs, spec_of(mode)))


def reading(content: bytes) -> ReadBytes:
    async def read(start: int, end: int) -> AsyncIterator[bytes]:
        yield content[start:end]

    return read


@pytest.mark.parametrize(
    "changed",
    [
        STORY.replace("tulips", "daffodils"),
        STORY.replace(" because", ", because").replace("12", "(12)").upper(),
        STORY.replace("always ", ""),
    ],
)
def test_a_text_with_a_word_changed_is_nearly_the_same(changed: str) -> None:
    assert (similarity(changed, STORY) or 0) >= near_duplicates.MIN_SIMILARITY


@pytest.mark.parametrize(
    "changed",
    [STORY.replace("12", "13"), STORY.replace("seven", "nine"), STORY[: len(STORY) // 2]],
)
def test_other_numbers_or_half_of_a_text_make_another_question(changed: str) -> None:
    assert similarity(changed, STORY) is None


@pytest.mark.parametrize(
    ("text", "other_text"),
    [
        ("What is 12 - 4?", "What is 12 / 4?"),
        ("What is 12-4?", "What is 12/4?"),
        ("What is the absolute value of 7?", "What is the absolute value of -7?"),
        ("Is it true that 3 < 5?", "Is it true that 3 > 5?"),
        ("Simplify a - b for all values", "Simplify a / b for all values"),
        (f"{STORY} Each costs 3.5 dollars.", f"{STORY} Each costs 5.3 dollars."),
        (f"{STORY} Each costs 3.5 dollars.", f"{STORY} Each costs 3, 5 dollars."),
        (f"{STORY} He sells half of them.", f"{STORY} He sells a third of them."),
        (f"{STORY} How many more are red?", f"{STORY} How many fewer are red?"),
        (f"{STORY} She gives 3 of 5 away.", f"{STORY} She gives 5 of 3 away."),
        (
            "今天早上老园丁在花园里种下了三朵郁金香请问一共有多少",
            "今天早上老园丁在花园里种下了五朵郁金香请问一共有多少",
        ),
    ],
)
def test_questions_with_another_sign_quantity_or_order_of_numbers_are_different(
    text: str, other_text: str
) -> None:
    assert similarity(text, other_text) is None
    assert similarity(text, text) == 1


@pytest.mark.parametrize(
    "changed",
    [
        STORY.replace("seven rows", "seven-rows").replace("12 of", "12, of"),
        STORY.replace("spring, and", "spring - and"),
    ],
)
def test_punctuation_is_no_sign_of_arithmetic(changed: str) -> None:
    assert similarity(changed, STORY) == 1


def test_numbers_in_another_order_make_another_question_where_answers_are_numbers() -> None:
    first = "Nine men are walking along the harbour."
    second = "There are 3 boats out on the sea."
    text, exchanged = f"{STORY} {first} {second}", f"{STORY} {second} {first}"
    assert similarity(text, exchanged, "nli")
    assert similarity(text, exchanged, "math") is None


def test_short_questions_that_differ_in_a_word_are_different() -> None:
    assert similarity("Is a heron a bird or a fish?", "Is a heron a bird or a frog?") is None


def test_a_number_doesnt_make_an_article_another_one() -> None:
    corrected = ARTICLE.replace(" 70 herons", " 71 herons")
    assert similarity(corrected, ARTICLE, "summarization")
    assert similarity(corrected, ARTICLE) is None


def test_scripts_without_spaces_are_compared_too() -> None:
    text = "今天早上,一位老园丁在市政厅后面的花园里种下了许多郁金香,因为她的祖父以前总是这样做。"
    assert similarity(text.replace("老", "小"), text)
    assert similarity("昨天晚上,几个学生在图书馆里读了许多关于海洋动物的书。", text) is None


def test_the_prompt_that_all_rows_share_makes_no_row_similar() -> None:
    texts = [f"{PROMPT}heron {number} sleeps / heron {number} rests" for number in range(30)]
    rows = [(number, row_of(text)) for number, text in enumerate(texts, 1)]
    evaluation_rows = EvaluationRows("test", rows, TASKS["nli"])
    assert evaluation_rows.new_matches(row_of(f"{PROMPT}an owl hunts / an owl eats"), 1) == []


@pytest.fixture
def contents() -> dict[Split, bytes]:
    train = questions(20) + as_jsonl([question(STORY), question(STORY.replace("tulips", "roses"))])
    near = [question(STORY.replace("early", "late"), id="near"), question(STORY)]
    others = as_jsonl([question(f"How many legs do {n} spiders have?") for n in range(6)])
    return {
        "train": train,
        "validation": others + as_jsonl(near),
        "test": b"{\n" + as_jsonl([question(STORY.replace("spring", "autumn"))]),
    }


def test_rows_that_nearly_repeat_an_earlier_split_are_counted_with_both_places(
    contents: dict[Split, bytes],
) -> None:
    plans, rejected = plans_of(contents, "count")
    validation, test = plans["validation"], plans["test"]
    assert plans["train"].near_duplicates.rows == 0
    assert validation.near_duplicates.rows == 1  # the other is the same, and therefore overlap
    assert validation.near_duplicates.samples[0].startswith("line 7 of validation: 8")
    assert validation.near_duplicates.samples[0].endswith("% the same as line 21 of train")
    assert test.near_duplicates.rows == 1
    assert validation.rejected == {"overlap": 1}
    assert (validation.valid, len(rejected)) == (7, 2)
    warnings = scan_warnings(spec_of(), plans)
    assert ["quality.near_duplicates: drop" in text for text in warnings] == [True, True]


def test_rows_that_nearly_repeat_an_earlier_split_are_left_out_on_request(
    contents: dict[Split, bytes],
) -> None:
    counted, _ = plans_of(contents, "count")
    plans, rejected = plans_of(contents, "drop")
    validation, test = plans["validation"], plans["test"]
    assert validation.rejected == {"near_duplicate": 1, "overlap": 1}
    assert test.rejected == {"invalid_json": 1, "near_duplicate": 1}
    assert (validation.valid, test.valid, test.reused) == (6, 0, 0)
    assert validation.estimate.requests == counted["validation"].estimate.requests - 1
    [row] = [row for row in rejected if row.id == "near"]
    assert (row.line, row.reason) == (7, "near_duplicate")
    assert [entry.line for entry in validation.shards[0].excluded] == [7, 8]
    assert scan_warnings(spec_of("drop"), plans) == []


def test_near_duplicates_are_not_looked_for_on_request(contents: dict[Split, bytes]) -> None:
    plans, _ = plans_of(contents, "off")
    assert all(plan.near_duplicates.rows == 0 for plan in plans.values())


def test_a_set_that_is_too_large_is_compared_in_part_which_is_said(
    contents: dict[Split, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_duplicates, "MAX_BYTES", 100)
    plans, _ = plans_of(contents, "count")
    assert plans["validation"].near_duplicates.rows == 0
    warnings = scan_warnings(spec_of(), plans)
    assert any("of validation only" in text for text in warnings)
