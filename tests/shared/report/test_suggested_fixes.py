"""Each reason for which a row can be rejected comes with what would mend it, and at about which
price.
"""

from __future__ import annotations

from typing import Any

import pytest

from shared.core.counters import Counters
from shared.core.errors import InvalidInput
from shared.dataset.rejection import ASK_AGAIN, RejectionReason
from shared.report.suggested_fixes import ReasonLine, reason_lines
from shared.spec.models import RunSpec
from shared.spec.parse import parse_spec

NOT_ASKED_AGAIN = [reason for reason in RejectionReason if not reason.fix.asks_again]
ASKED_AGAIN = [reason for reason in RejectionReason if reason.fix.asks_again]


def spec_of(**fields: Any) -> RunSpec:
    return parse_spec({"task": "math", "train": "datasets/math/x/train.jsonl", **fields})


def line_of(reason: str, counters: Counters | None = None, **fields: Any) -> ReasonLine:
    counts = counters or Counters(
        accepted=10, requests=20, prompt_tokens=2000, completion_tokens=500
    )
    rejected = counts.model_copy(update={"rejected": {reason: 3}})
    [line] = reason_lines("train", rejected, spec_of(**fields))
    return line


@pytest.mark.parametrize("reason", NOT_ASKED_AGAIN)
def test_what_the_dataset_is_to_blame_for_is_not_asked_again(reason: RejectionReason) -> None:
    line = line_of(reason)
    assert (line.tokens, line.remedy) == (None, reason.fix.text)


@pytest.mark.parametrize("reason", ASKED_AGAIN)
def test_what_the_teacher_is_to_blame_for_has_a_price(reason: str) -> None:
    line = line_of(reason)
    assert (line.rows, "{" in line.remedy) == (3, False)
    assert line.tokens is not None
    assert line.tokens >= 3 * (2000 / 20 + 500 / 10)


@pytest.mark.parametrize(("target", "asks_again"), [(50, False), (51, True), (None, True)])
def test_no_retry_is_priced_that_a_reached_target_prevents(
    target: int | None, asks_again: bool
) -> None:
    counters = Counters(accepted=50, requests=60, prompt_tokens=500, completion_tokens=500)
    line = line_of("no_number", counters, quality={"target_rows": target})
    assert (line.tokens is not None) is asks_again
    assert ("only a larger one asks" in line.remedy) is not asks_again


def test_a_setting_that_is_to_be_raised_is_named_with_a_value_that_is_allowed() -> None:
    assert "teacher.max_tokens to 400 " in line_of("truncated", teacher={"max_tokens": 100}).remedy
    assert (
        "teacher.max_tokens to 131072 "
        in line_of("truncated", teacher={"max_tokens": 100_000}).remedy
    )
    quality = {"samples": 5, "select": "reference"}
    assert "quality.samples to 10 " in line_of("disagrees", quality=quality).remedy
    assert (
        "quality.samples to 16 " in line_of("disagrees", quality={**quality, "samples": 12}).remedy
    )
    for wrong in ({"teacher": {"max_tokens": 131_073}}, {"quality": {**quality, "samples": 17}}):
        with pytest.raises(InvalidInput):
            spec_of(**wrong)


def test_a_ceiling_that_stands_in_the_way_of_more_tokens_is_named() -> None:
    limits = {"max_tokens": 100, "max_tokens_ceiling": 200}
    assert "teacher.max_tokens_ceiling" in line_of("truncated", teacher=limits).remedy
    limits["max_tokens_ceiling"] = 400
    assert "teacher.max_tokens_ceiling" not in line_of("truncated", teacher=limits).remedy


def test_a_setting_that_is_at_its_limit_is_not_to_be_raised() -> None:
    assert line_of("truncated", teacher={"max_tokens": 131_072}).remedy == ASK_AGAIN.text
    assert (
        line_of("disagrees", quality={"samples": 16, "select": "reference"}).remedy
        == ASK_AGAIN.text
    )


def test_more_rows_and_more_samples_take_more_tokens() -> None:
    one = line_of("timeout").tokens
    sampled = line_of("timeout", quality={"samples": 4, "select": "majority"}).tokens
    assert one == round(2000 / 20 + 500 / 10) * 3
    assert sampled == round(4 * 2000 / 20 + 500 / 10) * 3


def test_a_run_whose_teacher_was_never_asked_has_no_price_to_tell() -> None:
    assert line_of("timeout", Counters()).tokens == 0


def test_each_reason_of_a_split_is_one_line() -> None:
    counters = Counters(rejected={"duplicate": 2, "timeout": 1})
    lines = [
        (line.split, line.reason, line.rows)
        for line in reason_lines("validation", counters, spec_of())
    ]
    assert lines == [("validation", "duplicate", 2), ("validation", "timeout", 1)]
