"""Summaries: any text within the word limit.

With chain of density, the summary is the last one of the teacher's steps.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.tasks.answer_marks import AFTERWORD
from shared.tasks.base import Answer, Schema, SingleTurnTask, Unreadable, object_schema
from shared.tasks.json_replies import value_of
from shared.tasks.lenient_json import objects_in
from shared.tasks.prompts import CHAIN_OF_DENSITY, word_limit
from shared.tasks.reply import Reply, whole_characters
from shared.tasks.text_checks import text_problem

if TYPE_CHECKING:
    from shared.tasks.prompt_spec import PromptSpec

TOKENS_PER_WORD = 1.4
STEPS = 4  # summaries that chain of density requests
USUAL_WORDS = 60  # of a summary, if the limit allows more

SUMMARY_KEYS = ("summary", "answer")
# "Sure! Here is a summary:", "**Summary:**"
INTRODUCTION = re.compile(
    r"[*_#\s]{0,9}(?:(?:sure|certainly|of course|okay|ok)\b[^\n:]{0,150}:"
    r"|(?:here|below)\b[^\n:.]{0,150}:|(?:summary|answer)[*_]*:)[*_]*\s*",
    re.IGNORECASE,
)
WORD_COUNT = re.compile(
    r"\s?[(\[*_]{1,3}(?:word count: ?\d{1,4}|\d{1,4} words)[)\]*_]{1,3}\Z", re.IGNORECASE
)
# The whole text in quotes or in bold, without either inside.
QUOTED = re.compile(r"(?P<open>\"|\*\*|“)(?P<text>[^\"“”*]+)(?:\"|\*\*|”)")


class Summarization(SingleTurnTask):
    name = "summarization"
    min_rows = 65
    prompt_settings = frozenset({"chain_of_density", "max_summary_words"})

    def instructions(self, prompt: PromptSpec) -> str | None:
        limit = word_limit(prompt.max_summary_words)
        return f"{limit}\n\n{CHAIN_OF_DENSITY}" if prompt.chain_of_density else limit

    def schema(self, row: Row, prompt: PromptSpec) -> Schema | None:
        if not prompt.chain_of_density:
            return None
        entities: Schema = {"type": "array", "items": {"type": "string"}}
        step = object_schema(missing_entities=entities, summary={"type": "string"})
        return object_schema(steps={"type": "array", "items": step})

    def answer_tokens(self, row: Row, prompt: PromptSpec) -> int:
        summaries = STEPS if prompt.chain_of_density else 1
        return round(summaries * TOKENS_PER_WORD * min(prompt.max_summary_words, USUAL_WORDS))

    def read(self, row: Row, prompt: PromptSpec, reply: Reply) -> Answer | Unreadable:
        problem = text_problem(reply.text)
        if problem:
            return problem
        summary = (
            _last_summary(reply.text) if prompt.chain_of_density else _summary_alone(reply.text)
        )
        if isinstance(summary, Unreadable):
            return summary
        if not summary:
            return Unreadable(RejectionReason.EMPTY, "the reply holds no summary")
        words = len(summary.split())
        if words > prompt.max_summary_words:
            detail = f"it has {words} words, the limit is {prompt.max_summary_words}"
            return Unreadable(RejectionReason.TOO_MANY_WORDS, detail)
        return Answer(summary)


def _summary_alone(text: str) -> str:
    """Return the summary without the words that teachers put around it: they would be counted."""
    value = value_of(text, SUMMARY_KEYS)
    text = value if isinstance(value, str) else text
    introduction = INTRODUCTION.match(text)
    if introduction:
        text = text[introduction.end() :]
    text = text.strip()
    body, gap, last = text.rpartition("\n\n")
    if gap and AFTERWORD.match(last):
        text = body
    text = WORD_COUNT.sub("", text).strip()
    quoted = QUOTED.fullmatch(text)
    return quoted["text"].strip() if quoted else text


def _last_summary(text: str) -> str | Unreadable:
    """Return the last summary in the steps of a chain of density."""
    summary = ""
    for part in objects_in(text):
        for step in _steps(part.value or {}):
            step_summary = step.get("summary")
            if isinstance(step_summary, str) and step_summary.strip():
                summary = whole_characters(step_summary).strip()
    if not summary:
        detail = "the reply holds no JSON object with `steps`, each with a `summary`"
        return Unreadable(RejectionReason.UNREADABLE, detail)
    return summary


def _steps(data: dict[str, Any]) -> list[dict[str, Any]]:
    steps = data.get("steps")
    if not isinstance(steps, list):
        return []
    return [cast(dict[str, Any], step) for step in cast(list[Any], steps) if isinstance(step, dict)]
