"""A strict check of training files, by the rules of chat fine-tuning services, not by the app's.

One JSON object a line with `messages` alone; roles system, user, assistant; a system message only
first; user and assistant in turn, ending with the assistant; no content empty. Files are UTF-8
without a byte order mark.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

MAX_PROBLEMS = 20


def check_chat_dataset(path: Path) -> tuple[int, list[str]]:
    """Return the number of lines, and the first problems (`train.jsonl:7: …`)."""
    if not path.is_file():
        return 0, [f"{path.name} is missing"]
    lines = path.read_bytes().split(b"\n")
    problems: list[str] = []
    if lines[-1]:
        problems.append(f"{path.name}:{len(lines)}: the last line has no newline at its end")
        lines.append(b"")
    del lines[-1]
    if not lines:
        return 0, [f"{path.name} is empty"]
    for number, line in enumerate(lines, start=1):
        problem = line_problem(line)
        if problem:
            problems.append(f"{path.name}:{number}: {problem}")
    return len(lines), problems[:MAX_PROBLEMS]


def line_problem(line: bytes) -> str | None:
    """Return what is wrong with a line; None if a chat fine-tuning service would accept it."""
    try:
        row: object = json.loads(line.decode("utf-8"))
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        return f"is not JSON in UTF-8 ({error})"
    if not isinstance(row, dict):
        return "is not an object"
    keys = set(cast(dict[str, Any], row))
    if keys != {"messages"}:
        return f"has keys {sorted(keys)} instead of messages alone"
    messages = cast(dict[str, Any], row)["messages"]
    if not isinstance(messages, list):
        return "messages is not a list"
    return _messages_problem(cast(list[object], messages))


def _messages_problem(messages: list[object]) -> str | None:
    roles: list[str] = []
    for position, entry in enumerate(messages):
        if not isinstance(entry, dict) or set(cast(dict[str, Any], entry)) != {"role", "content"}:
            return f"message {position} is not an object of role and content alone"
        message = cast(dict[str, Any], entry)
        content = message["content"]
        if not isinstance(content, str) or not content.strip():
            return f"message {position} has no text"
        roles.append(str(message["role"]))
    turns = roles[1:] if roles[:1] == ["system"] else roles
    if not turns or turns != ["user", "assistant"] * (len(turns) // 2):
        rule = "user and assistant must take turns, after at most one system message"
        return f"roles are {roles}: {rule}"
    return None
