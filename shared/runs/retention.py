"""RETENTION_DAYS: runs that ended longer ago than that are deleted. A look an hour, in parts.

Each look also goes on with deletions that were interrupted. A run that can't be deleted is tried
again when its turn comes again, at the earliest an hour later.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import BaseModel

from shared.core.errors import PermanentError
from shared.core.paths import retention
from shared.core.shared_document import SharedDocument
from shared.report.model import report_of
from shared.runs import instances
from shared.runs.contracts import DISTILLATION_RUN
from shared.runs.deletion import DeletionQuery, begin_deletion, continue_deletion
from shared.runs.instances import DurableClient
from shared.runs.requests import check_hub
from shared.runs.tombstones import deletion_ids, read_deletion
from shared.runs.view import ended_at, run_view

if TYPE_CHECKING:
    from shared.core.storage import Storage

MAX_RUNS = 500
"""Runs that one look reads the status of: about half a minute."""
MAX_DELETIONS = 50
"""Deletions that one look begins."""
log = logging.getLogger(__name__)


class RetentionProgress(BaseModel):
    """Where the next look goes on: after this run id, or at the beginning."""

    after: str = ""


async def continue_deletions(storage: Storage, client: DurableClient) -> None:
    """Go on with deletions whose orchestration was never started, was lost, or has failed."""
    hub = instances.task_hub(client)
    async for run_id in deletion_ids(storage):
        try:
            record = await read_deletion(storage, run_id)
            if record is None or record.has_failed or record.is_of_another(hub):
                continue
            await continue_deletion(client, run_id)
        except Exception as error:  # one run must not keep the others
            log.warning("the deletion of run %s could not go on: %s", run_id, error)


async def delete_old_runs(storage: Storage, client: DurableClient, days: int) -> list[str]:
    """Begin to delete runs that ended more than `days` ago, and return their ids.

    Looks at MAX_RUNS runs, beginning where the last look ended.
    """
    document = SharedDocument(storage, retention(instances.task_hub(client)), RetentionProgress)
    before = datetime.now(UTC) - timedelta(days=days)
    begun: list[str] = []
    looks = 0
    after = (await document.read()).after
    reached = ""
    async for run_id in storage.run_ids("", after):
        if await _begin_if_old(storage, client, run_id, before):
            begun.append(run_id)
        looks += 1
        if looks >= MAX_RUNS or len(begun) >= MAX_DELETIONS:
            reached = run_id
            break

    async def change(progress: RetentionProgress) -> None:
        progress.after = reached

    await document.change(change)
    return begun


async def _begin_if_old(
    storage: Storage, client: DurableClient, run_id: str, before: datetime
) -> bool:
    """Begin to delete a run that ended before this moment. Return whether it was begun."""
    try:
        ended = await _ended(storage, client, run_id)
        if ended is None or ended >= before:
            return False
        await begin_deletion(storage, client, run_id, DeletionQuery())
    except Exception as error:  # one run must not keep the others; its turn comes again
        log.warning("run %s could not be deleted after its retention: %s", run_id, error)
        return False
    return True


async def _ended(storage: Storage, client: DurableClient, run_id: str) -> datetime | None:
    """Return when a run has ended, None if it hasn't, or if nobody knows.

    If its orchestration is gone, the report tells: a run that goes on, waits or is paused has none.
    Runs of another task hub are left to the app with that hub.
    """
    status = await instances.read_status(client, run_id)
    if status is not None:
        return ended_at(run_view(status, {})) if status.get("name") == DISTILLATION_RUN else None
    try:
        await check_hub(storage, run_id, instances.task_hub(client))
    except PermanentError:  # of another hub, or a folder without a request
        return None
    report = await report_of(storage, run_id)
    return report.finished if report else None
