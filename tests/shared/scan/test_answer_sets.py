"""The sets of labels that are shown before the teacher is paid: few, with rows and an example."""

from __future__ import annotations

import json

from shared.dataset.answer_space import AnswerSpace
from shared.dataset.lines import Line
from shared.runs.gates import after_scan
from shared.scan.answer_sets import KEPT_SETS, AnswerSets
from shared.scan.range_scan import RangeScan
from shared.spec.parse import parse_spec

SPEC = parse_spec({"task": "nli", "train": "datasets/nli/x/train.jsonl"})


def scanned(*instructions: str) -> RangeScan:
    scan = RangeScan("train", SPEC)
    for number, instruction in enumerate(instructions, 1):
        user = f"{instruction}\nPremise: {number} rooks flew.\nHypothesis: They sat."
        content = json.dumps({"messages": [{"role": "user", "content": user}]}).encode()
        scan.add(Line(number, 0, len(content), content))
    return scan


def test_each_set_is_counted_with_its_first_line() -> None:
    plan = scanned("Answer yes or no.", "Labels: true, false", "Answer yes or no.", "").plan
    shown = [(entry.values, entry.source, entry.rows, entry.line) for entry in plan.answers.sets]
    assert shown == [("yes, no", "prompt", 2, 1), ("true, false", "prompt", 1, 2)]
    assert plan.valid == 3


def test_ranges_add_up_and_rare_sets_are_counted_together() -> None:
    total = AnswerSets()
    for first_line in (0, 100):
        sets = AnswerSets()
        for number in range(KEPT_SETS + 5):
            sets.count(AnswerSpace(("x", str(number))), number + 1)
        sets.count(AnswerSpace(("x", "3")), 99)
        total.add(sets.moved(first_line))
    shown = total.shown()
    assert (shown.sets[0].values, shown.sets[0].rows, shown.sets[0].line) == ("x, 3", 4, 4)
    assert len(shown.sets) == 5
    assert sum(entry.rows for entry in shown.sets) + shown.other_rows == 2 * (KEPT_SETS + 6)


def test_a_set_of_many_labels_is_shown_in_part() -> None:
    sets = AnswerSets()
    sets.count(AnswerSpace(tuple(f"label {number}" for number in range(50))), 1)
    assert len(sets.sets[0].values) == 100


def test_a_dataset_whose_rows_all_lack_labels_fails_with_the_remedy() -> None:
    scan = scanned(*[""] * 70)
    scan.plan.samples = [f"{row.reason}: {row.detail}" for row in scan.rejections[:5]]
    error = after_scan(SPEC, {"train": scan.plan})
    assert error is not None
    assert "answers.labels" in error["details"][0]["problem"]
