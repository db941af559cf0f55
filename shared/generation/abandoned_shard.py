"""A shard that fails for good: its unanswered rows are rejected, and the run goes on."""

from __future__ import annotations

from shared.core.counters import Counters
from shared.dataset.lines import Line
from shared.dataset.rejection import Rejection, RejectionReason
from shared.generation.blocks import Staging, holdout, read_lines
from shared.generation.journal import Journal
from shared.generation.record import MAX_DETAIL_CHARACTERS, Record, rejected_record
from shared.scan.plan import Shard
from shared.scan.row_checks import RowChecks


async def complete_abandoned_shard(
    staging: Staging,
    index: int,
    shard: Shard,
    *,
    reason: str,
    round_: int,
    needed: int | None = None,
) -> Counters:
    """Complete a shard without asking the teacher: its answers stay, all other rows are rejected.

    Journal and blocks are like those of any other shard, so every later stage counts its rows, and
    a resumed run asks for the rest. Of a shard that has to contribute no more than `needed` rows,
    the later ones aren't needed. Raises ShardContended (transient).
    """
    storage = staging.storage
    spec = staging.spec
    paths = staging.paths
    split = staging.split
    name = paths.journal(split, index)
    journal = await Journal.open(storage, name, shard.rows, holdout(spec, split))
    checks = RowChecks(spec)
    detail = reason[:MAX_DETAIL_CHARACTERS]
    async for lines in read_lines(storage, paths, split, shard):
        for line in lines:
            if line.number not in journal.records:
                journal.add(_rejected(checks, line, shard, detail, round_))
    await journal.flush()
    if needed is not None:
        journal.limit(needed)
    await staging.stage(index, shard, journal.needed_records, {})
    await journal.seal()
    return journal.counters()


def _rejected(checks: RowChecks, line: Line, shard: Shard, detail: str, round_: int) -> Record:
    try:
        row = checks.usable(line, shard)
    except Exception:
        # perhaps this row is what the shard fails on, time and again
        row = None
    if isinstance(row, Rejection):
        return rejected_record(line.number, row)
    return Record(
        line=line.number,
        id=row.id if row else None,
        status="rejected",
        reason=RejectionReason.SHARD_FAILED,
        detail=detail,
        round=round_,
    )
