"""How many of the teacher's answers agree with the references that rows have.

The interval is Wilson's score interval, which also holds for few rows and for shares near 0 and 1.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, Field

from shared.core.counters import Counters
from shared.core.paths import Split
from shared.evaluation.intervals import share_interval

# If even the upper end of the interval is lower, the run has a warning.
LOW_AGREEMENT = 0.8


class Share(BaseModel):
    """Rows whose answer was compared with a reference, and the share of those that agree."""

    rows: int = Field(description="with an answer and a readable reference")
    agreeing: int = Field(description="rows whose answer agrees with the reference")
    share: float = Field(description="agreeing ÷ rows")
    low: float = Field(description="lower end of the share's 95 % interval (Wilson)")
    high: float = Field(description="upper end of that interval")


class Agreement(Share):
    """The agreement of one split."""

    unreadable: int = Field(default=0, description="rows whose reference can't be read")
    labels: dict[str, Share] = Field(
        default_factory=dict[str, Share],
        description="by the label or choice that the reference is: the most frequent",
    )

    def without_labels(self) -> Agreement:
        """Return the agreement for the status, which is small."""
        return self.model_copy(update={"labels": {}})


def share_of(agreeing: int, rows: int) -> Share:
    """Return a share with its interval; of no rows, the interval is everything."""
    if not rows:
        return Share(rows=0, agreeing=0, share=0, low=0, high=1)
    interval = share_interval(agreeing, rows)
    return Share(
        rows=rows,
        agreeing=agreeing,
        share=round(agreeing / rows, 4),
        low=round(interval.low, 4),
        high=round(interval.high, 4),
    )


def agreement_of(counters: Counters) -> Agreement | None:
    """Return the agreement of a split, None if it has no reference."""
    if not counters.with_reference and not counters.unreadable_references:
        return None
    labels: dict[str, Share] = {}
    for label, counts in counters.labels.items():
        labels[label] = share_of(counts.matching, counts.rows)
    overall = share_of(counters.matching, counters.with_reference)
    return Agreement(
        **overall.model_dump(), unreadable=counters.unreadable_references, labels=labels
    )


def agreement_by_split(by_split: Mapping[Split, Counters]) -> dict[str, Agreement]:
    """Return the agreement of each split that has references."""
    by_name: dict[str, Agreement] = {}
    for split, counters in by_split.items():
        agreement = agreement_of(counters)
        if agreement:
            by_name[split] = agreement
    return by_name


def agreement_warnings(by_split: Mapping[Split, Counters]) -> list[str]:
    """Return a warning for each split with low agreement or with unreadable references."""
    warnings: list[str] = []
    for split, agreement in agreement_by_split(by_split).items():
        if agreement.rows and agreement.high < LOW_AGREEMENT:
            warnings.append(
                f"{agreement.agreeing:,} of {agreement.rows:,} answers of {split} agree with the "
                f"references ({agreement.share:.1%}, 95 % interval {agreement.low:.1%} to "
                f"{agreement.high:.1%}): check both, or keep only answers that agree with "
                "quality.select: reference"
            )
        if agreement.unreadable:
            warnings.append(
                f"the references of {agreement.unreadable:,} {split} rows can't be read, so their "
                "answers aren't compared: write references as the answer alone"
            )
    return warnings
