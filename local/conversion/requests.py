"""The questions of a log that has only the replies, from the file that `--requests` names.

It is the input of a batch, or has the messages of stored chat completions: the pages that
`GET /chat/completions/{id}/messages` answers with, or an object with `id` and `messages` each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from local.conversion.source import (
    JsonObject,
    Problem,
    is_page,
    page_entries,
    rows_and_pages,
)
from local.runtime.failures import UsageError

Request = JsonObject | Problem
CALLS = ("tool_calls", "function_call")  # of a message, because of which its row is refused


def read_requests(path: Path) -> dict[str, Request]:
    """Return the request bodies of a file by id. Raises UsageError if it has none."""
    requests: dict[str, Request] = {}
    stored: dict[str, _StoredMessages] = defaultdict(_StoredMessages)
    for row in rows_and_pages(path):
        content = row.content
        if isinstance(content, Problem):
            continue  # a reply to it is rejected, because its request is missing
        if is_page(content):
            _add_page(stored, page_entries(content), has_more=bool(content.get("has_more")))
        elif "custom_id" in content and isinstance(content.get("body"), dict):
            _add(requests, str(content["custom_id"]), cast(JsonObject, content["body"]))
        elif "messages" in content and "id" in content:
            _add(requests, str(content["id"]), content)
    for completion, messages in stored.items():
        _add(requests, completion, messages.request())
    if not requests:
        raise UsageError(f"{path} holds no requests: neither a batch's input nor stored messages")
    return requests


def _add(requests: dict[str, Request], key: str, request: Request) -> None:
    if requests.setdefault(key, request) != request:
        requests[key] = Problem(f"the file of the requests has two different ones with id {key}")


@dataclass(slots=True)
class _StoredMessages:
    """The messages of one stored completion, by their number in its conversation, from 0."""

    by_number: dict[int, JsonObject] = field(default_factory=dict[int, JsonObject])
    due: set[int] = field(default_factory=set[int])  # the number after a page that isn't the last

    def request(self) -> Request:
        """Return the request with these messages, if none is missing."""
        numbers = sorted(self.by_number)
        if numbers != list(range(len(numbers))) or not self.due <= self.by_number.keys():
            return Problem("the file of the requests lacks some of its messages: get every page")
        return {"messages": [self.by_number[number] for number in numbers]}


def _add_page(
    stored: dict[str, _StoredMessages], entries: Sequence[JsonObject | Problem], *, has_more: bool
) -> None:
    """Add the messages of a page, whose ids are the completion's with a number behind it."""
    last: tuple[str, int] | None = None
    for message in entries:
        if isinstance(message, Problem) or "role" not in message:
            continue
        completion, _, digits = str(message.get("id")).rpartition("-")
        number = int(digits) if digits.isdecimal() else -1
        stored[completion].by_number[number] = _plain(message)
        last = (completion, number)
    if last and has_more:
        stored[last[0]].due.add(last[1] + 1)


def _plain(message: JsonObject) -> JsonObject:
    """Return a message as requests have it. Content of several parts is in a field of its own."""
    content = message.get("content_parts") or message.get("content")
    calls = {name: message[name] for name in CALLS if message.get(name)}
    return {"role": message["role"], "content": content, **calls}
