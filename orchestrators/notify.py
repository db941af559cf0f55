"""Notify: tells the receiver in NOTIFY_URL how a round of a run has ended.

It is an orchestration of its own, beside the run: a receiver that is down for days must neither
delay the end of the run nor change it.
"""

from __future__ import annotations

import azure.durable_functions as df

from orchestrators.durable.context import Context
from orchestrators.durable.edge import Steps, implements
from orchestrators.durable.waiting import RunFailed, call, first_of
from orchestrators.root import Root
from shared.core.backoff import MAX_NOTIFICATION_ATTEMPTS, notification_interval
from shared.core.ids import notification_id
from shared.runs.contracts import (
    ANNOUNCE_END,
    NOTIFY,
    SEND_NOTIFICATION,
    EndOfRun,
    Notification,
    NotificationEnd,
)
from shared.runs.notification import NOT_WANTED, NotificationStatus, not_delivered
from shared.runs.status import RunStatus

bp = df.Blueprint()


def announce_end(root: Root) -> Steps[None]:
    """Have the receiver told how the run has ended. A failure is a warning of the run."""
    if not root.notifies:
        return
    end = EndOfRun(
        run_id=root.run_id,
        round=root.round,
        status=RunStatus.model_validate(root.status.custom_status()),
        finished=root.context.current_utc_datetime,
    )
    try:
        yield from root.call(ANNOUNCE_END, end)
    except RunFailed as failure:
        root.status.warn([not_delivered(failure.error["message"], is_last=True)])
        root.publish()


@bp.orchestration_trigger(context_name="context", orchestration=NOTIFY)
@implements(NOTIFY, lambda request: notification_id(request.run_id, request.round))
def notify(context: Context, request: Notification) -> Steps[NotificationEnd]:
    """Send the event until it is taken, at growing intervals. Its id is the same each time."""
    for attempt in range(1, MAX_NOTIFICATION_ATTEMPTS + 1):
        try:
            sent = yield from call(context, SEND_NOTIFICATION, request)
        except RunFailed as failure:
            is_last = attempt == MAX_NOTIFICATION_ATTEMPTS
            _show(context, not_delivered(failure.error["message"], is_last=is_last))
            if not is_last:
                yield from first_of(context, [], notification_interval(attempt))
            continue
        _show(context, NOT_WANTED if sent.status == "gone" else None)
        return NotificationEnd(status=sent.status, attempts=attempt)
    return NotificationEnd(status="undelivered", attempts=MAX_NOTIFICATION_ATTEMPTS)


def _show(context: Context, warning: str | None) -> None:
    context.set_custom_status(NotificationStatus(warning=warning).model_dump())
