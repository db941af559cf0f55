"""What would mend each kind of rejected row, and what that would cost.

A table, as people read it, and the sums beside it.
"""

from __future__ import annotations

from pydantic import BaseModel

from shared.core.counters import Counters
from shared.dataset.rejection import ASK_AGAIN, RejectionReason
from shared.spec.models import RunSpec
from shared.tasks import TASKS

RAISED = {"max_tokens": 4, "samples": 2}  # how many times what it is now
MOST = {"max_tokens": 131_072, "samples": 16}  # by shared/spec/models.py


class ReasonLine(BaseModel):
    """One line of the report's table of reasons.

    `tokens`: what asking again would take, about; None where it would not help.
    """

    split: str
    reason: str
    rows: int
    remedy: str
    tokens: int | None = None


def reason_lines(split: str, counters: Counters, spec: RunSpec) -> list[ReasonLine]:
    """A line for each reason of a split."""
    return [
        _line(split, reason, rows, counters, spec) for reason, rows in counters.rejected.items()
    ]


def _line(split: str, reason: str, rows: int, counters: Counters, spec: RunSpec) -> ReasonLine:
    fix = RejectionReason(reason).fix
    if not fix.asks_again:
        return ReasonLine(split=split, reason=reason, rows=rows, remedy=fix.text)
    now = {"max_tokens": spec.teacher.max_tokens, "samples": spec.quality.samples}
    suggested = {name: min(MOST[name], now[name] * RAISED[name]) for name in now}
    if any(f"{{{name}}}" in fix.text and suggested[name] == now[name] for name in now):
        fix = ASK_AGAIN  # there is no higher value
    remedy = fix.text.format(**suggested)
    return ReasonLine(
        split=split,
        reason=reason,
        rows=rows,
        remedy=remedy,
        tokens=rows * _tokens_a_row(counters, spec, fix.token_factor),
    )


def _tokens_a_row(counters: Counters, spec: RunSpec, factor: int) -> int:
    """Of asking for one row again: its prompt and an answer of the usual length, by what the run
    has used so far.
    """
    if not counters.requests:
        return 0
    answered = max(1, counters.accepted)
    usual = min(counters.completion_tokens / answered, spec.teacher.max_tokens)
    prompt = (
        counters.prompt_tokens
        / counters.requests
        * (spec.quality.samples if TASKS[spec.task].has_values else 1)
    )
    return round(prompt + usual * factor)
