"""generate_split: fan-out over the shards of one split through a sliding window of running activities."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from activities.names import GENERATE_SHARD
from orchestrators.context import Context
from orchestrators.window import Window
from shared.gate import SUCCESS_RATIO, out_of_reach

GENERATE_SPLIT = "generate_split"

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context", orchestration=GENERATE_SPLIT)
def generate_split(context: Context) -> Generator[Any, Any, dict[str, Any] | None]:
    """`{run_id, split, first, shards, parallel, max_rejected, failed, round}` → ok, stopped or failed with the first error.

    A shard that fails for good ends the launching of further ones. Those that run learn of it through the custom status
    and are awaited, so that nothing works on unseen.
    """
    work: dict[str, Any] = context.get_input()
    shards = _Shards(context, work)
    yield from shards.work()
    if not shards.is_complete:
        context.continue_as_new({**work, "first": shards.next_number, "failed": shards.failed})
        return None
    return shards.ending or {"status": "ok"}


class _Shards(Window):
    """The shards of one execution."""

    def __init__(self, context: Context, work: dict[str, Any]) -> None:
        super().__init__(context, self._activity, work["shards"], work["first"], work["parallel"])
        self.given = work
        self.failed: int = work.get("failed", 0)  # rows of the split, of those that the teacher was asked for in vain

    def judge(self, number: int, result: dict[str, Any]) -> dict[str, Any] | None:
        """Why the split cannot succeed any more, though this shard may have ended well."""
        if result["status"] == "unfinished":
            self.go_on(number)
            return None
        if result["status"] != "ok":
            return result
        self.failed += result.get("failed", 0)  # histories of before have none
        if self.failed <= self.given["max_rejected"]:
            return None
        message = out_of_reach(self.failed, self.given["split"])
        return {"status": "failed", "error": {"code": SUCCESS_RATIO, "message": message, "details": []}}

    def _activity(self, number: int) -> tuple[str, dict[str, Any]]:
        payload = {key: self.given[key] for key in ("run_id", "split", "max_rejected")}
        # histories of before have no round
        return GENERATE_SHARD, payload | {"round": self.given.get("round", 0), "index": number}
