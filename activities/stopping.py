"""Whether a run was stopped while an activity works for it.

Durable's terminate does not reach sub-orchestrations or running activities: without this look the teacher would go on
being paid, and the fine-tuning job go on running, for a run that its user has ended.
"""

from __future__ import annotations

import logging
from typing import Any, cast

import azure.durable_functions as df

OVER = frozenset({"Completed", "Failed", "Terminated", "Canceled"})


async def is_stopped(client: df.DurableOrchestrationClient, *instance_ids: str) -> bool:
    """True once one of these orchestrations has ended or announces that it is stopping."""
    return any([await _is_stopped(client, instance_id) for instance_id in instance_ids])


async def _is_stopped(client: df.DurableOrchestrationClient, instance_id: str) -> bool:
    try:
        status: Any = await client.get_status(instance_id)
    except Exception as error:  # the look is a courtesy: a hub that cannot be reached must not end the work
        logging.getLogger("distillation").warning("status of %s could not be read: %s", instance_id, error)
        return False
    runtime = getattr(status.runtime_status, "value", status.runtime_status)
    custom = status.custom_status
    return runtime in OVER or (isinstance(custom, dict) and bool(cast(dict[str, Any], custom).get("stopping")))
