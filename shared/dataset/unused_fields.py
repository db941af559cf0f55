"""Fields of chat-completion formats that mean something elsewhere and nothing to a run.

The teacher is asked with a row's messages alone, and the student learns role and content. A field
that the user may count on is therefore named in a warning of the run. `weight: 0` says that a turn
isn't to be trained on. A run trains on every answer of the teacher, so such a row is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from shared.dataset.rejection import Rejection, RejectionReason

ROW_FIELDS = (
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "response_format",
    "weight",
)
MESSAGE_FIELDS = ("name", "tool_calls", "function_call", "audio", "weight")
ROW_NAMES = frozenset(ROW_FIELDS)
PLAIN_FIELDS = 2  # of a message: role and content
DEFAULT_WEIGHT = 1


def unused_fields(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the places of a row's fields that a run doesn't use, in the order of the tables."""
    if is_plain(row):
        return ()
    messages = _messages(row)
    of_row = [name for name in ROW_FIELDS if name in row and _is_set(row[name], name)]
    of_messages = [name for name in MESSAGE_FIELDS if _is_set_in_any(messages, name)]
    return (*of_row, *(f"messages[].{name}" for name in of_messages))


def is_plain(row: Mapping[str, Any]) -> bool:
    """Return whether a row has none of the fields, as most rows."""
    if not ROW_NAMES.isdisjoint(row):
        return False
    messages = row.get("messages")
    entries = cast(list[object], messages) if isinstance(messages, list) else []
    for message in entries:
        if not isinstance(message, dict) or len(cast(Mapping[str, Any], message)) > PLAIN_FIELDS:
            return False
    return True


def weight_problem(row: Mapping[str, Any]) -> Rejection | None:
    """Return why a row isn't to be trained on, or None."""
    if is_plain(row):
        return None
    if _is_zero(row.get("weight")):
        return _refused("weight")
    for position, message in enumerate(_messages(row)):
        if message.get("role") == "assistant" and _is_zero(message.get("weight")):
            return _refused(f"messages[{position}].weight")
    return None


def unused_field_warnings(places: Iterable[str]) -> list[str]:
    """Return the warning of a run whose rows have such fields."""
    listed = ", ".join(sorted(set(places)))
    if not listed:
        return []
    return [
        f"rows have fields that are neither sent to the teacher nor taught to the student: {listed}"
    ]


def _messages(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    messages = row.get("messages")
    if not isinstance(messages, list):
        return []
    entries = cast(list[object], messages)
    return [cast(Mapping[str, Any], entry) for entry in entries if isinstance(entry, dict)]


def _is_set_in_any(messages: Iterable[Mapping[str, Any]], name: str) -> bool:
    return any(name in message and _is_set(message[name], name) for message in messages)


def _is_set(value: object, name: str) -> bool:
    return value not in (None, "", [], {}) and not (name == "weight" and value == DEFAULT_WEIGHT)


def _is_zero(value: object) -> bool:
    return value in ("0", "0.0") or (isinstance(value, int | float) and value == 0)


def _refused(place: str) -> Rejection:
    detail = f"{place} is 0, but a run trains on every answer of the teacher"
    return Rejection(RejectionReason.ZERO_WEIGHT, detail)
