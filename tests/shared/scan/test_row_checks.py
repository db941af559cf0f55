"""Checks before the teacher is paid: references to compare with, and a length that fits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.dataset.lines import Line
from shared.dataset.rejection import Rejection, RejectionReason
from shared.dataset.rows import Row
from shared.scan.plan import Exclusion, Shard
from shared.scan.row_checks import RowChecks
from shared.spec.models import RunSpec
from shared.spec.parse import parse_spec

PHI_4K = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/15"
NLI = (
    "Answer with one of 'entailment', 'neutral' or 'contradiction'.\n"
    "Premise: It rains.\nHypothesis: It is wet."
)


def spec_of(task: str = "math", **fields: Any) -> RunSpec:
    student = {"model": PHI_4K}
    return parse_spec(
        {"task": task, "train": f"datasets/{task}/x/train.jsonl", "student": student, **fields}
    )


def content(*turns: str, **fields: Any) -> bytes:
    roles = ("user", "assistant")
    messages = [
        {"role": roles[position % 2], "content": turn} for position, turn in enumerate(turns)
    ]
    return json.dumps({"messages": messages, **fields}).encode()


def reason(spec: RunSpec, line: bytes) -> str | None:
    checked = RowChecks(spec).row(line)
    return checked.reason if isinstance(checked, Rejection) else None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (content("What is 2 + 3?"), "no_reference"),
        (content("What is 2 + 3?", answer=5), None),
        (content("What is 2 + 3?", "It is 5."), None),
        (content("What is 2 + 3?", "Two and three make 2 + 3 = 5, so the answer is 5."), None),
        (content("What is 2 + 3?", answer="five or so"), "invalid_reference"),
        (content("What is 2 + 3?", answer="3 apples and 4 pears"), "invalid_reference"),
    ],
)
def test_references_are_due_where_answers_are_compared_with_them(
    line: bytes, expected: str | None
) -> None:
    assert reason(spec_of(quality={"select": "reference"}), line) == expected
    assert reason(spec_of(quality={"select": "majority", "samples": 3}), line) is None
    assert reason(spec_of(), line) is None


def test_a_reference_is_read_as_answers_are() -> None:
    spec = spec_of("nli", quality={"select": "reference"})
    assert reason(spec, content(NLI, answer="Entailment.")) is None
    assert reason(spec, content(NLI, answer="perhaps")) == "invalid_reference"


def test_a_rejection_for_its_reference_names_row_and_cause() -> None:
    spec = spec_of(quality={"select": "reference"})
    checked = RowChecks(spec).row(content("What is 2 + 3?", id="a7", answer="many"))
    assert isinstance(checked, Rejection)
    assert (checked.id, "cannot be read: " in checked.detail) == ("a7", True)


def test_a_row_whose_questions_alone_are_too_long_for_the_student_is_rejected_with_the_count() -> (
    None
):
    checked = RowChecks(spec_of()).row(content("word " * 5000, id="long"))
    assert isinstance(checked, Rejection)
    assert (checked.reason, checked.id) == ("too_long", "long")
    assert checked.detail == "about 5,007 tokens, the student takes 4,096"
    assert reason(spec_of(), content("word " * 4000)) is None
    wide = spec_of(
        student={"model": "azureml://registries/azureml-mistral/models/Ministral-3B/versions/1"}
    )
    assert reason(wide, content("word " * 5000)) is None


def test_the_own_answers_of_a_row_do_not_make_it_too_long() -> None:
    spec = spec_of("conversation")
    assert reason(spec, content("hello", "word " * 5000, "and?")) is None
    assert reason(spec, content("word " * 2100, "x", "word " * 2100)) == "too_long"


def test_what_the_scan_excluded_is_not_usable_though_it_is_right_in_itself() -> None:
    checks, line = RowChecks(spec_of()), Line(4, 0, 9, content("What is 2 + 3?", id="b"))
    shard = Shard(
        start=0,
        end=9,
        first_line=4,
        excluded=[Exclusion(line=4, reason=RejectionReason.DUPLICATE, detail="line 1")],
    )
    assert checks.usable(line, shard) == Rejection(RejectionReason.DUPLICATE, "line 1", "b")
    assert isinstance(checks.usable(line, shard.model_copy(update={"excluded": []})), Row)


def test_the_shape_of_a_row_does_not_depend_on_settings_that_may_change() -> None:
    strict = RowChecks(spec_of(quality={"select": "reference"}))
    for line in (content("What is 2 + 3?"), content("word " * 5000)):
        assert isinstance(strict.row(line), Rejection)
        assert isinstance(strict.shape(line), Row)
    assert isinstance(strict.shape(b"{"), Rejection)


def test_rows_that_are_not_asked_need_no_reference_and_their_answer_is_one() -> None:
    selecting = RowChecks(spec_of(quality={"select": "reference"}), are_asked=False)
    assert isinstance(selecting.row(content("What is 2 + 3?")), Row)
    providing = RowChecks(spec_of(answers={"source": "provided"}), are_asked=False)
    row = providing.row(content("What is 2 + 3?", "5"))
    assert isinstance(row, Row)
    assert (row.reference, row.provided_answer) == ("5", None)
    assert isinstance(providing.row(content("What is 2 + 3?")), Row)
