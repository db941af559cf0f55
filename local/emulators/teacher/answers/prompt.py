"""The prompt as the solvers see it: instructions, turns, and the form in which the answer is wanted."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from local.emulators.teacher.chat_requests import ChatRequest

_REASONING_KEYS = re.compile(r'"reasoning"[\s\S]*"answer"')
_DENSITY_KEYS = re.compile(r'"steps"[\s\S]*"summary"')


class Form(Enum):
    """How the answer is wrapped."""

    TEXT = "text"
    REASONED = "reasoned"  # {"reasoning", "answer"}
    DENSENED = "densened"  # {"steps": [{"missing_entities", "summary"}]}
    SCHEMA = "schema"  # any other JSON schema
    JSON = "json"  # {"answer"}


@dataclass(frozen=True, slots=True)
class Prompt:
    """`turns` are (role, text) without system messages; the last one is to be answered."""

    system: str
    turns: tuple[tuple[str, str], ...]
    form: Form
    schema: str = ""  # JSON text, for Form.SCHEMA

    @property
    def user(self) -> str:
        """The last user message; empty if there is none."""
        return next((text for role, text in reversed(self.turns) if role == "user"), "")

    @property
    def questions(self) -> tuple[str, ...]:
        """All user messages, in order."""
        return tuple(text for role, text in self.turns if role == "user")

    @property
    def has_history(self) -> bool:
        return any(role == "assistant" for role, _ in self.turns)


def read_prompt(request: ChatRequest) -> Prompt:
    """The prompt of a checked request."""
    system = "\n\n".join(
        message.text for message in request.messages if message.role in ("system", "developer")
    )
    turns = tuple(
        (message.role, message.text)
        for message in request.messages
        if message.role in ("user", "assistant")
    )
    schema = _schema(request)
    form = _form(
        request, schema, "\n".join((system, *(text for role, text in turns if role == "user")))
    )
    return Prompt(system, turns, form, json.dumps(schema) if form is Form.SCHEMA else "")


def _schema(request: ChatRequest) -> dict[str, Any]:
    form = request.response_format
    return form.json_schema.body if form is not None and form.json_schema is not None else {}


def _form(request: ChatRequest, schema: dict[str, Any], instructions: str) -> Form:
    """A schema says it best; without one the keys that the instructions quote tell."""
    properties: dict[str, Any] = schema.get("properties", {})
    if properties:
        if properties.keys() == {"reasoning", "answer"}:
            return Form.REASONED
        return Form.DENSENED if properties.keys() == {"steps"} else Form.SCHEMA
    if _DENSITY_KEYS.search(instructions):
        return Form.DENSENED
    if _REASONING_KEYS.search(instructions):
        return Form.REASONED
    wants_json = (
        request.response_format is not None and request.response_format.type == "json_object"
    )
    return Form.JSON if wants_json else Form.TEXT
