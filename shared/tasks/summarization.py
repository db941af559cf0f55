"""Summaries: any text within the word limit; with chain of density, the last summary of the teacher's densening steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from shared.rows import Row
from shared.tasks.base import Answer, SingleTurnTask, Unreadable
from shared.tasks.reading import is_refusal, json_objects, plain_text

if TYPE_CHECKING:
    from shared.spec import PromptSpec

CHAIN_OF_DENSITY = (
    "Make the summary denser in steps: begin with a plain summary; then, three times, find one to three entities of the "
    "text that are missing from it and write it anew at the same length with them in, dropping none of the earlier ones. "
    "Reply with one JSON object and nothing else, in this form: "
    '{"steps": [{"missing_entities": ["<entity>"], "summary": "<summary>"}]}'
)


class Summarization(SingleTurnTask):
    name = "summarization"
    min_rows = 65
    prompt_settings = frozenset({"chain_of_density", "max_summary_words"})

    def instructions(self, prompt: PromptSpec) -> str | None:
        limit = f"The summary must have at most {prompt.max_summary_words} words."
        return f"{limit}\n\n{CHAIN_OF_DENSITY}" if prompt.chain_of_density else limit

    def read(self, row: Row, prompt: PromptSpec, reply: str) -> Answer | Unreadable:
        text = plain_text(reply)
        if not text:
            return Unreadable("empty", "the reply is empty")
        if is_refusal(text):
            return Unreadable("refused", "the reply declines to answer")
        if prompt.chain_of_density:
            last = _last_summary(text)
            if not last:
                return Unreadable("unreadable", "the reply holds no JSON object with `steps`, each with a `summary`")
            text = last
        words = len(text.split())
        if words > prompt.max_summary_words:
            return Unreadable("too_many_words", f"it has {words} words, the limit is {prompt.max_summary_words}")
        return Answer(text)


def _last_summary(text: str) -> str | None:
    found: str | None = None
    for data in json_objects(text):
        steps = data.get("steps")
        for step in cast(list[Any], steps) if isinstance(steps, list) else []:
            summary = cast(dict[str, Any], step).get("summary") if isinstance(step, dict) else None
            if isinstance(summary, str) and summary.strip():
                found = summary.strip()
    return found
