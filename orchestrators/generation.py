"""generate_split: fan-out over the shards of one split through a sliding window of running activities.

At most 256 activities an execution, then continue_as_new: history stays small whatever the dataset's size.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

from activities.names import GENERATE_SHARD
from orchestrators.context import Context, Task
from orchestrators.steps import LOOK_SECONDS, activity_error, first_of
from shared.gate import SUCCESS_RATIO, out_of_reach
from shared.pacing import MAX_SHARD_ATTEMPTS, retry_interval

GENERATE_SPLIT = "generate_split"
ACTIVITIES_PER_EXECUTION = 256

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context", orchestration=GENERATE_SPLIT)
def generate_split(context: Context) -> Generator[Any, Any, dict[str, Any] | None]:
    """`{run_id, split, first, shards, parallel, max_rejected, failed, round}` → ok, stopped or failed with the first error.

    A shard that fails for good ends the launching of further ones. Those that run learn of it through the custom status
    and are awaited, so that nothing works on unseen.
    """
    work: dict[str, Any] = context.get_input()
    window = _Window(context, work, next_shard=work["first"], failed=work.get("failed", 0))
    while window.is_open:
        window.launch()
        window.take(*(yield from window.next()))
    if window.ending is None and window.next_shard < work["shards"]:
        context.continue_as_new({**work, "first": window.next_shard, "failed": window.failed})
        return None
    return window.ending or {"status": "ok"}


@dataclass
class _Window:
    """The shards of one execution: the next new one, those that run, those to be gone on with, and those tried again later."""

    context: Context
    work: dict[str, Any]
    next_shard: int
    launched: int = 0
    unfinished: list[int] = field(default_factory=list[int])
    running: list[tuple[int, Task]] = field(default_factory=list[tuple[int, Task]])
    retries: list[tuple[datetime, int]] = field(default_factory=list[tuple[datetime, int]])
    attempts: dict[int, int] = field(default_factory=dict[int, int])
    failed: int = 0  # rows of the split, of those that the teacher was asked for in vain
    ending: dict[str, Any] | None = None  # why no further shard is launched

    @property
    def is_open(self) -> bool:
        waiting = bool(self.unfinished or self.retries or self._has_new)
        return bool(self.running) or (self.ending is None and waiting)

    @property
    def _has_new(self) -> bool:
        return self.launched < ACTIVITIES_PER_EXECUTION and self.next_shard < self.work["shards"]

    def launch(self) -> None:
        """Start shards until the window is full: begun ones before new ones."""
        while self.ending is None and len(self.running) < self.work["parallel"]:
            index = self._pick()
            if index is None:
                return
            self.launched += 1
            payload = {key: self.work[key] for key in ("run_id", "split", "max_rejected")}
            payload |= {"round": self.work.get("round", 0), "index": index}  # histories of before have no round
            self.running.append((index, self.context.call_activity(GENERATE_SHARD, payload)))

    def next(self) -> Generator[Any, Any, tuple[int | None, Any]]:
        """(shard, result) of the next one that ends; (None, None) when it is time for another look."""
        finished = yield from first_of(self.context, [task for _, task in self.running], self._patience())
        for index, task in self.running:
            if task is finished:
                self.running.remove((index, task))
                return index, task.result
        return None, None

    def take(self, index: int | None, result: Any) -> None:
        """Note how a shard ended. The result of an activity that raised is its exception: it is tried again, later."""
        if index is None:
            return
        if not isinstance(result, Exception) and result["status"] == "unfinished":
            self.attempts[index] = 0  # it has got on
            self.unfinished.append(index)
            return
        if not isinstance(result, Exception):
            self._end(self._failure(result) if result["status"] == "ok" else result)
            return
        self.attempts[index] = self.attempts.get(index, 0) + 1
        if self.attempts[index] == MAX_SHARD_ATTEMPTS:
            self._end({"status": "failed", "error": activity_error(GENERATE_SHARD, result)})
            return
        pause = timedelta(seconds=retry_interval(self.attempts[index]))
        self.retries.append((self.context.current_utc_datetime + pause, index))

    def _failure(self, result: dict[str, Any]) -> dict[str, Any] | None:
        """Why the split cannot succeed any more, though this shard has ended well."""
        self.failed += result.get("failed", 0)  # histories of before have none
        if self.failed <= self.work["max_rejected"]:
            return None
        message = out_of_reach(self.failed, self.work["split"])
        return {"status": "failed", "error": {"code": SUCCESS_RATIO, "message": message, "details": []}}

    def _end(self, ending: dict[str, Any] | None) -> None:
        if ending is not None and self.ending is None:
            self.ending = ending
            self.context.set_custom_status({"stopping": True})

    def _pick(self) -> int | None:
        """The shard to start now: one whose time has come again, one whose time was up, or a new one."""
        now = self.context.current_utc_datetime
        for due, index in sorted(self.retries):
            if due <= now:
                self.retries.remove((due, index))
                return index
        if self.unfinished:
            return self.unfinished.pop(0)
        if not self._has_new:
            return None
        self.next_shard += 1
        return self.next_shard - 1

    def _patience(self) -> float:
        """Seconds until a shard is to be tried again, if it will be and there is room for it then."""
        if self.ending is not None or not self.retries or len(self.running) == self.work["parallel"]:
            return LOOK_SECONDS
        return max(0.0, (min(self.retries)[0] - self.context.current_utc_datetime).total_seconds())
