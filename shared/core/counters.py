"""Counts of a shard, a split or a run. They only ever add up, so that progress, gates and report all sum the same numbers.

A shard's tally is kept as metadata of its journal: one listing of a run's journals gives its progress, without a task hub.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from pydantic import BaseModel, Field

METADATA = "tally"
SEALED = "sealed"


class Tally(BaseModel):
    """`done` = `accepted` + sum of `rejected` (rows by reason); tokens and requests as the teacher reported them."""

    rows: int = 0
    done: int = 0
    accepted: int = 0
    held_out: int = 0  # of the accepted rows, those that are set aside for validation
    reused: int = 0  # of the accepted rows, those whose answer is an earlier run's
    rejected: dict[str, int] = Field(default_factory=dict[str, int])
    prompt_tokens: int = 0
    completion_tokens: int = 0
    requests: int = 0
    failed: dict[int, int] = Field(
        default_factory=dict[int, int]
    )  # rejected after asking, by the round they were asked in
    samples: int = (
        0  # of accepted rows whose answer was chosen of several; how many of them agree with it
    )
    agreeing: int = 0
    shards: int = 0
    shards_done: int = 0

    @property
    def rejected_rows(self) -> int:
        return sum(self.rejected.values())

    @property
    def adds_up(self) -> bool:
        """The conservation law: every row was either accepted or rejected."""
        return self.rows == self.done == self.accepted + self.rejected_rows

    @property
    def in_own_dataset(self) -> int:
        """Accepted rows that stand in the split's own dataset."""
        return self.accepted - self.held_out

    def to_metadata(self, *, sealed: bool) -> dict[str, str]:
        return {METADATA: self.model_dump_json(exclude_defaults=True), SEALED: str(sealed).lower()}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> Tally:
        tally = cls.model_validate(json.loads(metadata.get(METADATA, "{}")))
        return tally.model_copy(update={"shards": 1, "shards_done": int(is_sealed(metadata))})


def is_sealed(metadata: dict[str, str]) -> bool:
    """Whether the journal that carries this metadata is complete and its blocks are staged."""
    return metadata.get(SEALED) == "true"


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of tallies."""
    result = Tally()
    for tally in tallies:
        for field in (
            "rows",
            "done",
            "accepted",
            "held_out",
            "reused",
            "prompt_tokens",
            "completion_tokens",
            "requests",
            "samples",
            "agreeing",
            "shards",
            "shards_done",
        ):
            setattr(result, field, getattr(result, field) + getattr(tally, field))
        for reason, count in tally.rejected.items():
            result.rejected[reason] = result.rejected.get(reason, 0) + count
        for round_, count in tally.failed.items():
            result.failed[round_] = result.failed.get(round_, 0) + count
    result.rejected = dict(sorted(result.rejected.items()))
    return result
