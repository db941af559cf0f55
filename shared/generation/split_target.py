"""How many rows each shard of a split contributes to `quality.target_rows`. Pure decisions.

The target is reached by the first accepted rows of the input. A shard is therefore begun only when
the shards before it can't reach the target by themselves, whatever their rows in work turn out to
be: no row is asked that isn't needed, and the outcome doesn't depend on which row is answered
first. As a price, the last shards run one after the other.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from shared.core.counters import NOT_REACHED, Counters
from shared.core.paths import Split
from shared.spec.models import RunSpec


class SplitTarget(BaseModel):
    """The target of one split, and how far the shards that have ended have got.

    Rows that are held out for validation don't count. Every change returns a new target.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    rows_per_shard: int
    """The most rows that a shard has."""
    accepted: int = 0
    """Rows that the shards which have ended contribute."""
    keeps_failed: bool = False
    """Whether earlier rounds have accepted enough rows. Failed ones aren't asked again then."""

    def may_begin(self, unfinished: int) -> bool:
        """Return whether the next shard may begin while so many before it are unfinished.

        It may if all its rows are needed even if the earlier ones accept all of theirs, or if how
        many are needed is certain.
        """
        missing = self._missing(unfinished)
        return missing >= self.rows_per_shard or (unfinished == 0 and missing > 0)

    def needed(self, unfinished: int) -> int | None:
        """Return how many rows a shard has to contribute, None for all that it can.

        `unfinished`: shards before it that have not ended.
        """
        missing = self._missing(unfinished)
        return None if missing >= self.rows_per_shard else max(0, missing)

    def after_earlier_rounds(self, stored: Counters | None) -> SplitTarget:
        """Return the target of a resumed run. `stored`: of its journals, None if unknown."""
        has_enough = stored is not None and stored.not_held_out + stored.spare >= self.rows
        return self.model_copy(update={"keeps_failed": has_enough})

    def after_end(self, accepted: int) -> SplitTarget:
        """Return the target after a shard has ended that contributes so many rows."""
        return self.model_copy(update={"accepted": self.accepted + accepted})

    def _missing(self, unfinished: int) -> int:
        """Return how many rows are missing if the unfinished shards accept all of theirs."""
        return self.rows - self.accepted - unfinished * self.rows_per_shard


def without_outdated(spec: RunSpec, split: Split, counters: Counters) -> Counters:
    """Return the counters of a split, without shards' limits by the target of an earlier round.

    If the target of now isn't reached, all rows are needed. Those that an earlier round didn't need
    are then rows without an outcome.
    """
    target = split_target(spec, split)
    if not counters.not_needed or (target is not None and counters.not_held_out >= target.rows):
        return counters
    not_reached = counters.not_asked.get(NOT_REACHED, 0) + counters.not_needed
    update = {"not_needed": 0, "not_asked": {**counters.not_asked, NOT_REACHED: not_reached}}
    return counters.model_copy(update=update)


def split_target(spec: RunSpec, split: Split) -> SplitTarget | None:
    """Return the target of a split, None if all its rows are answered."""
    rows = spec.quality.target_rows
    if rows is None or split != "train":
        return None
    return SplitTarget(rows=rows, rows_per_shard=spec.generation.rows_per_shard)
