"""run_deletion: deletes a run that has ended. Its steps: shared/runs/deletion.py."""

from __future__ import annotations

import azure.durable_functions as df

from orchestrators.durable.context import Context
from orchestrators.durable.edge import Steps, implements
from orchestrators.durable.waiting import RunFailed, call, first_of
from shared.core.errors import ErrorCode, ErrorData
from shared.core.ids import deletion_id
from shared.runs.contracts import (
    DELETE_BLOBS,
    DELETE_RUN,
    DELETE_SERVICE_FILES,
    END_PARTS,
    FINISH_DELETION,
    NOTE_FAILED_DELETION,
    DeletionOutcome,
    FailedDeletion,
    RunReference,
)

MAX_LOOKS = 60
"""At what still works for the run, a minute apart."""
MAX_PASSES = 100
"""Over the run's folder, of ten minutes each."""

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context", orchestration=DELETE_RUN)
@implements(DELETE_RUN, lambda request: deletion_id(request.run_id))
def run_deletion(context: Context, request: RunReference) -> Steps[DeletionOutcome]:
    """Delete a run. If that fails, the reason is kept, and the deletion can be requested again."""
    try:
        yield from _end_parts(context, request)
        yield from call(context, DELETE_SERVICE_FILES, request)
        yield from _delete_blobs(context, request)
    except RunFailed as failure:
        failed = FailedDeletion(run_id=request.run_id, error=failure.error)
        yield from call(context, NOTE_FAILED_DELETION, failed)
        return DeletionOutcome(status="failed", error=failure.error)
    return DeletionOutcome()


def _end_parts(context: Context, request: RunReference) -> Steps[None]:
    """Raises RunFailed."""
    for _ in range(MAX_LOOKS):
        ended = yield from call(context, END_PARTS, request)
        if not ended.wait_seconds:
            return
        yield from first_of(context, [], ended.wait_seconds)
    raise RunFailed(_error("something still works for the run: delete it again later"))


def _delete_blobs(context: Context, request: RunReference) -> Steps[None]:
    """Delete the run's folder, then all else. Raises RunFailed."""
    for _ in range(MAX_PASSES):
        deleted = yield from call(context, DELETE_BLOBS, request)
        if deleted.status == "ok":
            deleted = yield from call(context, FINISH_DELETION, request)
        if deleted.status == "ok":
            return
    raise RunFailed(_error("the run's folder could not be emptied"))


def _error(message: str) -> ErrorData:
    return {"code": ErrorCode.RUN_ACTIVE, "message": message, "details": []}
