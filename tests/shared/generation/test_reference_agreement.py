"""Whatever selects the answer, the journal says whether it agrees with the row's reference."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.core.counters import LabelCounts
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Message, Row, as_jsonl
from shared.generation.ask_row import ask_row
from shared.generation.journal import split_counters
from shared.generation.record import Record
from shared.spec.parse import parse_spec
from shared.tasks import TASKS
from shared.teacher import Completion, RowFailure
from tests.shared.conftest import RunFolder, question
from tests.support.scripted_shards import ScriptedTeacher, run_all

SIMPLE = {
    "math": "How many wheels have two carts?",
    "nli": "Say 'follows' or 'open'.\n\nPremise: It snowed.\nHypothesis: It was cold.",
    "nlu_qa": "Which one swims?\n(A) a rake\n(B) a trout\n(C) a lamp",
}


class Replying:
    """A teacher that gives these replies in turn."""

    def __init__(self, *replies: str | Exception) -> None:
        self.replies = list(replies)

    def when_none_waits(self, call: Any) -> None:
        pass

    def stop(self) -> None: ...

    async def complete(self, messages: list[Message], **_: Any) -> Completion:
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return Completion(reply, "stop", None, None, 10, 2, "m-1")


async def compared(
    *replies: str | Exception, task: str = "math", reference: str | None = None, **fields: Any
) -> Record:
    spec = parse_spec({"task": task, "train": f"datasets/{task}/x/train.jsonl", **fields})
    row = TASKS[task].check(
        Row(({"role": "user", "content": SIMPLE[task]},), None, reference), spec.answers
    )
    assert isinstance(row, Row)
    return await ask_row(1, row, spec, Replying(*replies))


@pytest.mark.parametrize(
    ("task", "reply", "reference", "agrees", "label"),
    [
        ("math", "8", "8", True, None),
        ("math", "8", "8.0", True, None),
        ("math", "The answer is 8.", "Each has 4.\n4 * 2 = 8\n#### 8", True, None),
        ("math", "9", "8", False, None),
        ("math", "8", "-8", False, None),
        ("nli", "open", "Open", True, "open"),
        ("nli", "follows", "open", False, "open"),
        ("nlu_qa", "B", "a trout", True, "B"),
        ("nlu_qa", "A", "(C)", False, "C"),
        ("math", "8", None, None, None),
        ("nlu_qa", "A", "-1", None, None),
    ],
)
async def test_an_answer_that_is_kept_is_compared_with_the_reference(
    task: str, reply: str, reference: str | None, agrees: bool | None, label: str | None
) -> None:
    record = await compared(reply, task=task, reference=reference)
    assert (record.status, record.agrees, record.label) == ("accepted", agrees, label)
    assert not record.has_unreadable_reference


async def test_a_reference_that_cannot_be_read_is_counted_as_such() -> None:
    record = await compared("8", reference="about as many as last year")
    assert (record.status, record.agrees) == ("accepted", None)
    assert record.has_unreadable_reference


async def test_numbers_within_the_tolerance_agree_without_a_selection_too() -> None:
    assert (await compared("8.1", reference="8", quality={"tolerance": 0.05})).agrees is True
    assert (await compared("8.1", reference="8", quality={"tolerance": 0.01})).agrees is False


async def test_the_majority_is_compared_however_many_samples_were_right() -> None:
    quality = {"samples": 3, "select": "majority"}
    record = await compared("9", "8", "9", reference="8", quality=quality)
    assert (record.answers, record.agrees) == (["9"], False)


async def test_rows_that_never_agree_count_as_disagreeing_where_the_reference_selects() -> None:
    quality = {"samples": 2, "select": "reference"}
    late = await compared("9", "8", reference="8", quality=quality)
    never = await compared("9", "7", reference="8", quality=quality)
    assert (late.agrees, never.agrees) == (True, False)
    assert never.reason == RejectionReason.DISAGREES


async def test_a_row_without_an_answer_is_not_compared() -> None:
    silent = RowFailure(RejectionReason.TIMEOUT, "no reply", 1)
    record = await compared(silent, reference="8")
    assert (record.status, record.agrees) == ("rejected", None)
    undecided = {"samples": 3, "select": "majority"}
    record = await compared("7", "8", "9", reference="8", quality=undecided)
    assert (record.reason, record.agrees) == (RejectionReason.NO_MAJORITY, None)


def test_a_record_keeps_the_comparison_in_the_journal() -> None:
    record = Record(3, "accepted", answers=["B"], agrees=False, label="B")
    assert json.loads(record.to_json())["agrees"] is False
    assert Record.from_json(record.to_json()) == record


async def test_the_counts_of_a_split_add_up_its_rows_and_labels(folder: RunFolder) -> None:
    quality = {"samples": 1, "select": "first"}
    folder.spec = parse_spec(
        {**folder.spec.model_dump(exclude_none=True), "task": "nli", "quality": quality}
    )
    rows = [
        question(f"Say 'follows' or 'open'.\n\nPremise: It is {number}.\nHypothesis: x", answer=ref)
        for number, ref in enumerate(["open", "open", "open", "follows", "both", None, "follows"])
    ]
    await folder.add(as_jsonl(rows))
    counters = await run_all(folder, ScriptedTeacher(lambda _: "open"))
    assert (counters.with_reference, counters.matching) == (5, 3)
    assert counters.unreadable_references == 1
    assert counters.labels == {
        "follows": LabelCounts(rows=2, matching=0),
        "open": LabelCounts(rows=3, matching=3),
    }
    published = await split_counters(folder.storage, folder.paths, "train")
    assert published.labels == counters.labels
