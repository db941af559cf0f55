"""What would mend each kind of rejected row, and what that would cost. A table, as people read it, and the sums beside it."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from shared.core.counters import Tally
from shared.generation.answering import LOST
from shared.spec.models import RunSpec
from shared.tasks import TASKS

MEND = "mend the row in the dataset and upload it again"

# reasons that the dataset gives: asking again would not help
IN_THE_DATASET = {
    "line_too_long": "shorten the line, or split the row",
    "invalid_utf8": "save the file as UTF-8",
    "invalid_json": MEND,
    "not_an_object": MEND,
    "invalid_id": MEND,
    "invalid_answer": MEND,
    "missing_messages": MEND,
    "invalid_message": MEND,
    "unknown_role": MEND,
    "invalid_content": MEND,
    "empty_content": MEND,
    "wrong_turns": MEND,
    "no_choices": MEND,
    "duplicate": "nothing: the first of them is used",
    "overlap": "nothing: it is used for training",
    "no_reference": "give the row a reference answer, or start a new run with quality.select first or majority",
    "invalid_reference": "give the row a reference answer that the task can read",
    "too_long": "shorten the row, or start a new run for a student with a longer context, with `reuse` to pay for no answer again",
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A reason that the teacher gave: the setting to change before `resume` asks for these rows again."""

    text: str
    more_tokens: int = 1  # factor of the tokens of an answer


WITH_THE_TEACHER = {
    "truncated": _Asked("raise teacher.max_tokens to {max_tokens} and resume", more_tokens=4),
    "empty": _Asked("resume to ask again, or choose another teacher.model"),
    "refused": _Asked("choose another teacher.model and resume, or leave these rows out"),
    "content_filter": _Asked(
        "have the teacher's content filter changed and resume, or leave these rows out"
    ),
    "timeout": _Asked("raise teacher.timeout_seconds and resume"),
    "deadline": _Asked("raise teacher.row_deadline_seconds, or the teacher's quota, and resume"),
    "connection": _Asked("see whether the teacher can be reached, and resume"),
    "teacher_error": _Asked("see whether the teacher is well, and resume"),
    "teacher_rejected": _Asked(
        "see what the teacher says in rejected.jsonl, change the setting it names, and resume"
    ),
    "bad_response": _Asked("see whether TEACHER_BASE_URL is a chat-completions API, and resume"),
    LOST: _Asked("see in rejected.jsonl what their shard failed of, and resume"),
    "disagrees": _Asked(
        "raise quality.samples to {samples} and resume, or look whether the references are right", 2
    ),
    "too_many_words": _Asked(
        "resume to ask again, or start a new run with a higher prompt.max_summary_words"
    ),
}
RAISED = {"max_tokens": 4, "samples": 2}  # how many times what it is now
MOST = {"max_tokens": 131_072, "samples": 16}  # by shared/spec/models.py
UNREADABLE = _Asked("resume to ask again, or choose another teacher.model")


class ReasonLine(BaseModel):
    """One line of the report's table of reasons. `tokens`: what asking again would take, about; None where it would not help."""

    split: str
    reason: str
    rows: int
    remedy: str
    tokens: int | None = None


def reason_lines(split: str, tally: Tally, spec: RunSpec) -> list[ReasonLine]:
    """A line for each reason of a split."""
    return [_line(split, reason, rows, tally, spec) for reason, rows in tally.rejected.items()]


def _line(split: str, reason: str, rows: int, tally: Tally, spec: RunSpec) -> ReasonLine:
    if reason in IN_THE_DATASET:
        return ReasonLine(split=split, reason=reason, rows=rows, remedy=IN_THE_DATASET[reason])
    asked = WITH_THE_TEACHER.get(reason, UNREADABLE)
    now = {"max_tokens": spec.teacher.max_tokens, "samples": spec.quality.samples}
    suggested = {name: min(MOST[name], now[name] * RAISED[name]) for name in now}
    if any(f"{{{name}}}" in asked.text and suggested[name] == now[name] for name in now):
        asked = UNREADABLE  # there is no higher value
    remedy = asked.text.format(**suggested)
    return ReasonLine(
        split=split,
        reason=reason,
        rows=rows,
        remedy=remedy,
        tokens=rows * _tokens_a_row(tally, spec, asked.more_tokens),
    )


def _tokens_a_row(tally: Tally, spec: RunSpec, factor: int) -> int:
    """Of asking for one row again: its prompt and an answer of the usual length, by what the run has used so far."""
    if not tally.requests:
        return 0
    answered = max(1, tally.accepted)
    usual = min(tally.completion_tokens / answered, spec.teacher.max_tokens)
    prompt = (
        tally.prompt_tokens
        / tally.requests
        * (spec.quality.samples if TASKS[spec.task].has_values else 1)
    )
    return round(prompt + usual * factor)
