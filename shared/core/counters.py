"""Counters of a shard, a split or a run. They only add up, so progress, gates and report agree.

A shard's counters are stored as metadata of its journal: one listing of a run's journals gives the
run's progress without a task hub.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TypeVar

from pydantic import BaseModel, Field

METADATA = "counters"
SEALED = "sealed"

KeyT = TypeVar("KeyT", str, int)


class Counters(BaseModel):
    """Rows, tokens and requests. `done` = `accepted` + the sum of `rejected`."""

    rows: int = 0
    done: int = 0
    accepted: int = 0

    # of the accepted rows: those set aside for validation, those answered by an earlier run
    held_out: int = 0
    reused: int = 0

    # rejected rows by reason; those rejected by the teacher by the round that asked for them
    rejected: dict[str, int] = Field(default_factory=dict[str, int])
    failed: dict[int, int] = Field(default_factory=dict[int, int])

    # as the teacher reported them
    prompt_tokens: int = 0
    completion_tokens: int = 0
    requests: int = 0

    # of accepted rows with several answers: the answers, and those that agree with the chosen one
    samples: int = 0
    agreeing: int = 0

    shards: int = 0
    shards_done: int = 0

    @property
    def rejected_rows(self) -> int:
        """Return the number of rejected rows."""
        return sum(self.rejected.values())

    @property
    def adds_up(self) -> bool:
        """Return whether every row was either accepted or rejected (the conservation law)."""
        return self.rows == self.done == self.accepted + self.rejected_rows

    @property
    def not_held_out(self) -> int:
        """Return the number of accepted rows that stay in the dataset of their split."""
        return self.accepted - self.held_out

    def to_metadata(self, *, sealed: bool) -> dict[str, str]:
        """Return the metadata of a journal; `sealed` marks it as complete."""
        counters = self.model_dump_json(exclude_defaults=True)
        return {METADATA: counters, SEALED: str(sealed).lower()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Counters:
        """Return the counters of one shard from its journal's metadata."""
        counters = cls.model_validate(json.loads(metadata.get(METADATA, "{}")))
        shards_done = int(is_sealed(metadata))
        return counters.model_copy(update={"shards": 1, "shards_done": shards_done})


# the fields that are plain numbers
NUMBERS = [name for name in Counters.model_fields if name not in ("rejected", "failed")]


def is_sealed(metadata: Mapping[str, str]) -> bool:
    """Return whether the journal with this metadata is complete and its blocks are staged."""
    return metadata.get(SEALED) == "true"


def total(parts: Iterable[Counters]) -> Counters:
    """Return the sum of several counters."""
    result = Counters()
    for counters in parts:
        for name in NUMBERS:
            setattr(result, name, getattr(result, name) + getattr(counters, name))
        _add(result.rejected, counters.rejected)
        _add(result.failed, counters.failed)
    result.rejected = dict(sorted(result.rejected.items()))
    return result


def _add(counts: dict[KeyT, int], more: Mapping[KeyT, int]) -> None:
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + count
