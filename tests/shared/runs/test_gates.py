"""The decisions of a run."""

from __future__ import annotations

from typing import Any

import pytest

from shared.core.counters import Counters
from shared.core.paths import Split
from shared.generation.success_ratio import max_rejected, minimum_accepted, most_decided
from shared.runs.gates import (
    after_generation,
    after_scan,
    during_generation,
    expected_usage,
    most_usage,
)
from shared.scan.plan import ScanCounts
from shared.spec.budget import Usage
from shared.spec.models import RunSpec
from shared.spec.parse import parse_spec


def spec(**fields: Any) -> RunSpec:
    return parse_spec({"task": "nli", "train": "datasets/nli/x/train.jsonl", **fields})


def scan(valid: int, *samples: str) -> ScanCounts:
    return ScanCounts(valid=valid, samples=list(samples))


def test_too_few_rows_fail_before_the_teacher_is_asked_with_examples_of_what_is_wrong() -> None:
    error = after_scan(
        spec(), {"train": scan(64, "line 3: invalid_json: column 1"), "validation": scan(0)}
    )
    assert error is not None
    assert [problem["where"] for problem in error["details"]] == [
        "datasets/nli/x/train.jsonl",
        "validation",
    ]
    assert "64 usable rows, but at least 65" in error["details"][0]["problem"]
    assert "line 3: invalid_json" in error["details"][0]["problem"]


def test_a_file_in_another_form_is_told_once_instead_of_its_lines() -> None:
    bad = scan(0, "line 1: invalid_utf8: byte 1", "line 2: invalid_json: column 1")
    bad.file_form = "the file is UTF-16 text, not UTF-8: convert it"
    error = after_scan(spec(), {"train": bad})
    assert error is not None
    problem = error["details"][0]["problem"]
    assert problem.endswith("; the file is UTF-16 text, not UTF-8: convert it")
    assert "line 2" not in problem


def test_a_first_row_of_another_format_does_not_hide_what_is_wrong_with_the_others() -> None:
    mixed = scan(3, "line 1: missing_messages: none", "line 2: invalid_json: column 1")
    mixed.file_form = "the file is rows in Alpaca format"
    error = after_scan(spec(), {"train": mixed})
    assert error is not None
    assert "line 2: invalid_json" in error["details"][0]["problem"]
    assert "Alpaca" not in error["details"][0]["problem"]


def test_too_many_provided_answers_that_cannot_be_used_fail_the_run_as_a_teachers_would() -> None:
    provided = spec(answers={"source": "provided"})
    scanned = scan(70, "line 2: invalid_label: maybe")
    scanned.rejected = {"invalid_label": 30, "duplicate": 500, "no_answer": 40}
    assert after_scan(provided, {"train": scanned}) is None
    scanned.rejected["invalid_label"] = 31
    error = after_scan(provided, {"train": scanned})
    assert error is not None
    (problem,) = error["details"]
    assert problem["where"] == "train"
    assert problem["problem"].startswith("70 of 101 provided answers can be used, but")
    assert after_scan(spec(), {"train": scanned}) is None


def test_enough_rows_pass() -> None:
    assert after_scan(spec(), {"train": scan(65), "validation": scan(1)}) is None


def test_minimum_rows_can_be_set() -> None:
    assert after_scan(spec(quality={"min_rows": 12}), {"train": scan(12)}) is None


def test_fewer_rows_than_the_service_trains_with_are_too_few_whatever_the_minimum() -> None:
    error = after_scan(spec(quality={"min_rows": 3}), {"train": scan(9)})
    assert error is not None
    assert (
        "9 usable rows, but at least 10 are required (by the fine-tuning service)"
        in error["details"][0]["problem"]
    )


