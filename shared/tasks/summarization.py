"""Summaries: a text of the length that is asked for, without the words that teachers put around it.

With chain of density, the summary is the last one of the teacher's steps.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.tasks.base import Answer, Schema, SingleTurnTask, Unreadable, object_schema
from shared.tasks.free_text import FreeTextTask
from shared.tasks.prompts import CHAIN_OF_DENSITY, word_limit
from shared.tasks.replies.json_replies import plain_key
from shared.tasks.replies.lenient_json import JsonObject, objects_in
from shared.tasks.replies.reply import Reply, whole_characters
from shared.tasks.texts.summary_dress import bare_summary
from shared.tasks.texts.text_checks import CHECK_NAMES
from shared.tasks.texts.word_counts import Length, requested_length

if TYPE_CHECKING:
    from shared.tasks.prompt_spec import PromptSpec

TOKENS_PER_WORD = 1.4
STEPS = 4  # summaries that chain of density requests
USUAL_WORDS = 60  # of a summary, if the limit allows more

SUMMARY_KEYS = ("summary", "denser_summary", "dense_summary", "final_summary")  # of a step
MAX_DEPTH = 6  # of the objects around a summary
INSTRUCTION_CHARACTERS = 300  # at the beginning and the end of a message with the text to summarize


class Summarization(FreeTextTask, SingleTurnTask):
    name = "summarization"
    min_rows = 65
    prompt_settings = frozenset({"chain_of_density", "max_summary_words"})
    text_checks = frozenset(CHECK_NAMES)
    is_summary = True

    def instructions(self, row: Row, prompt: PromptSpec) -> str | None:
        limit = _limit_of_run(prompt, _requested_length(row))
        parts = [] if limit is None else [word_limit(limit)]
        if prompt.chain_of_density:
            parts.append(CHAIN_OF_DENSITY)
        return "\n\n".join(parts) or None

    def schema(self, row: Row, prompt: PromptSpec) -> Schema | None:
        if not prompt.chain_of_density:
            return None
        entities: Schema = {"type": "array", "items": {"type": "string"}}
        step = object_schema(missing_entities=entities, summary={"type": "string"})
        return object_schema(steps={"type": "array", "items": step})

    def answer_tokens(self, row: Row, prompt: PromptSpec) -> int:
        summaries = STEPS if prompt.chain_of_density else 1
        return round(
            summaries * TOKENS_PER_WORD * min(prompt.max_summary_words or USUAL_WORDS, USUAL_WORDS)
        )

    def read(self, row: Row, prompt: PromptSpec, reply: Reply) -> Answer | Unreadable:
        if not reply.text:
            return Unreadable(RejectionReason.EMPTY, "the reply is empty")
        read = _last_summary if prompt.chain_of_density else bare_summary
        summary = read(reply.text)
        if isinstance(summary, Unreadable):
            return summary
        if not summary:
            return Unreadable(RejectionReason.EMPTY, "the reply holds no summary")
        return Answer(summary)

    def length(self, row: Row, prompt: PromptSpec) -> Length | None:
        """Return the length that the row's prompts ask for, or else the run."""
        requested = _requested_length(row)
        limit = _limit_of_run(prompt, requested)
        return requested if limit is None else replace(requested or Length(), at_most=limit)


def _requested_length(row: Row) -> Length | None:
    """Return the length that the row's own prompts ask for."""
    for text in (row.system or "", _instruction(row.turns[0]["content"])):
        length = requested_length(text)
        if length is not None:
            return length
    return None


def _limit_of_run(prompt: PromptSpec, requested: Length | None) -> int | None:
    """Return the run's word limit, None if it sets none or the row's own prompt says otherwise."""
    limit = prompt.max_summary_words
    if limit is None or requested is None:
        return limit
    has_limit = requested.at_most is not None or requested.in_characters
    return None if has_limit or requested.at_least > limit else limit


def _instruction(message: str) -> str:
    """Return what is said before and after the text to summarize: limits in that aren't the row's.

    The text follows a colon or a line break, and the end of an instruction is a line of its own.
    """
    first_line, newline, rest = message.partition("\n")
    before = first_line.partition(":")[0]
    last_line = rest.rstrip().rpartition("\n")[2] if newline else ""
    parts = [part for part in (before, last_line) if len(part) <= INSTRUCTION_CHARACTERS]
    return "\n".join(parts)


def _last_summary(text: str) -> str | Unreadable:
    """Return the last summary in the steps of a chain of density.

    An earlier one is less dense, so nothing takes the place of a last one that is missing.
    """
    objects = objects_in(text)
    summaries = [summary for part in objects for summary in _summaries(part.value, MAX_DEPTH)]
    if not summaries or not summaries[-1] or any(part.value is None for part in objects):
        detail = "the reply holds no whole JSON object with `steps`, each with a `summary`"
        return Unreadable(RejectionReason.UNREADABLE, detail)
    return bare_summary(summaries[-1])


def _summaries(value: object, depth: int) -> list[str]:
    """Return the summaries in a value, in order; an empty one for a summary that isn't a text."""
    if depth == 0:
        return []
    if isinstance(value, list):
        entries = cast(list[Any], value)
        return [summary for entry in entries for summary in _summaries(entry, depth - 1)]
    summaries: list[str] = []
    for name, inner in cast(JsonObject, value).items() if isinstance(value, dict) else ():
        if plain_key(name) in SUMMARY_KEYS:
            summaries.append(whole_characters(inner).strip() if isinstance(inner, str) else "")
        else:
            summaries += _summaries(inner, depth - 1)
    return summaries
