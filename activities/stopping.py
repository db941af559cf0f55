"""Whether a run was stopped or paused while an activity works for it, and how many shards its user wants at a time.

Durable's terminate and suspend do not reach sub-orchestrations or running activities: without this look the teacher would go
on being paid, and the fine-tuning job go on running, for a run that its user has ended.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, cast

import azure.durable_functions as df

from shared.runs.status import InstanceState


@dataclass
class Watch:
    """Looks at orchestrations: at the run itself first, then at those of its parts that matter."""

    client: df.DurableOrchestrationClient
    run_id: str
    parts: list[str] = field(default_factory=list[str])
    is_paused: bool = False  # at the last look
    parallel: int | None = None  # shards at a time, where the user has set it since the run began

    async def is_stopped(self) -> bool:
        """True once one of them has ended or announces that it is stopping."""
        runtime, custom = await self._status(self.run_id)
        self.is_paused = runtime == InstanceState.SUSPENDED
        self.parallel = custom.get("parallel_shards") or self.parallel
        if _is_over(runtime, custom):
            return True
        return any([_is_over(*await self._status(part)) for part in self.parts])

    async def must_end(self) -> bool:
        """True when work should end, for now or for good."""
        return await self.is_stopped() or self.is_paused

    async def _status(self, instance_id: str) -> tuple[str, dict[str, Any]]:
        try:
            status: Any = await self.client.get_status(instance_id)
        except (
            Exception
        ) as error:  # the look is a courtesy: a hub that cannot be reached must not end the work
            logging.getLogger("distillation").warning(
                "status of %s could not be read: %s", instance_id, error
            )
            return "", {}
        custom = status.custom_status
        runtime = getattr(status.runtime_status, "value", status.runtime_status)
        return str(runtime), cast(dict[str, Any], custom) if isinstance(custom, dict) else {}


def _is_over(runtime: str, custom: dict[str, Any]) -> bool:
    return InstanceState.is_over(runtime) or bool(custom.get("stopping"))


async def is_stopped(client: df.DurableOrchestrationClient, *instance_ids: str) -> bool:
    """True once one of these orchestrations has ended or announces that it is stopping."""
    run_id, *parts = instance_ids
    return await Watch(client, run_id, parts).is_stopped()
