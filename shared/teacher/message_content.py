"""The text of a chat message, which is a string or a list of typed parts.

A reply of reasoning models may be `[{"type": "thinking", …}, {"type": "text", "text": …}]`
(Mistral), and some servers write `output_text` for `text`, as OpenAI's Responses API does, or give
a text part no type (Bedrock). Only the text is the answer. A part of any other kind makes the reply
unusable: dropping it could change what the teacher said.

Reasoning may also stand in a field beside the content. A reasoning field of an unknown form is left
unread: the answer doesn't depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from shared.core.json_values import JsonObject

TEXT_KINDS = ("text", "output_text")
REASONING_KINDS = frozenset(
    {
        "thinking",
        "redacted_thinking",  # encrypted (Anthropic)
        "reasoning",
        "reasoning_text",
        "summary_text",
        "reasoning.text",  # OpenRouter's `reasoning_details`
        "reasoning.summary",
        "reasoning.encrypted",
    }
)
# Fields of a message.
REASONING_FIELDS = (
    "reasoning_content",  # DeepSeek, Qwen, vLLM, SGLang, llama.cpp
    "reasoning",  # OpenRouter, Groq, newer vLLM
    "reasoning_details",  # OpenRouter
    "thinking",  # Ollama
    "thinking_blocks",  # LiteLLM
)


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
        if kind in TEXT_KINDS or part.keys() == {"text"}:
            texts.append(_string(part, "text"))
        elif kind == "refusal":
            refusals.append(_string(part, "refusal"))
        elif isinstance(kind, str) and kind in REASONING_KINDS:
            reasoning.append(_reasoning(part))
        else:
            raise UnusableReply(f"the reply has a content part of unknown type {str(kind)[:60]!r}")
    return Content("".join(texts), "".join(reasoning), "".join(refusals))


def message_reasoning(message: JsonObject) -> str:
    """Return the reasoning in the first field of a message that has some that can be read."""
    for name in REASONING_FIELDS:
        try:
            content = parse_content(message.get(name))
        except UnusableReply:
            continue
        text = content.reasoning + content.text
        if text:
            return text
    return ""


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
