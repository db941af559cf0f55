"""What became of the first rows: how many are usable, why the others aren't, and what they took.

A run asks its first training rows before all others, and stops if they are no use: a wrong prompt
or setting then costs the requests of 20 rows. A dry run can do the same without a run.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from shared.core.paths import RunPaths, Split
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.generation.blocks import holdout, read_lines
from shared.generation.cache_key import CacheKeys
from shared.generation.journal import Journal
from shared.generation.record import Record
from shared.scan.plan import PlanReader
from shared.scan.row_checks import RowChecks
from shared.spec.budget import Usage, row_estimate
from shared.spec.models import RunSpec

if TYPE_CHECKING:
    from shared.core.storage import Storage

FIRST_WAVE_SPLIT: Split = "train"
MAX_REPLIES_SHOWN = 3
MAX_SHOWN_CHARACTERS = 600


class ShownReply(BaseModel):
    """A row with the teacher's last reply to it, without the app's secrets."""

    line: int
    id: str | None = None
    usable: bool
    reason: str | None = None
    detail: str | None = None
    reply: str | None = Field(default=None, description="as it came, cut after 600 characters")


class FirstRows(BaseModel):
    """The outcome of the first rows. Rows that the scan rejected don't count."""

    usable: int = 0
    unusable: int = 0
    reasons: dict[str, int] = Field(default_factory=dict[str, int])
    replies: list[ShownReply] = Field(default_factory=list[ShownReply])

    # rows that an earlier round accepted, and those of them that this round asked again
    accepted_before: int = 0
    asked_again: int = 0

    # of the rows that were asked: what they took, and what the scan expects of the same rows
    taken: Usage = Field(default_factory=Usage)
    estimated: Usage = Field(default_factory=Usage)

    @property
    def rows(self) -> int:
        return self.usable + self.unusable

    @property
    def has_no_tokens(self) -> bool:
        """Whether the teacher answered and reported no tokens: the rows say nothing of them."""
        return bool(self.usable and self.taken.requests and not self.taken.prompt_tokens)

    @property
    def acceptance(self) -> float:
        """Return the share of rows that are usable, 1 if there are none."""
        return self.usable / self.rows if self.rows else 1.0

    @property
    def share_asked_again(self) -> float:
        """Return the share of earlier rounds' accepted rows that settings of now ask again."""
        return self.asked_again / self.accepted_before if self.accepted_before else 0.0

    def scaled(self, estimate: Usage) -> Usage:
        """Return an estimate corrected by what the rows took. It stays if none was asked."""
        if not self.taken.requests:
            return estimate.model_copy()
        requests = _scaled(estimate.requests, self.taken.requests, self.estimated.requests)
        if self.has_no_tokens:
            return estimate.model_copy(update={"requests": requests})
        return Usage(
            requests=requests,
            prompt_tokens=_scaled(
                estimate.prompt_tokens, self.taken.prompt_tokens, self.estimated.prompt_tokens
            ),
            completion_tokens=_scaled(
                estimate.completion_tokens,
                self.taken.completion_tokens,
                self.estimated.completion_tokens,
            ),
        )


def _scaled(amount: int, taken: int, estimated: int) -> int:
    return round(amount * taken / max(1, estimated))


def first_rows(
    answered: Sequence[tuple[Row | None, Record]],
    spec: RunSpec,
    round_: int = 0,
    accepted_before: Collection[int] = (),
) -> FirstRows:
    """Return the outcome of rows and their records. A row that isn't at hand is None.

    `accepted_before`: lines that an earlier round accepted.

    What an earlier round took for the same question counts too: a resumed round asks only the rows
    again that are the hardest to get an answer to.
    """
    keys = CacheKeys(spec)
    outcome = FirstRows()
    failed: list[Record] = []
    usable: list[Record] = []
    for row, record in answered:
        if record.status == "accepted":
            usable.append(record)
        elif _is_unusable(record) and record.reason is not None:
            failed.append(record)
            outcome.reasons[record.reason] = outcome.reasons.get(record.reason, 0) + 1
        if record.line in accepted_before:
            outcome.accepted_before += 1
            outcome.asked_again += record.round == round_ and record.requests > 0
        if row is None or not record.requests:
            continue
        if record.round == round_ or record.key == keys.of(row):
            outcome.taken.add(Usage.model_validate(record, from_attributes=True))
            outcome.estimated.add(row_estimate(row, spec))
    outcome.usable = len(usable)
    outcome.unusable = len(failed)
    shown = [*_of_each_reason(failed), *usable][:MAX_REPLIES_SHOWN]
    outcome.replies = [_shown(record) for record in shown]
    return outcome


def _is_unusable(record: Record) -> bool:
    """Return whether the teacher's replies are no use. A shard that fails says nothing of them."""
    return record.has_failed and record.reason != RejectionReason.SHARD_FAILED


def _of_each_reason(failed: Sequence[Record]) -> list[Record]:
    """Return failed rows in order, but first one of each reason."""
    reasons = [record.reason for record in failed]
    return sorted(failed, key=lambda record: failed[reasons.index(record.reason)] is not record)


def _shown(record: Record) -> ShownReply:
    is_usable = record.status == "accepted"
    reply = record.reply
    if is_usable and record.replies:
        reply = record.replies[-1].said
    elif is_usable and record.answers:
        reply = record.answers[-1]
    return ShownReply(
        line=record.line,
        id=record.id,
        usable=is_usable,
        reason=record.reason,
        detail=record.detail,
        reply=reply[:MAX_SHOWN_CHARACTERS] if reply else None,
    )


async def read_first_rows(
    storage: Storage, spec: RunSpec, paths: RunPaths, shards: int, round_: int
) -> FirstRows:
    """Return the outcome of the rows in the first shards of the training set, by their journals."""
    plan = PlanReader(storage, paths, FIRST_WAVE_SPLIT)
    checks = RowChecks(spec)
    answered: list[tuple[Row | None, Record]] = []
    accepted_before: set[int] = set()
    for index in range(shards):
        shard = await plan.shard(index)
        name = paths.journal(FIRST_WAVE_SPLIT, index)
        journal = await Journal.peek(storage, name, shard.rows, holdout(spec, FIRST_WAVE_SPLIT))
        accepted_before |= journal.accepted_before(round_)
        async for lines in read_lines(storage, paths, FIRST_WAVE_SPLIT, shard):
            for line in lines:
                record = journal.records.get(line.number)
                if record is not None:
                    row = checks.usable(line, shard)
                    answered.append((row if isinstance(row, Row) else None, record))
    return first_rows(answered, spec, round_, accepted_before)