def test_the_service_counts_examples_of_which_a_row_may_make_several() -> None:
    keeping = spec(
        quality={"min_rows": 3, "samples": 3, "select": "majority", "keep": 3},
        prompt={"chain_of_thought": True, "student_learns": "reasoning"},
    )
    assert after_scan(keeping, {"train": scan(4)}) is None
    error = after_scan(keeping, {"train": scan(3)})
    assert error is not None
    assert "3 usable rows, but at least 4 are required" in error["details"][0]["problem"]
    counters = Counters(rows=4, done=4, accepted=4, examples=10)
    assert after_generation(keeping, {"train": counters}, {"train": 4}) is None
    counters.examples = 9
    error = after_generation(keeping, {"train": counters}, {"train": 4})
    assert error is not None
    assert error["details"][0]["problem"] == (
        "9 examples of 4 rows, but at least 10 are required (by the fine-tuning service)"
    )


def test_rows_dropped_by_the_teacher_are_checked_against_the_minimum_again() -> None:
    counters = Counters(rows=80, done=80, accepted=60, rejected={"truncated": 20})
    error = after_generation(spec(), {"train": counters}, {"train": 80})
    assert error is not None
    assert "60 rows accepted, but at least 65" in error["details"][0]["problem"]
    assert "20 truncated" in error["details"][0]["problem"]


def test_the_success_ratio_counts_rows_that_were_asked_not_rows_that_were_bad_from_the_start() -> (
    None
):
    counters = Counters(
        rows=200,
        done=200,
        accepted=70,
        examples=70,
        rejected={"invalid_json": 100, "truncated": 30},
    )
    assert after_generation(spec(), {"train": counters}, {"train": 100}) is None
    error = after_generation(
        spec(quality={"min_success_ratio": 0.71}), {"train": counters}, {"train": 100}
    )
    assert error is not None
    assert "70 of 100" in error["details"][0]["problem"]


def test_a_split_is_given_up_as_soon_as_the_success_ratio_is_out_of_reach() -> None:
    strict = spec(quality={"min_success_ratio": 0.9})
    bad_from_the_start = {"invalid_json": 50}
    at_the_limit = Counters(
        rows=150,
        done=70,
        accepted=10,
        rejected={**bad_from_the_start, "truncated": 10},
        failed={0: 10},
    )
    assert during_generation(strict, {"train": at_the_limit}, {"train": 100}, round_=0) is None
    over = at_the_limit.model_copy(
        update={"rejected": {**bad_from_the_start, "truncated": 11}, "failed": {0: 11}}
    )
    error = during_generation(strict, {"train": over}, {"train": 100}, round_=0)
    assert error is not None
    assert (error["code"], error["details"][0]["where"]) == ("success_ratio", "train")
    assert "11 train rows failed" in error["details"][0]["problem"]
    assert "11 truncated" in error["details"][0]["problem"]
    assert during_generation(strict, {"train": over}, {"train": 100}, round_=1) is None


def test_counts_that_do_not_add_up_are_an_error() -> None:
    counters = Counters(rows=80, done=79, accepted=79)
    error = after_generation(spec(), {"train": counters}, {"train": 80})
    assert error is not None
    assert "don't add up" in error["details"][0]["problem"]


def test_a_test_set_without_a_usable_row_is_an_error_before_anything_is_paid() -> None:
    error = after_scan(spec(test="datasets/nli/x/test.jsonl"), {"train": scan(65), "test": scan(0)})
    assert error is not None
    [problem] = error["details"]
    assert problem["where"] == "datasets/nli/x/test.jsonl"
    assert "start the run without a test set" in problem["problem"]


def test_a_validation_set_that_lost_every_row_is_an_error() -> None:
    by_split: dict[Split, Counters] = {
        "train": Counters(rows=70, done=70, accepted=70),
        "validation": Counters(rows=2, done=2, rejected={"empty": 2}),
    }
    error = after_generation(
        spec(quality={"min_success_ratio": 0.0}), by_split, {"train": 70, "validation": 2}
    )
    assert error is not None
    assert error["details"][0]["where"] == "validation"


