"""Chat datasets as JSON lines: `{"messages": [{"role": …, "content": …}, …]}`.

Each row ends with an assistant message.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

Message = dict[str, str]
Row = list[Message]


def read_rows(path: Path) -> list[Row]:
    """Return the messages of each row.

    Exits with file, line and reason at the first line that isn't a chat row.
    """
    rows: list[Row] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                rows.append(_messages(json.loads(line)))
            except ValueError as error:
                sys.exit(f"{path.name}, line {number}: {error}")
    if not rows:
        sys.exit(f"{path.name} has no rows")
    return rows


def _messages(row: object) -> Row:
    """Return the row's messages. Raises ValueError."""
    messages = row.get("messages") if isinstance(row, dict) else None
    if not isinstance(messages, list) or not messages:
        raise ValueError("is not an object with a list `messages`")
    for message in messages:
        if not _is_message(message):
            raise ValueError("has a message without a role or without text as its content")
    if messages[-1]["role"] != "assistant":
        raise ValueError("doesn't end with an assistant message, so it teaches nothing")
    return [{"role": message["role"], "content": message["content"]} for message in messages]


def _is_message(message: object) -> bool:
    if not isinstance(message, dict):
        return False
    return "role" in message and isinstance(message.get("content"), str)
