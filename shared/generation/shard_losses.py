"""Shards and rows that a split has lost, and when that is too many. Pure decisions.

A shard that fails for good is abandoned: its rows without an answer are rejected, and the run goes
on as long as the success ratio is in reach. When several shards in a row fail, the cause doesn't
lie in a shard, and the split ends.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from shared.core.errors import ErrorCode, ErrorData
from shared.dataset.rejection import RejectionReason
from shared.generation.success_ratio import out_of_reach

MAX_LOST_IN_A_ROW = 3
MAX_LOST_SHOWN = 10


class ShardLosses(BaseModel):
    """The losses of one split. Every change returns new losses."""

    model_config = ConfigDict(frozen=True)

    failed_rows: int = 0
    """Rows of the split that the teacher failed to answer."""
    errors: dict[int, ErrorData] = Field(default_factory=dict[int, ErrorData])
    """Shards that are being abandoned, and why."""
    in_a_row: int = 0
    """Shards that failed for good since the last one that was answered."""
    messages: dict[int, str] = Field(default_factory=dict[int, str])
    """Why shards were abandoned; the first MAX_LOST_SHOWN."""

    def fatal_error(self, shard: int, error: ErrorData) -> ErrorData | None:
        """Return why the split ends when this shard fails for good, None to abandon the shard."""
        if shard in self.errors or self.in_a_row + 1 >= MAX_LOST_IN_A_ROW:
            return self.errors.get(shard, error)
        return None

    def after_failure(self, shard: int, error: ErrorData) -> ShardLosses:
        """Return the losses after a shard has failed for good: it is to be abandoned."""
        errors = {**self.errors, shard: error}
        return self.model_copy(update={"errors": errors, "in_a_row": self.in_a_row + 1})

    def after_end(self, shard: int, failed_rows: int) -> ShardLosses:
        """Return the losses after a shard was answered or abandoned."""
        failed = self.failed_rows + failed_rows
        error = self.errors.get(shard)
        if error is None:
            return self.model_copy(update={"failed_rows": failed, "in_a_row": 0})
        messages = dict(self.messages)
        if len(messages) < MAX_LOST_SHOWN:
            messages[shard] = error["message"]
        errors = {number: other for number, other in self.errors.items() if number != shard}
        update = {"failed_rows": failed, "errors": errors, "messages": messages}
        return self.model_copy(update=update)

    def ratio_error(
        self, split: str, max_rejected: int, cause: ErrorData | None
    ) -> ErrorData | None:
        """Return why the success ratio is out of reach, None while it is in reach.

        `cause`: the error of the shard that was abandoned last, if one was.
        """
        if self.failed_rows <= max_rejected:
            return None
        message = out_of_reach(self.failed_rows, split)
        if cause is None:
            return {"code": ErrorCode.SUCCESS_RATIO, "message": message, "details": []}
        return {**cause, "details": [{"where": split, "problem": message}]}


def abandoned_shard_warnings(split: str, lost: Mapping[int, str]) -> list[str]:
    """Return a warning for each abandoned shard of a split."""
    return [
        f"shard {number} of {split} failed, its rows are rejected as "
        f"{RejectionReason.SHARD_FAILED}: {reason}"
        for number, reason in lost.items()
    ]
