"""The report's table of rejection reasons, each with a suggested fix and what it would cost."""

from __future__ import annotations

from pydantic import BaseModel

from shared.core.counters import Counters
from shared.core.paths import Split
from shared.dataset.rejection import ASK_AGAIN, CORRECT_THE_ANSWER, RejectionReason
from shared.generation.split_target import split_target
from shared.spec.models import MAX_ANSWER_TOKENS, RunSpec
from shared.tasks import TASKS

# factors by which a fix raises a setting
RAISED = {"max_tokens": 4, "samples": 2}
# limits of shared/spec/models.py
MOST = {"max_tokens": MAX_ANSWER_TOKENS, "samples": 16}


class ReasonLine(BaseModel):
    """One line of the table.

    `remedy` is the suggested fix, and `tokens` about what a retry would use; null if a retry would
    not help.
    """

    split: str
    reason: str
    rows: int
    remedy: str
    tokens: int | None = None


def reason_lines(split: Split, counters: Counters, spec: RunSpec) -> list[ReasonLine]:
    """Return a line for each reason of a split."""
    return [
        _line(split, reason, rows, counters, spec) for reason, rows in counters.rejected.items()
    ]


def _line(split: Split, reason: str, rows: int, counters: Counters, spec: RunSpec) -> ReasonLine:
    fix = RejectionReason(reason).fix
    if spec.answers.are_provided and fix.asks_again:
        fix = CORRECT_THE_ANSWER
    if not fix.asks_again:
        return ReasonLine(split=split, reason=reason, rows=rows, remedy=fix.text)
    now = {"max_tokens": spec.teacher.max_tokens, "samples": spec.quality.samples}
    suggested = {name: min(MOST[name], now[name] * RAISED[name]) for name in now}
    if any(f"{{{name}}}" in fix.text and suggested[name] == now[name] for name in now):
        fix = ASK_AGAIN  # there is no higher value
    remedy = fix.text.format(**suggested)
    target = split_target(spec, split)
    if target is not None and counters.not_held_out >= target.rows:
        remedy += "; quality.target_rows is reached, so only a larger one asks these rows again"
        return ReasonLine(split=split, reason=reason, rows=rows, remedy=remedy)
    ceiling = spec.teacher.max_tokens_ceiling
    if "{max_tokens}" in fix.text and ceiling and ceiling < suggested["max_tokens"]:
        remedy += ", with teacher.max_tokens_ceiling at least as high"
    return ReasonLine(
        split=split,
        reason=reason,
        rows=rows,
        remedy=remedy,
        tokens=rows * _tokens_a_row(counters, spec, fix.token_factor),
    )


def _tokens_a_row(counters: Counters, spec: RunSpec, factor: int) -> int:
    """Return about how many tokens the retry of one row uses, judging by the run so far."""
    if not counters.requests:
        return 0
    answered = max(1, counters.accepted)
    usual = min(counters.completion_tokens / answered, spec.teacher.max_tokens)
    samples = spec.quality.samples if TASKS[spec.task].has_values else 1
    prompt = counters.prompt_tokens / counters.requests * samples
    return round(prompt + usual * factor)
