"""Chat datasets as JSON lines, one `{"messages": [{"role": …, "content": …}, …]}` a line that ends in an assistant's turn."""

from __future__ import annotations

import json
import sys
from pathlib import Path

Message = dict[str, str]
Row = list[Message]


def read_rows(path: Path) -> list[Row]:
    """The messages of each row. Ends the program with file and line of the first that is no chat row."""
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
    """Raises ValueError."""
    messages = row.get("messages") if isinstance(row, dict) else None
    if not isinstance(messages, list) or not messages:
        raise ValueError("is no object with a list `messages`")
    for message in messages:
        if (
            not isinstance(message, dict)
            or not isinstance(message.get("content"), str)
            or "role" not in message
        ):
            raise ValueError("has a message without role, or whose content is no text")
    if messages[-1]["role"] != "assistant":
        raise ValueError("does not end in an assistant's turn: there is nothing to learn from it")
    return [{"role": message["role"], "content": message["content"]} for message in messages]
