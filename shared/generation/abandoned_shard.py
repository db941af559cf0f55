"""A shard that fails for good, whatever the reason: its rows without an answer are rejected, and the run goes on without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.core.counters import Counters
from shared.core.paths import RunPaths, Split
from shared.dataset.lines import Line
from shared.dataset.rejection import Rejection, RejectionReason
from shared.generation.answering import MAX_DETAIL_CHARACTERS, Record, rejected
from shared.generation.blocks import Staging, holdout, lines_of
from shared.generation.journal import Journal
from shared.scan.plan import Shard
from shared.scan.row_checks import RowChecks
from shared.spec.models import RunSpec

if TYPE_CHECKING:
    from shared.core.storage import Storage


async def give_up(
    storage: Storage,
    spec: RunSpec,
    paths: RunPaths,
    split: Split,
    index: int,
    shard: Shard,
    shards: int,
    reason: str,
    round_: int,
) -> Counters:
    """Complete a shard, one of so many, without asking for anything: what was answered stays. Raises ShardContended (transient).

    Its journal and blocks are as those of any other shard, so that everything that comes after counts them, and a resumption
    asks for the rest.
    """
    journal = await Journal.open(
        storage, paths.journal(split, index), shard.rows, holdout(spec, split)
    )
    checks, detail = RowChecks(spec), reason[:MAX_DETAIL_CHARACTERS]
    async for lines in lines_of(storage, paths, split, shard):
        for line in lines:
            if line.number not in journal.records:
                journal.add(_record(checks, line, shard, detail, round_))
    await journal.flush()
    await Staging(storage, spec, paths, split, shards).stage(index, shard, journal.records, {})
    await journal.seal()
    return journal.counters()


def _record(checks: RowChecks, line: Line, shard: Shard, detail: str, round_: int) -> Record:
    row_id = None
    try:
        row = checks.usable(line, shard)
    except Exception:  # perhaps what the shard failed of, time and again
        row = None
    if isinstance(row, Rejection):
        return rejected(line.number, row)
    row_id = row.id if row else None
    return Record(
        line=line.number,
        id=row_id,
        status="rejected",
        reason=RejectionReason.SHARD_FAILED,
        detail=detail,
        round=round_,
    )
