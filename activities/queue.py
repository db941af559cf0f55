"""take_turn and leave_queue: a run's place in the queue of runs. See shared/runs/run_queue.py."""

from __future__ import annotations

import azure.durable_functions as df

from shared.core.process import current
from shared.core.storage_account import open_storage
from shared.runs.activity import implements
from shared.runs.contracts import LEAVE_QUEUE, TAKE_TURN, Done, Turn, TurnRequest
from shared.runs.run_queue import StoredQueue

bp = df.Blueprint()


@bp.activity_trigger(input_name="request", activity=TAKE_TURN)
@bp.durable_client_input(client_name="client")
@implements(TAKE_TURN)
async def take_turn(request: TurnRequest, client: df.DurableOrchestrationClient) -> Turn:
    """Look whether it is the run's turn. A run that isn't in the queue joins it."""
    settings = current().settings
    async with open_storage(settings) as storage:
        queue = StoredQueue(storage, client, settings.max_active_runs)
        return Turn(place=await queue.take_turn(request))


@bp.activity_trigger(input_name="request", activity=LEAVE_QUEUE)
@bp.durable_client_input(client_name="client")
@implements(LEAVE_QUEUE)
async def leave_queue(request: TurnRequest, client: df.DurableOrchestrationClient) -> Done:
    """Free the run's slot, or its place if it still waits, and tell the runs whose turn it is."""
    settings = current().settings
    async with open_storage(settings) as storage:
        await StoredQueue(storage, client, settings.max_active_runs).leave(request)
    return Done()
