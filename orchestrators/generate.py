"""generate_split: fan-out over the shards of one split through a sliding window of running activities."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from activities.names import GENERATE_SHARD, GIVE_UP_SHARD
from orchestrators.durable.context import Context
from orchestrators.durable.sliding_window import Window
from shared.core.errors import ErrorCode, ErrorData
from shared.generation.success_ratio import out_of_reach

GENERATE_SPLIT = "generate_split"
MAX_LOST_IN_A_ROW = (
    3  # shards: what keeps one after the other from its answers does not lie in a shard
)
MAX_LOST_TOLD = 10

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context", orchestration=GENERATE_SPLIT)
def generate_split(context: Context) -> Generator[Any, Any, dict[str, Any] | None]:
    """`{run_id, split, first, shards, parallel, max_rejected, failed, round}` → ok, stopped or failed with the first error,
    and `lost`: what shards that failed for good said, by their number.

    Such a shard is given up: its rows that have no answer are rejected, and the others go on as long as the success ratio
    can be met. What ends the split ends the launching of further shards. Those that run learn of it through the custom status
    and are awaited, so that nothing works on unseen.
    """
    work: dict[str, Any] = context.get_input()
    shards = _Shards(context, work)
    yield from shards.work()
    if not shards.is_complete:
        context.continue_as_new({**work, **shards.carried()})
        return None
    return {**(shards.ending or {"status": "ok"}), **({"lost": shards.lost} if shards.lost else {})}


class _Shards(Window):
    """The shards of one execution."""

    def __init__(self, context: Context, work: dict[str, Any]) -> None:
        super().__init__(context, self._activity, work["shards"], work["first"], work["parallel"])
        self.given = work
        # inputs of before have less
        self.failed: int = work.get(
            "failed", 0
        )  # rows of the split, of those that the teacher was asked for in vain
        self.lost: dict[str, str] = dict(work.get("lost", {}))
        self.lost_in_a_row: int = work.get("lost_in_a_row", 0)
        self.errors: dict[int, ErrorData] = {
            int(number): error for number, error in work.get("errors", {}).items()
        }
        self.carry(work)

    def carried(self) -> dict[str, Any]:
        """What the next execution has to know."""
        errors = {str(number): error for number, error in self.errors.items()}
        own = {
            "failed": self.failed,
            "lost": self.lost,
            "lost_in_a_row": self.lost_in_a_row,
            "errors": errors,
        }
        return {**super().carried(), **own, "parallel": self.parallel}

    def judge(self, number: int, result: dict[str, Any]) -> dict[str, Any] | None:
        """Why the split cannot succeed any more, though this shard may have ended well."""
        if result["status"] == "paused":
            self.unfinished.append(number)
            self.pause()
            return None
        self.paused = False
        self.parallel = result.get("parallel") or self.parallel
        if result["status"] == "unfinished":
            self.go_on(number)
            return None
        if result["status"] != "ok":
            return result
        lost = self._note_end(number)
        self.failed += result.get("failed", 0)
        if self.failed <= self.given["max_rejected"]:
            return None
        message = out_of_reach(self.failed, self.given["split"])
        if lost is not None:
            return {
                "status": "failed",
                "error": {**lost, "details": [{"where": self.given["split"], "problem": message}]},
            }
        return {
            "status": "failed",
            "error": {"code": ErrorCode.SUCCESS_RATIO, "message": message, "details": []},
        }

    def lose(self, number: int, error: ErrorData) -> dict[str, Any] | None:
        """Give the shard up, unless that is what has failed, or one shard after the other is lost."""
        self.lost_in_a_row += 1
        if number in self.errors or self.lost_in_a_row == MAX_LOST_IN_A_ROW:
            return {"status": "failed", "error": self.errors.get(number, error)}
        self.errors[number] = error
        self.go_on(number)
        return None

    def _note_end(self, number: int) -> ErrorData | None:
        """Of a shard that was given up, why it was."""
        error = self.errors.pop(number, None)
        if error is None:
            self.lost_in_a_row = 0
        elif len(self.lost) < MAX_LOST_TOLD:
            self.lost[str(number)] = error["message"]
        return error

    def _activity(self, number: int) -> tuple[str, dict[str, Any]]:
        payload = {key: self.given[key] for key in ("run_id", "split", "max_rejected")}
        payload |= {"round": self.given.get("round", 0), "index": number}
        if error := self.errors.get(number):
            return GIVE_UP_SHARD, {**payload, "reason": error["message"]}
        return GENERATE_SHARD, payload
