"""The webhook for Event Grid's blob events (`/runtime/webhooks/blobs`), as Azure's host has it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from aiohttp import web

from local.functions_host.errors import traceback_of

PATH = "/runtime/webhooks/blobs"
FUNCTION_PREFIX = "Host.Functions."
BLOB_CREATED = "Microsoft.Storage.BlobCreated"
SUBJECT = "/blobServices/default/containers/"
Deliver = Callable[[str], Awaitable[bool]]
log = logging.getLogger(__name__)


class EventGridWebhook:
    """Hand blob events to the functions that subscribe to them: `deliver` by function name."""

    def __init__(self, subscribers: Mapping[str, Deliver]) -> None:
        self._subscribers = subscribers

    async def handle(self, request: web.Request) -> web.Response:
        """Answer 200 with the validation code for a handshake, 202 for events.

        404 for an unknown function, 400 for a body without events, 500 if a function failed.
        """
        name = request.query.get("functionName", "").removeprefix(FUNCTION_PREFIX)
        deliver = self._subscribers.get(name)
        if deliver is None:
            return web.Response(
                status=404, text=f"no function {name!r} has a blob trigger with source EventGrid"
            )
        try:
            events = _events(await request.read())
        except ValueError as error:
            return web.Response(status=400, text=str(error))
        if request.headers.get("aeg-event-type") == "SubscriptionValidation":
            code = events[0].get("data", {}).get("validationCode", "") if events else ""
            return web.json_response({"validationResponse": code})
        paths = [path for path in map(blob_path, events) if path is not None]
        outcomes = await asyncio.gather(*map(deliver, paths), return_exceptions=True)
        for path, outcome in zip(paths, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                log.error("%s failed for %s\n%s", name, path, traceback_of(outcome))
        failed = any(isinstance(outcome, BaseException) for outcome in outcomes)
        # Event Grid delivers again after a 500
        return web.Response(status=500 if failed else 202)


def blob_path(event: Mapping[str, Any]) -> str | None:
    """Return `container/name` of the blob that an event says was created, else None."""
    subject = str(event.get("subject", ""))
    if event.get("eventType") != BLOB_CREATED or not subject.startswith(SUBJECT):
        return None
    container, marker, name = subject.removeprefix(SUBJECT).partition("/blobs/")
    return f"{container}/{name}" if marker and name else None


def _events(body: bytes) -> list[dict[str, Any]]:
    data: Any = json.loads(body)
    events = cast(list[Any], data if isinstance(data, list) else [data])
    if not all(isinstance(event, dict) for event in events):
        raise ValueError("the body must be a list of events")
    return cast(list[dict[str, Any]], events)
