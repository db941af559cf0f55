"""What a scan finds out about rows that users should look at: a number, and a few examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import BaseModel, Field

MAX_SAMPLES = 3


class Findings(BaseModel):
    """Rows with one finding, and the first few of them in words."""

    rows: int = 0
    samples: list[str] = Field(
        default_factory=list[str], description="the first of them, each with its line"
    )

    def count(self, sample: str) -> None:
        """Count one row."""
        self.add(Findings(rows=1, samples=[sample]))

    def add(self, later: Findings) -> None:
        """Add the findings of the next range."""
        self.rows += later.rows
        self.samples = [*self.samples, *later.samples][:MAX_SAMPLES]


def conflicts_of(split: str, findings: Findings) -> str:
    """Return how many rows of a split repeat a question with another reference, in words."""
    rows = "row repeats" if findings.rows == 1 else "rows repeat"
    return f"{findings.rows:,} {split} {rows} an earlier question with a different reference"


def conflict_warnings(conflicts: Mapping[str, Findings]) -> list[str]:
    """Return a warning for each split in which rows repeat a question with another reference."""
    advice = "correct or remove them, because only the first row of a question is used"
    return _warnings(conflicts, conflicts_of, advice)


def near_duplicates_of(split: str, findings: Findings) -> str:
    """Return how many rows of a split nearly repeat a row of an earlier one, in words."""
    rows = "row is" if findings.rows == 1 else "rows are"
    return f"{findings.rows:,} {split} {rows} nearly the same as a row of an earlier split"


def near_duplicate_warnings(near_duplicates: Mapping[str, Findings]) -> list[str]:
    """Return a warning for each split with rows that nearly repeat a row of an earlier one."""
    advice = (
        "what is measured on them may have been learned; quality.near_duplicates: drop leaves them "
        "out"
    )
    return _warnings(near_duplicates, near_duplicates_of, advice)


def _warnings(
    by_split: Mapping[str, Findings], in_words: Callable[[str, Findings], str], advice: str
) -> list[str]:
    """Return a warning for each split that has such rows."""
    return [
        f"{in_words(split, findings)} ({'; '.join(findings.samples)}): {advice}"
        for split, findings in by_split.items()
        if findings.rows
    ]
