"""What a run uses of the teacher and what that costs: estimated before, counted while it goes on,
held against its budget.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import BaseModel, Field

from shared.core.errors import Problem
from shared.dataset.rows import Row
from shared.dataset.token_estimates import chat_tokens
from shared.spec.models import BudgetSpec, RunSpec
from shared.tasks import TASKS, Answer

MILLION = 1_000_000
# one token by the rule of shared/dataset/token_estimates.py: stands for what the teacher will have
# said
FILLER = "word "


class Usage(BaseModel):
    """Requests and tokens. They only ever add up."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, other: Usage) -> None:
        self.requests += other.requests
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens

    def scaled(self, factor: float) -> Usage:
        """Return so many times this usage."""
        return Usage(
            requests=round(self.requests * factor),
            prompt_tokens=round(self.prompt_tokens * factor),
            completion_tokens=round(self.completion_tokens * factor),
        )

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class Estimate(Usage):
    """What a run is expected to use."""

    cost: float | None = Field(default=None, description="null without prices")


def row_estimate(row: Row, spec: RunSpec) -> Usage:
    """What asking for one row is expected to take: every turn and every sample once, nothing asked
    again, and the reference shown once if that may be necessary. A row that brings its answer takes
    nothing.
    """
    if row.provided_answer is not None:
        return Usage()
    task = TASKS[spec.task]
    samples = spec.quality.samples + int(spec.quality.rationalise)
    reply = task.answer_tokens(row, spec.prompt)
    said = [Answer(FILLER * reply)] * task.turns(row)
    prompts = [
        chat_tokens(task.teacher_messages(row, spec.prompt, said[:turn]))
        for turn in range(len(said))
    ]
    return Usage(
        requests=samples * len(said),
        prompt_tokens=samples * sum(prompts),
        completion_tokens=samples * reply * len(said),
    )


def example_tokens(row: Row, spec: RunSpec) -> int:
    """Return about how many tokens the student's example of a row has."""
    task = TASKS[spec.task]
    has_reasoning = spec.prompt.chain_of_thought and spec.prompt.student_learns == "reasoning"
    learned = {"chain_of_thought": has_reasoning, "chain_of_density": False}
    tokens = task.answer_tokens(row, spec.prompt.model_copy(update=learned))
    turns = [Answer(FILLER * tokens)] * task.turns(row)
    if row.provided_answer is not None:
        turns[-1] = Answer(row.provided_answer)
    return chat_tokens(task.student_messages(row, spec.prompt, turns, system_role=True))


def priced(usage: Usage, budget: BudgetSpec) -> Estimate:
    """Return an expected use with its cost."""
    return Estimate(**usage.model_dump(), cost=cost(usage, budget))


def cost(usage: Usage, budget: BudgetSpec) -> float | None:
    """In the currency of the prices; None where one is not given."""
    if budget.prompt_price is None or budget.completion_price is None:
        return None
    spent = (
        usage.prompt_tokens * budget.prompt_price
        + usage.completion_tokens * budget.completion_price
    )
    return round(spent / MILLION, 6)


def over_budget(usage: Usage, budget: BudgetSpec, *, estimated: bool) -> list[Problem]:
    """Every limit that this usage exceeds, with the numbers; none when it is within the budget."""
    exceeded = [limit for limit in _limits(usage, budget) if limit.used > limit.limit]
    verb = "are expected" if estimated else "were used"
    return [limit.problem(verb) for limit in exceeded]


def overrun_warnings(usage: Usage, budget: BudgetSpec) -> list[str]:
    """Say by how much a run that wasn't stopped in time has exceeded its limits."""
    return [
        f"budget.{limit.name} is {_number(limit.limit)}, but {_number(limit.used)} were used: "
        "the rows were answered before the limit could stop them"
        for limit in _limits(usage, budget)
        if limit.used > limit.limit
    ]


def limit_problem(name: str, limit: float, remaining: float, need: float) -> Problem:
    """Return the problem of a limit of which less remains than the next request may use."""
    used = f"{_number(limit - remaining)} were used"
    remedy = "raise it"
    if remaining > 0:
        used += f", and the next request may use {_number(need)}"
        remedy += ", or lower teacher.max_tokens"
    problem = f"{used}, but the limit is {_number(limit)}: {remedy}"
    return {"where": f"budget.{name}", "problem": problem}


class _Limit(NamedTuple):
    """A limit that is set, and what was used of it."""

    name: str
    used: float
    limit: float

    def problem(self, verb: str) -> Problem:
        amount = f"{_number(self.used)} {verb}, but the limit is {_number(self.limit)}"
        return {"where": f"budget.{self.name}", "problem": f"{amount}: raise it"}


def _limits(usage: Usage, budget: BudgetSpec) -> Iterator[_Limit]:
    """Yield the limits that are set and can be compared."""
    if budget.max_requests is not None:
        yield _Limit("max_requests", usage.requests, budget.max_requests)
    if budget.max_tokens is not None:
        yield _Limit("max_tokens", usage.tokens, budget.max_tokens)
    spent = cost(usage, budget)
    if budget.max_cost is not None and spent is not None:
        yield _Limit("max_cost", spent, budget.max_cost)


def _number(amount: float) -> str:
    return f"{amount:,}" if isinstance(amount, int) else f"{amount:,.4g}"
