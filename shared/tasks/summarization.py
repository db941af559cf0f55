"""Summaries: any text within the word limit; with chain of density, the last summary of the teacher's densening steps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.tasks.base import Answer, Schema, SingleTurnTask, Unreadable, object_schema
from shared.tasks.parsing import (
    AFTERWORD,
    is_refusal,
    json_answer,
    json_objects,
    plain_text,
    whole_characters,
)
from shared.tasks.prompts import CHAIN_OF_DENSITY, word_limit

if TYPE_CHECKING:
    from shared.tasks.prompt_spec import PromptSpec

TOKENS_PER_WORD = 1.4
STEPS = 4  # summaries that chain of density asks for
USUAL_WORDS = 60  # that a summary has where the limit allows more

SUMMARY_KEYS = ("summary", "answer")
# "Sure! Here is a summary:", "**Summary:**"
INTRODUCTION = re.compile(
    r"[*_#\s]{0,9}(?:(?:sure|certainly|of course|okay|ok)\b[^\n:]{0,150}:|(?:here|below)\b[^\n:.]{0,150}:|(?:summary|answer)[*_]*:)"
    r"[*_]*\s*",
    re.IGNORECASE,
)
WORD_COUNT = re.compile(
    r"\s?[(\[*_]{1,3}(?:word count: ?\d{1,4}|\d{1,4} words)[)\]*_]{1,3}\Z", re.IGNORECASE
)
# all of it in quotes or in bold, with none within
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

    def read(self, row: Row, prompt: PromptSpec, reply: str) -> Answer | Unreadable:
        text = plain_text(reply)
        if not text:
            return Unreadable(RejectionReason.EMPTY, "the reply is empty")
        if is_refusal(text):
            return Unreadable(RejectionReason.REFUSED, "the reply declines to answer")
        if prompt.chain_of_density:
            last = _last_summary(text)
            if not last:
                return Unreadable(
                    RejectionReason.UNREADABLE,
                    "the reply holds no JSON object with `steps`, each with a `summary`",
                )
            text = last
        else:
            text = _summary_alone(text)
        if not text:
            return Unreadable(RejectionReason.EMPTY, "the reply holds no summary")
        words = len(text.split())
        if words > prompt.max_summary_words:
            return Unreadable(
                RejectionReason.TOO_MANY_WORDS,
                f"it has {words} words, the limit is {prompt.max_summary_words}",
            )
        return Answer(text)


def _summary_alone(text: str) -> str:
    """The summary without what teachers say around it, which would count as words of it."""
    text = json_answer(text, SUMMARY_KEYS) or text
    introduction = INTRODUCTION.match(text)
    text = text[introduction.end() :] if introduction else text
    body, gap, last = text.strip().rpartition("\n\n")
    text = WORD_COUNT.sub("", body if gap and AFTERWORD.match(last) else text.strip()).strip()
    quoted = QUOTED.fullmatch(text)
    return quoted["text"].strip() if quoted else text


def _last_summary(text: str) -> str | None:
    found: str | None = None
    for data in json_objects(text):
        steps = data.get("steps")
        for step in cast(list[Any], steps) if isinstance(steps, list) else []:
            summary = cast(dict[str, Any], step).get("summary") if isinstance(step, dict) else None
            if isinstance(summary, str) and summary.strip():
                found = whole_characters(summary).strip()
    return found
