"""The text of a chat message, which is a string or a list of typed parts.

A reply of reasoning models may be `[{"type": "thinking", …}, {"type": "text", "text": …}]`
(Mistral), and some servers write `output_text` for `text`, as OpenAI's Responses API does. Only the
text is the answer. A part of any other kind makes the reply unusable: dropping it could change what
the teacher said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from shared.core.json_values import JsonObject

TEXT_KINDS = ("text", "output_text")
REASONING_KINDS = ("thinking", "reasoning")


class UnusableReply(ValueError):
    """The reply isn't a chat completion, or holds content that cannot be read as text."""


@dataclass(frozen=True, slots=True)
class Content:
    """A message's text by its meaning; each is empty where the message has none."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""


EMPTY = Content()


def parse_content(value: object) -> Content:
    """Return the content of a string, a list of parts, or null. Raises UnusableReply."""
    if value is None:
        return EMPTY
    if isinstance(value, str):
        return Content(valid_text(value))
    texts: list[str] = []
    reasoning: list[str] = []
    refusals: list[str] = []
    for part in _parts(value):
        kind = part.get("type")
        if kind in TEXT_KINDS:
            texts.append(_string(part, "text"))
        elif kind == "refusal":
            refusals.append(_string(part, "refusal"))
        elif kind in REASONING_KINDS:
            reasoning.append(_reasoning(part))
        else:
            raise UnusableReply(f"the reply has a content part of unknown type {str(kind)[:60]!r}")
    return Content("".join(texts), "".join(reasoning), "".join(refusals))


def parse_reasoning(value: object) -> str:
    """Return the text of a reasoning field: all of its text and thinking. Raises UnusableReply."""
    content = parse_content(value)
    return content.reasoning + content.text


def valid_text(text: str) -> str:
    """Return the text as a file can hold it: JSON may contain halves of surrogate pairs."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _reasoning(part: JsonObject) -> str:
    """Return the text of a part, whose own content is a string or a list of text parts."""
    for name in ("thinking", "text", "summary"):
        if part.get(name) is not None:
            return _joined_text(part[name])
    return ""


def _joined_text(value: object) -> str:
    if isinstance(value, str):
        return valid_text(value)
    return "".join([_string(part, "text") for part in _parts(value)])


def _parts(value: object) -> list[JsonObject]:
    if not isinstance(value, list):
        raise UnusableReply(f"the reply has content of type {type(value).__name__}")
    parts: list[JsonObject] = []
    for part in cast(list[object], value):
        if not isinstance(part, dict):
            raise UnusableReply("the reply has content parts that aren't objects")
        parts.append(cast(JsonObject, part))
    return parts


def _string(part: JsonObject, name: str) -> str:
    text = part.get(name)
    if not isinstance(text, str):
        raise UnusableReply(f"the reply has a content part without {name}")
    return valid_text(text)
