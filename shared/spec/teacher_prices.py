"""What a token of a run's teacher costs in MONTHLY_BUDGET.

Only stated prices count. The list's are for quotes: they assume that a deployment is the model that
it is called after. The app's own settings come first, so that no run lowers the price of the app's
teacher.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from shared.core.errors import InvalidInput, Problem
from shared.core.settings import MONTHLY_BUDGET, Settings
from shared.spec.budget import MILLION
from shared.spec.models import RunSpec


class TeacherPrices(NamedTuple):
    """Prices of a million tokens."""

    prompt: float
    completion: float

    @property
    def are_zero(self) -> bool:
        return self.prompt == 0 and self.completion == 0

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return what tokens cost, in the currency of the prices."""
        spent = prompt_tokens * self.prompt + completion_tokens * self.completion
        return spent / MILLION


class _Source(NamedTuple):
    """A price with the places that may state it, the setting first."""

    setting: str
    configured: float | None
    field: str
    specified: float | None

    @property
    def price(self) -> float | None:
        return self.specified if self.configured is None else self.configured


def teacher_prices(spec: RunSpec, settings: Settings) -> TeacherPrices:
    """Return the prices of the run's teacher. Raises InvalidInput if one isn't stated."""
    model = spec.teacher.model or settings.teacher_model
    is_default = model == settings.teacher_model
    sources = list(_sources(spec, settings, is_default=is_default))
    prices = [source.price for source in sources if source.price is not None]
    if len(prices) == len(sources):
        return TeacherPrices(*prices)
    details: list[Problem] = []
    for source in sources:
        if source.price is None:
            remedy = f", or {source.setting} for the app" if is_default else ""
            problem = (
                f"is unknown, but the app has a {MONTHLY_BUDGET}: set it to the price of a million "
                f"tokens of {model}{remedy} (0 if it costs nothing)"
            )
            details.append({"where": source.field, "problem": problem})
    raise InvalidInput(f"the price of {model} is unknown", details=details)


def _sources(spec: RunSpec, settings: Settings, *, is_default: bool) -> Iterator[_Source]:
    yield _Source(
        "TEACHER_PROMPT_PRICE",
        settings.teacher_prompt_price if is_default else None,
        "budget.prompt_price",
        spec.budget.prompt_price,
    )
    yield _Source(
        "TEACHER_COMPLETION_PRICE",
        settings.teacher_completion_price if is_default else None,
        "budget.completion_price",
        spec.budget.completion_price,
    )
