"""How users cancel, pause and steer a run that is under way: one mechanism for all three.

Durable's terminate and suspend don't reach sub-orchestrations or running activities. Left alone,
the teacher would go on being paid for a run that its user has ended. So the root orchestration's
status is a notice board, and everything that works for the run reads it:

1. An HTTP route raises an event to the root, or suspends it.
2. The root shows what the user wants in its custom status.
3. A running activity reads the root's status every two seconds (`RunWatch`), acts, and returns what
   it saw in its output.
4. The orchestrator that started the activity acts on that output. No orchestrator reads a status.

- Cancel: `Event.CANCEL`. The root shows `stopping: true`; a shard keeps its answers and returns
  `stopped`; `generate_split` starts no further shard.
- Pause: Durable's suspend. The root's runtime status is Suspended; a shard keeps its answers and
  returns `paused`; `generate_split` starts one shard at a time until one isn't paused.
- Concurrency: `Event.CONCURRENCY`. The root shows `parallel_shards: n`; a shard goes on and returns
  `parallel: n`; `generate_split` starts n shards at a time.

A run that fails stops its shards in the same way, and so does a split: `generate_split` shows
`stopping` in its own custom status, which its shards read too. A run that was terminated is over by
its runtime status.

Fine-tuning is followed by polls, which are minutes apart. A cancellation therefore also goes as an
event to each `finetune` orchestration, which requests it from the service at once. A poll that
reads `stopping` requests it too, for a run that was terminated.

In the other direction, `Event.JOB_CHANGED` brings changes of a fine-tuning job to the root, which
shows them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.runs.status import InstanceState

log = logging.getLogger(__name__)


class StatusReader(Protocol):
    """What this module uses of Durable's client."""

    async def get_status(self, instance_id: str) -> Any: ...


def runtime_status(status: Any) -> str:
    """Return the name in what `get_status` returns, empty if there is no such instance."""
    runtime = status.runtime_status  # an enum of the SDK
    return "" if runtime is None else str(getattr(runtime, "value", runtime))


class Notice(BaseModel):
    """What running activities read in an orchestration's custom status."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    stopping: bool = False
    parallel_shards: int | None = None


@dataclass(frozen=True)
class _Seen:
    """An orchestration's status. Nothing is known of one that could not be read."""

    runtime: str = ""
    notice: Notice = field(default_factory=Notice)

    @property
    def is_over(self) -> bool:
        """Whether the orchestration has ended, or shows that it is stopping."""
        return InstanceState.is_over(self.runtime) or self.notice.stopping


class RunWatch:
    """Reads the status of a run, and of those of its sub-orchestrations that concern the reader."""

    def __init__(
        self, client: StatusReader, run_id: str, sub_orchestrations: Sequence[str] = ()
    ) -> None:
        self._client = client
        self._run_id = run_id
        self._sub_orchestrations = sub_orchestrations
        self.is_paused = False
        """Whether the run was suspended when its status was read last."""
        self.parallel: int | None = None
        """Shards at a time, where the user has changed it."""

    async def is_stopped(self) -> bool:
        """Read the statuses. True if one of the orchestrations has ended or is stopping."""
        run = await self._read(self._run_id)
        self.is_paused = run.runtime == InstanceState.SUSPENDED
        self.parallel = run.notice.parallel_shards or self.parallel
        if run.is_over:
            return True
        for instance_id in self._sub_orchestrations:
            if (await self._read(instance_id)).is_over:
                return True
        return False

    async def must_end(self) -> bool:
        """Read the statuses. True if work for the run should end, for now or for good."""
        return await self.is_stopped() or self.is_paused

    async def _read(self, instance_id: str) -> _Seen:
        try:
            status = await self._client.get_status(instance_id)
        except Exception as error:  # an unreachable task hub must not end the work
            log.warning("the status of %s could not be read: %s", instance_id, error)
            return _Seen()
        return _Seen(runtime_status(status), _notice(status.custom_status))


def _notice(custom_status: object) -> Notice:
    if not isinstance(custom_status, Mapping):
        return Notice()
    try:
        return Notice.model_validate(cast(Mapping[str, Any], custom_status))
    except ValidationError:
        return Notice()
