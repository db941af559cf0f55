"""The smallest requests: what they show of a deployment is no fault of a row."""

from __future__ import annotations

from shared.dataset.rows import Message
from shared.tasks.base import object_schema

IN_WORDS: list[Message] = [{"role": "user", "content": "Reply with the word: ready"}]
IN_JSON: list[Message] = [{"role": "user", "content": 'Reply with the JSON: {"answer": "ready"}'}]
SCHEMA = object_schema(answer={"type": "string"})
