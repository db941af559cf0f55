"""Turns logged chat completions into rows whose last message is the reply.

The questions are in the log itself, or in another file that `--requests` names. Only a whole text
becomes a row: failed requests, cut-off replies, tool calls and several choices don't.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from local.conversion.replies import Unconvertible, failure_text, reply_text
from local.conversion.source import JsonObject, Problem
from shared.dataset.file_form import parsed_json

REQUEST_FIELDS = ("tools", "functions", "response_format")  # which a run warns of
REDACTED = "redacted-by-litellm"  # instead of every text, where LiteLLM is told not to log them
OK = 200


@dataclass(frozen=True, slots=True)
class CompletionLog:
    """Reads a log. `requests` are the bodies of another file, by id, and `used` those with a reply.

    `assume_finished`: replies without a finish reason count as whole.
    """

    requests: Mapping[str, JsonObject | Problem] = field(
        default_factory=dict[str, "JsonObject | Problem"]
    )
    assume_finished: bool = False
    used: set[str] = field(default_factory=set[str])

    def completion(self, row: JsonObject) -> JsonObject:
        """Convert a stored chat completion."""
        request = row if row.get("messages") else self._request(row, "id")
        return self._row(row.get("id"), request, row)

    def batch(self, row: JsonObject) -> JsonObject:
        """Convert a line of a batch's output, or of its input, which has no reply."""
        if "response" not in row and "error" not in row:
            body = row.get("body")
            request = cast(JsonObject, body) if isinstance(body, dict) else {}
            return {"id": row["custom_id"], **_question(request)}
        self.used.add(str(row["custom_id"]))
        if row.get("error"):
            raise Unconvertible(f"failed: {failure_text(row['error'])}")
        response = _object(row, "response")
        body = response.get("body")
        status = response.get("status_code")
        if status != OK:
            raise Unconvertible(f"failed with status {status}: {failure_text(body)}")
        return self._row(row["custom_id"], self._request(row, "custom_id"), body)

    def exchange(self, row: JsonObject) -> JsonObject:
        """Convert the bodies of a request and its response, as proxies log them."""
        return self._row(row.get("id"), _object(row, "request"), _value(row, "response"))

    def litellm(self, row: JsonObject) -> JsonObject:
        """Convert a standard logging payload of LiteLLM."""
        if row.get("status") == "failure" or row.get("error_str"):
            raise Unconvertible(f"failed: {failure_text(row.get('error_str'))}")
        request = {**row, "messages": _value(row, "messages")}
        converted = self._row(row.get("id"), request, _value(row, "response"))
        if any(message.get("content") == REDACTED for message in converted["messages"]):
            raise Unconvertible("its texts are redacted")
        return converted

    def gateway(self, row: JsonObject) -> JsonObject:
        """Convert the joined entries of a request in API Management's log."""
        replies = cast(list[Any], row["responsemessages"])
        if len(replies) != 1:
            raise Unconvertible(f"has {len(replies)} replies instead of one")
        body = {"choices": [{"message": replies[0], "finish_reason": None}]}
        request = {"messages": row["requestmessages"]}
        return self._row(row["correlationid"], request, body)

    def _request(self, row: JsonObject, name: str) -> JsonObject:
        """Return the body of a row's request in the other file."""
        if not self.requests:
            raise Unconvertible("has no question: name the file of the requests with --requests")
        key = str(row.get(name))
        request = self.requests.get(key)
        if request is None:
            raise Unconvertible(f"its {name} {key} isn't in the file of the requests")
        self.used.add(key)
        if isinstance(request, Problem):
            raise Unconvertible(request.text)
        return request

    def _row(self, identity: object, request: JsonObject, body: object) -> JsonObject:
        text = reply_text(body, assume_finished=self.assume_finished)
        row = _question(request)
        row["messages"] = [*row["messages"], {"role": "assistant", "content": text}]
        return row if identity is None else {"id": identity, **row}


def _question(request: JsonObject) -> JsonObject:
    """Return a row with the messages of a request, and the fields that a run warns of."""
    messages = request.get("messages")
    if not isinstance(messages, list):
        raise Unconvertible("its request has no messages")
    others = {name: request[name] for name in REQUEST_FIELDS if request.get(name)}
    return {"messages": cast(list[JsonObject], messages), **others}


def _value(row: JsonObject, name: str) -> object:
    """Return a field of a row. Databases and tables hold JSON as text."""
    value = row.get(name)
    return parsed_json(value) if isinstance(value, str) else value


def _object(row: JsonObject, name: str) -> JsonObject:
    value = _value(row, name)
    if not isinstance(value, dict):
        raise Unconvertible(f"{name} isn't an object")
    return cast(JsonObject, value)
