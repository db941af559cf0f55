"""The prompt of a chat request: instructions, turns, and the form in which the answer is wanted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from local.emulators.teacher.chat_requests import ChatRequest

_REASONING_KEYS = re.compile(r'"reasoning"[\s\S]*"answer"')
_DENSITY_KEYS = re.compile(r'"steps"[\s\S]*"summary"')


class Form(Enum):
    """How the answer is wrapped."""

    TEXT = "text"
    REASONED = "reasoned"  # {"reasoning", "answer"}
    DENSENED = "densened"  # {"steps": [{"missing_entities", "summary"}]}
    JSON = "json"  # {"answer"}


_FORMS = {
    frozenset({"answer"}): Form.JSON,
    frozenset({"reasoning", "answer"}): Form.REASONED,
    frozenset({"steps"}): Form.DENSENED,
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """`questions` are the user messages in order; the last one is to be answered."""

    system: str
    questions: tuple[str, ...]
    has_history: bool = False  # an assistant message precedes the question
    form: Form = Form.TEXT

    @property
    def question(self) -> str:
        return self.questions[-1] if self.questions else ""


def read_prompt(request: ChatRequest) -> Prompt:
    """Return the prompt of a checked request."""
    instructions = [m.text for m in request.messages if m.role in ("system", "developer")]
    questions = tuple(m.text for m in request.messages if m.role == "user")
    return Prompt(
        system="\n\n".join(instructions),
        questions=questions,
        has_history=any(message.role == "assistant" for message in request.messages),
        form=_form(request, "\n".join((*instructions, *questions))),
    )


def _form(request: ChatRequest, instructions: str) -> Form:
    """Return the form that a schema demands or, without one, that the instructions quote."""
    form = request.response_format
    if form is not None and form.json_schema is not None:
        return _FORMS[frozenset(form.json_schema.properties)]
    if _DENSITY_KEYS.search(instructions):
        return Form.DENSENED
    if _REASONING_KEYS.search(instructions):
        return Form.REASONED
    return Form.JSON if form is not None and form.type == "json_object" else Form.TEXT