def test_rows_that_are_not_needed_do_not_count_against_the_success_ratio() -> None:
    target = spec(quality={"target_rows": 70, "min_success_ratio": 0.7})
    counters = Counters(
        rows=1000,
        done=100,
        accepted=70,
        examples=70,
        rejected={"no_label": 30},
        failed={0: 30},
        not_needed=900,
    )
    assert after_generation(target, {"train": counters}, {"train": 1000}) is None
    counters.rejected, counters.failed = {"no_label": 31}, {0: 20, 1: 11}
    counters.done, counters.not_needed = 101, 899
    error = after_generation(target, {"train": counters}, {"train": 1000})
    assert error is not None
    assert "70 of 101 rows accepted" in error["details"][0]["problem"]


@pytest.mark.parametrize(
    ("target", "ratio", "fraction", "most"),
    [
        (100, 0.5, 0.0, 200),
        (100, 0.3, 0.0, 333),
        (900, 0.5, 0.0, 1000),
        (100, 0.0, 0.0, 1000),
        # five standard deviations of 5.6 above the 125 rows that are expected
        (100, 1.0, 0.2, 153),
    ],
)
def test_more_rows_than_the_success_ratio_allows_are_never_asked(
    target: int, ratio: float, fraction: float, most: int
) -> None:
    quality = {"target_rows": target, "min_success_ratio": ratio}
    limited = spec(quality=quality, holdout={"fraction": fraction})
    assert most_decided(limited, "train", 1000) == most
    assert most_decided(limited, "validation", 1000) == 1000


@pytest.mark.parametrize(("target", "ratio"), [(100, 0.5), (100, 0.3), (70, 0.7), (3, 0.9)])
def test_as_many_rows_may_fail_as_leave_a_reached_target_above_the_ratio(
    target: int, ratio: float
) -> None:
    limited = spec(student=None, quality={"target_rows": target, "min_success_ratio": ratio})
    failed = max_rejected(limited, most_decided(limited, "train", 1000))
    assert target / (target + failed) >= ratio - 1e-9
    assert target / (target + failed + 1) < ratio


def test_failures_that_may_not_count_end_no_run_with_a_target() -> None:
    counters: dict[Split, Counters] = {"train": Counters(rows=100, done=50, failed={0: 50})}
    limited = spec(quality={"target_rows": 70})
    assert during_generation(limited, counters, {"train": 100}, round_=0) is None


@pytest.mark.parametrize(
    ("target", "acceptance", "requests"),
    [(None, 1.0, 1100), (250, 1.0, 350), (250, 0.5, 600), (600, 0.5, 1100), (2000, 1.0, 1100)],
)
def test_no_more_rows_are_expected_to_be_asked_than_the_target_takes(
    target: int | None, acceptance: float, requests: int
) -> None:
    scans: dict[Split, ScanCounts] = {
        "train": ScanCounts(valid=1000, estimate=Usage(requests=1000)),
        "validation": ScanCounts(valid=100, estimate=Usage(requests=100)),
    }
    limited = spec(quality={"target_rows": target})
    assert expected_usage(scans, limited, acceptance).requests == requests


@pytest.mark.parametrize(
    ("target", "expected", "most"),
    # of 1,000 rows, 400 are reused, and four fifths of the others have to be accepted
    [(None, 600, 600), (300, 0, 375), (500, 100, 600), (1000, 600, 600)],
)
def test_reused_answers_count_towards_the_target_before_a_row_is_asked(
    target: int | None, expected: int, most: int
) -> None:
    scan = ScanCounts(valid=1000, reused=400, estimate=Usage(requests=600))
    limited = spec(quality={"target_rows": target, "min_success_ratio": 0.8})
    assert expected_usage({"train": scan}, limited).requests == expected
    assert most_usage({"train": scan}, limited).requests == most


@pytest.mark.parametrize(
    ("asked", "ratio", "minimum"),
    [(10, 0.7, 7), (10, 0.0, 0), (10, 1.0, 10), (3, 0.5, 2), (0, 0.9, 0)],
)
def test_the_minimum_is_rounded_up(asked: int, ratio: float, minimum: int) -> None:
    assert minimum_accepted(spec(quality={"min_success_ratio": ratio}), asked) == minimum
