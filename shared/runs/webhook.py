"""Sends a notification, signed as Standard Webhooks has it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from shared.core.errors import PermanentError
from shared.core.json_values import JsonObject
from shared.core.notification_settings import NOTIFY_URL, NotificationTarget
from shared.runs.contracts import SentNotification
from shared.runs.notification import GONE
from shared.teacher.transport import Connections, NoReply, NotConnected, ProxyRefused

CONTENT_TYPE = "application/cloudevents+json"
SEND_SECONDS = 10.0


def signature(key: bytes, event_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`. `timestamp` is in seconds since 1970."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


async def send(target: NotificationTarget, event: JsonObject, timestamp: int) -> SentNotification:
    """Send an event once. Raises PermanentError if it isn't taken, which names no address.

    Redirects aren't followed, and the answer's body is dropped.
    """
    body = json.dumps(event, ensure_ascii=False).encode("utf-8", "backslashreplace")
    event_id = str(event["id"])
    headers = {
        "Content-Type": CONTENT_TYPE,
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(target.key, event_id, timestamp, body),
    }
    try:
        async with Connections(target.url) as connections:
            reply = await connections.post(headers, body, SEND_SECONDS)
    except TimeoutError:
        raise PermanentError(f"{NOTIFY_URL} didn't answer within {SEND_SECONDS:.0f} s") from None
    except (NotConnected, ProxyRefused) as error:
        raise PermanentError(f"{NOTIFY_URL} can't be reached: {error}") from None
    except (NoReply, ValueError):  # their texts may quote the answer, or the address
        raise PermanentError(f"{NOTIFY_URL} gave no answer that is HTTP") from None
    if reply.is_success:
        return SentNotification()
    if reply.status == GONE:
        return SentNotification(status="gone")
    raise PermanentError(_refusal(reply.status))


def _refusal(status: int) -> str:
    if 300 <= status < 400:
        return (
            f"{NOTIFY_URL} answered {status}: redirects aren't followed, set it to the address "
            "that they lead to"
        )
    return f"{NOTIFY_URL} answered {status}"
