"""Input rows: from one line of the user's file to a checked row, or to a rejection with its reason. Never an exception."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, cast

from pydantic_core import from_json

from shared.dataset.rejection import Rejection, RejectionReason

Role = Literal["system", "user", "assistant"]
ROLES = ("system", "user", "assistant")
LINE_ENDS = re.compile("[\x7f-\x9f\u2028\u2029]")
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Message(TypedDict):
    """One chat message, as every chat-completions API takes it."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row whose shape is right. `reference` is the user's own answer: never sent to the teacher."""

    messages: tuple[Message, ...]
    id: str | None = None
    reference: str | None = None

    @property
    def system(self) -> str | None:
        """The row's own system prompt."""
        return self.messages[0]["content"] if self.messages[0]["role"] == "system" else None

    @property
    def turns(self) -> tuple[Message, ...]:
        """The messages after the system prompt."""
        return self.messages[1:] if self.messages[0]["role"] == "system" else self.messages

    def question_hash(self) -> bytes:
        """Identity of what the row asks (16 bytes), whatever its id and reference answer: finds duplicates."""
        asked = [(message["role"], message["content"].strip()) for message in self.messages]
        return hashlib.sha256(
            json.dumps(asked, ensure_ascii=False).encode("utf-8", "surrogatepass")
        ).digest()[:16]


def parse_row(content: bytes | None) -> Row | Rejection:
    """A line's bytes to a row. `content` None means that the line was longer than the limit."""
    if content is None:
        return Rejection(RejectionReason.LINE_TOO_LONG, "the line is longer than 1 MiB")
    try:
        data = decoded(content)
    except UnicodeDecodeError as error:
        return Rejection(
            RejectionReason.INVALID_UTF8, f"byte {error.start + 1} of the line is not UTF-8"
        )
    except json.JSONDecodeError as error:
        return Rejection(RejectionReason.INVALID_JSON, f"column {error.colno}: {error.msg}")
    except (ValueError, RecursionError) as error:
        return Rejection(RejectionReason.INVALID_JSON, str(error))
    if not isinstance(data, dict):
        return Rejection(
            RejectionReason.NOT_AN_OBJECT, f"the line holds {_json_type(data)}, not an object"
        )
    return _row(cast(dict[str, Any], data))


def decoded(content: bytes) -> Any:
    """JSON as `json.loads` reads it, in half the time where it is plain. Raises what that raises."""
    try:
        return from_json(content)
    except ValueError:  # strict about what `json` is not, such as halves of surrogate pairs; and its messages differ
        return json.loads(content.decode("utf-8"))


def _row(data: dict[str, Any]) -> Row | Rejection:
    row_id = data.get("id")
    if isinstance(row_id, int) and not isinstance(row_id, bool):
        row_id = str(row_id)
    if row_id is not None and not isinstance(row_id, str):
        return Rejection(
            RejectionReason.INVALID_ID, f"id is {_json_type(row_id)}, not text or a whole number"
        )
    answer = data.get("answer")
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        answer = json.dumps(answer)
    if answer is not None and not isinstance(answer, str):
        return Rejection(
            RejectionReason.INVALID_ANSWER,
            f"answer is {_json_type(answer)}, not text or a number",
            row_id,
        )
    messages = data.get("messages")
    if not isinstance(messages, list) or not messages:
        return Rejection(
            RejectionReason.MISSING_MESSAGES,
            "messages must be a list with at least one message",
            row_id,
        )
    parsed: list[Message] = []
    wrong: list[Rejection] = []
    for position, entry in enumerate(cast(list[Any], messages)):
        message = _message(entry, f"messages[{position}]")
        if isinstance(message, Rejection):
            wrong.append(message)
        else:
            parsed.append(message)
    if wrong:  # counted by the first, told with all
        return Rejection(wrong[0].reason, "; ".join(problem.detail for problem in wrong), row_id)
    return _checked_order(parsed, row_id, answer)


def _message(entry: Any, where: str) -> Message | Rejection:
    if not isinstance(entry, dict):
        return Rejection(
            RejectionReason.INVALID_MESSAGE, f"{where} is {_json_type(entry)}, not an object"
        )
    message = cast(dict[str, Any], entry)
    role = message.get("role")
    if role not in ROLES:
        return Rejection(
            RejectionReason.UNKNOWN_ROLE, f"{where}.role must be one of {', '.join(ROLES)}"
        )
    content = _text(message.get("content"))
    if content is None:
        return Rejection(
            RejectionReason.INVALID_CONTENT, f"{where}.content must be text or a list of text parts"
        )
    if not content.strip():
        return Rejection(RejectionReason.EMPTY_CONTENT, f"{where}.content is empty")
    try:
        content.encode("utf-8")
    except UnicodeEncodeError:
        return Rejection(
            RejectionReason.INVALID_CONTENT, f"{where}.content holds half of a surrogate pair"
        )
    return {"role": role, "content": content}


def _text(content: Any) -> str | None:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts: list[str] = []
    for part in cast(list[Any], content):
        fields = cast(dict[str, Any], part) if isinstance(part, dict) else {}
        text = fields.get("text")
        if fields.get("type") != "text" or not isinstance(text, str):
            return None
        texts.append(text)
    return "\n".join(texts)


def _checked_order(
    messages: list[Message], row_id: str | None, answer: str | None
) -> Row | Rejection:
    """Rows are `system? (user assistant)* user assistant?`; what a task allows of that is the task's to say."""
    turns = messages[1:] if messages[0]["role"] == "system" else messages
    if not turns:
        return Rejection(RejectionReason.WRONG_TURNS, "there is no user message", row_id)
    for position, message in enumerate(turns):
        expected = "assistant" if position % 2 else "user"
        if message["role"] != expected:
            where = f"messages[{position + len(messages) - len(turns)}]"
            return Rejection(
                RejectionReason.WRONG_TURNS,
                f"{where} is from {message['role']}, {expected} is due",
                row_id,
            )
    return Row(tuple(messages), row_id, answer)


def as_jsonl(records: Sequence[object]) -> bytes:
    """Records as JSON lines, UTF-8, the same bytes for the same records.

    Characters that some readers take for the end of a line are escaped.
    """
    return b"".join(
        [_without_line_ends(ENCODER.encode(record)).encode() + b"\n" for record in records]
    )


def _without_line_ends(text: str) -> str:
    return text if text.isascii() and "\x7f" not in text else LINE_ENDS.sub(_escaped, text)


def _escaped(character: re.Match[str]) -> str:
    return f"\\u{ord(character[0]):04x}"


def _json_type(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    names: dict[type, str] = {str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")
