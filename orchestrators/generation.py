"""generate_split: fan-out over the shards of one split through a sliding window of running activities.

At most 256 shards an execution, then continue_as_new: history stays small whatever the dataset's size.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from activities.names import GENERATE_SHARD
from orchestrators.context import Context, Task
from orchestrators.steps import RETRY, activity_error

GENERATE_SPLIT = "generate_split"
SHARDS_PER_EXECUTION = 256

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context", orchestration=GENERATE_SPLIT)
def generate_split(context: Context) -> Generator[Any, Any, dict[str, Any] | None]:
    """`{run_id, split, first, shards, parallel, max_rejected}` → ok, stopped or failed with the first error.

    A failed shard ends the launching of further ones; those that run are awaited, so that nothing works on unseen.
    """
    work: dict[str, Any] = context.get_input()
    until = min(work["first"] + SHARDS_PER_EXECUTION, work["shards"])
    waiting = list(range(work["first"], until))
    running: list[Task] = []
    ending: dict[str, Any] | None = None
    while running or (waiting and ending is None):
        while waiting and ending is None and len(running) < work["parallel"]:
            payload = {key: work[key] for key in ("run_id", "split", "max_rejected")} | {"index": waiting.pop(0)}
            running.append(context.call_activity_with_retry(GENERATE_SHARD, RETRY, payload))
        finished = yield context.task_any(running)
        running.remove(finished)
        ending = ending or _ending(finished.result)
    if ending is None and until < work["shards"]:
        context.continue_as_new({**work, "first": until})
        return None
    return ending or {"status": "ok"}


def _ending(result: Any) -> dict[str, Any] | None:
    """Why no further shard is launched, or None. The result of an activity that kept raising is its exception."""
    if isinstance(result, Exception):
        return {"status": "failed", "error": activity_error(GENERATE_SHARD, result)}
    return result if result["status"] != "ok" else None
