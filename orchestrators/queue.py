"""Queue: wait until fewer than MAX_ACTIVE_RUNS runs are at work.

A run waits after the gate, so a dataset that can't be used fails at once, and before preflight, the
first stage that is paid for. shared/runs/run_queue.py has the queue.
"""

from __future__ import annotations

from orchestrators.durable.edge import Steps
from orchestrators.durable.waiting import RunFailed, first_of
from orchestrators.root import Root
from shared.core.backoff import queue_interval
from shared.runs.contracts import LEAVE_QUEUE, TAKE_TURN, Event, TurnRequest


def wait_for_turn(root: Root) -> Steps[None]:
    """Return once it is the run's turn. Raises RunFailed, RunCancelled."""
    root.check_cancelled()
    root.is_in_queue = True
    began = root.context.current_utc_datetime
    turn_event = root.context.wait_for_external_event(Event.TURN)
    while not (yield from _is_my_turn(root)):
        root.enter("queue")
        elapsed = (root.context.current_utc_datetime - began).total_seconds()
        yield from first_of(root.context, [turn_event, *root.cancellation], queue_interval(elapsed))
        root.check_cancelled()
        if turn_event.is_completed:
            turn_event = root.context.wait_for_external_event(Event.TURN)


def leave_queue(root: Root) -> Steps[None]:
    """Let the next run begin. If that fails, the slot is found free, as this run has ended."""
    if not root.is_in_queue:
        return
    try:
        yield from root.call(LEAVE_QUEUE, _request(root))
    except RunFailed:
        return


def _is_my_turn(root: Root) -> Steps[bool]:
    turn = yield from root.call(TAKE_TURN, _request(root))
    return turn.place == 0


def _request(root: Root) -> TurnRequest:
    return TurnRequest(run_id=root.run_id, round=root.round, started=root.started)
