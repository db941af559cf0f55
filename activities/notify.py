"""announce_end and send_notification: who started a run needn't look whether it has ended."""

from __future__ import annotations

import os
import time

import azure.durable_functions as df

from shared.core.process import current
from shared.core.settings import app_url
from shared.runs import instances
from shared.runs.activity import implements
from shared.runs.contracts import (
    ANNOUNCE_END,
    SEND_NOTIFICATION,
    Done,
    EndOfRun,
    Notification,
    SentNotification,
)
from shared.runs.notification import end_event
from shared.runs.webhook import send

bp = df.Blueprint()


@bp.activity_trigger(input_name="end", activity=ANNOUNCE_END)
@bp.durable_client_input(client_name="client")
@implements(ANNOUNCE_END)
async def announce_end(end: EndOfRun, client: df.DurableOrchestrationClient) -> Done:
    """Start the orchestration that notifies. It outlives the run, which waits for no receiver."""
    if current().notification_target is not None:
        event = end_event(end, app_url(os.environ))
        notification = Notification(run_id=end.run_id, round=end.round, event=event)
        await instances.start_notification(client, notification)
    return Done()


@bp.activity_trigger(input_name="notification", activity=SEND_NOTIFICATION)
@bp.durable_client_input(client_name="client")
@implements(SEND_NOTIFICATION)
async def send_notification(
    notification: Notification, client: df.DurableOrchestrationClient
) -> SentNotification:
    """Send the event once, when whoever looks at the run can see that it has ended."""
    target = current().notification_target
    if target is None:
        return SentNotification(status="off")
    await instances.wait_for_end(client, notification.run_id)
    return await send(target, notification.event, int(time.time()))
