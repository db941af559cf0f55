"""The gates of a run: whether it goes on after the scan, during and after generation. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.core.counters import Counters, total
from shared.core.errors import ErrorCode, ErrorData, Problem
from shared.core.paths import Split
from shared.dataset.rejection import RejectionReason
from shared.generation.success_ratio import (
    decided_rows,
    max_rejected,
    minimum_accepted,
    out_of_reach,
)
from shared.runs.usage_range import usage_range
from shared.scan.plan import ScanCounts
from shared.spec.budget import Usage, over_budget, overrun_warnings
from shared.spec.models import RunSpec
from shared.spec.target_rows import asked_share


def after_scan(spec: RunSpec, scans: Mapping[Split, ScanCounts]) -> ErrorData | None:
    """Return every reason why the run cannot succeed, known before the teacher is asked.

    How long answers are isn't known yet, so a budget is too small if it doesn't do for the shortest
    ones. The first wave tells the rest.
    """
    problems: list[Problem] = []
    train_valid = scans["train"].valid
    if train_valid < spec.min_rows:
        required = f"at least {spec.min_rows} are required ({_min_rows_of(spec)})"
        problem = f"{train_valid} usable rows, but {required}"
        problems.append({"where": spec.train, "problem": problem + _why(scans["train"])})
    for split, scan in scans.items():
        if split != "train" and scan.valid == 0:
            problem = f"has no usable row: correct it, or start the run without a {split} set"
            problems.append(
                {"where": spec.inputs.get(split, split), "problem": problem + _why(scan)}
            )
    problems += _unusable_answers(spec, scans)
    if problems:
        return {
            "code": ErrorCode.DATASET,
            "message": "the dataset cannot be used",
            "details": problems,
        }
    expected = expected_usage(scans, spec)
    if not over_budget(usage_range(expected, spec)["low"], spec.budget, estimated=True):
        return None
    return {
        "code": ErrorCode.BUDGET,
        "message": "the run would exceed its budget",
        "details": over_budget(expected, spec.budget, estimated=True),
    }


def _unusable_answers(spec: RunSpec, scans: Mapping[Split, ScanCounts]) -> Iterator[Problem]:
    """Yield the splits in which too few of the provided answers can be used.

    These are read by the scan, so its counts decide on the success ratio.
    """
    if not spec.answers.are_provided:
        return
    for split, scan in scans.items():
        unusable = sum(
            count for reason, count in scan.rejected.items() if RejectionReason(reason).is_of_answer
        )
        answers = scan.valid + unusable
        if unusable > max_rejected(spec, answers):
            ratio = f"quality.min_success_ratio is {spec.quality.min_success_ratio:g}"
            problem = f"{scan.valid} of {answers} provided answers can be used, but {ratio}"
            yield {"where": split, "problem": problem + _why(scan)}


def expected_usage(
    scans: Mapping[Split, ScanCounts], spec: RunSpec, acceptance: float = 1.0
) -> Usage:
    """Return the expected usage of all splits together.

    Where `quality.target_rows` is set, `acceptance` decides how many rows are asked: the share of
    them that is expected to be accepted. Reused answers count before all others.
    """
    usage = Usage()
    for split, scan in scans.items():
        share = 1.0
        if split == "train":
            share = asked_share(spec, scan.valid - scan.reused, scan.reused, acceptance)
        usage.add(scan.estimate.scaled(share))
    return usage


def most_usage(scans: Mapping[Split, ScanCounts], spec: RunSpec) -> Usage:
    """Return the usage of all splits if no more rows are accepted than have to be.

    Reused answers may all be to rows that aren't needed.
    """
    usage = Usage()
    for split, scan in scans.items():
        share = 1.0
        if split == "train":
            ratio = spec.quality.min_success_ratio
            share = asked_share(spec, scan.valid - scan.reused, acceptance=ratio)
        usage.add(scan.estimate.scaled(share))
    return usage


def valid_rows(scans: Mapping[Split, ScanCounts]) -> dict[Split, int]:
    """Return the usable rows of each split."""
    return {split: scan.valid for split, scan in scans.items()}


def training_splits(counters: Mapping[Split, Counters]) -> list[Split]:
    """Return the splits whose datasets train the students. Held-out rows make a validation set."""
    held_out = sum(counts.held_out for counts in counters.values())
    if "validation" in counters or held_out:
        return ["train", "validation"]
    return ["train"]


def during_generation(
    spec: RunSpec, by_split: Mapping[Split, Counters], valid: Mapping[Split, int], round_: int
) -> ErrorData | None:
    """Return why generation ends early: so many rows failed that the success ratio is unreachable.

    `valid`: usable rows by split, as the scan counted them. None: continue.
    """
    problems: list[Problem] = []
    for split, counters in by_split.items():
        if split == "train" and spec.quality.target_rows:
            continue  # its shards judge, because some failures may not count in the end
        failed = counters.failed.get(round_, 0)  # those of earlier rounds are asked for again
        if failed > max_rejected(spec, valid[split]):
            problems.append(
                {"where": split, "problem": out_of_reach(failed, split) + _reasons(counters)}
            )
    if not problems:
        return None
    return {
        "code": ErrorCode.SUCCESS_RATIO,
        "message": "too many rows have no usable answer",
        "details": problems,
    }


def after_generation(
    spec: RunSpec, by_split: Mapping[Split, Counters], valid: Mapping[Split, int]
) -> ErrorData | None:
    """Return why too few rows were accepted, or None.

    `valid`: usable rows by split, as the scan counted them.
    """
    problems: list[Problem] = []
    for split, counters in by_split.items():
        if not counters.adds_up:
            problem = (
                f"{counters.rows} rows in, {counters.done} done, {counters.accepted} accepted, "
                f"{counters.rejected_rows} rejected, {counters.not_needed} not needed"
            )
            problems.append({"where": split, "problem": f"the counters don't add up: {problem}"})
        decided = decided_rows(counters, valid[split])
        if counters.accepted < minimum_accepted(spec, decided):
            accepted_rows = f"{counters.accepted} of {decided} rows accepted"
            ratio = f"{accepted_rows}, but quality.min_success_ratio is"
            problems.append(
                {
                    "where": split,
                    "problem": f"{ratio} {spec.quality.min_success_ratio:g}{_reasons(counters)}",
                }
            )
        elif counters.accepted == 0:
            problems.append({"where": split, "problem": f"no row was accepted{_reasons(counters)}"})
    too_few = _too_few(spec, by_split["train"])
    if too_few:
        problems.append({"where": "train", "problem": too_few + _reasons(by_split["train"])})
    if not problems:
        return None
    return {
        "code": ErrorCode.TOO_FEW_ACCEPTED,
        "message": "too few rows were accepted",
        "details": problems,
    }


def _too_few(spec: RunSpec, train: Counters) -> str | None:
    """Return why the training set is too small, or None."""
    rows = train.not_held_out
    if rows < spec.min_rows:
        required = f"at least {spec.min_rows} are required ({_min_rows_of(spec)})"
        return f"{rows} rows accepted, but {required}"
    examples = train.examples_not_held_out
    if examples < spec.min_examples:
        required = f"at least {spec.min_examples} are required (by the fine-tuning service)"
        return f"{examples} examples of {rows} rows, but {required}"
    return None


def target_missed(spec: RunSpec, by_split: Mapping[Split, Counters]) -> list[str]:
    """Return a warning if the dataset ended before `quality.target_rows` were accepted."""
    target = spec.quality.target_rows
    rows = by_split["train"].not_held_out
    if target is None or rows >= target:
        return []
    return [
        f"quality.target_rows is {target:,}, but the dataset ended with {rows:,} accepted rows: "
        "add rows, or lower it"
    ]


def budget_overrun(
    spec: RunSpec, by_split: Mapping[Split, Counters], preflight: Usage
) -> list[str]:
    """Return a warning for each limit that the run has exceeded. All its rows are answered."""
    usage = Usage.model_validate(total(by_split.values()), from_attributes=True)
    usage.add(preflight)
    return overrun_warnings(usage, spec.budget)


def _min_rows_of(spec: RunSpec) -> str:
    """Return what requires so many rows."""
    if spec.min_rows == spec.quality.min_rows or not spec.quality.min_rows:
        return "quality.min_rows"
    return "by the fine-tuning service"


def _why(scan: ScanCounts) -> str:
    if scan.file_form and not scan.valid:
        return f"; {scan.file_form}"
    return f"; for example {'; '.join(scan.samples)}" if scan.samples else ""


def _reasons(counters: Counters) -> str:
    listed = ", ".join(f"{count} {reason}" for reason, count in counters.rejected.items())
    return f"; rejected: {listed}" if listed else ""
