"""What a teacher rejects is found by experiment, whatever its words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.core.process import current
from shared.spec.models import RunSpec
from shared.teacher import Budget, NoBudget
from shared.teacher.budget import OverBudget, Tokens
from shared.teacher.capabilities import Dialect, TokenParameter
from shared.teacher.learned import LearnedCapabilities
from shared.teacher.response_format import ResponseFormat
from shared.teacher.trial import Trial, try_teacher
from tests.support.http_teacher import SelectiveTeacher, serving, settings

Body = dict[str, Any]
NEWER = TokenParameter.MAX_COMPLETION_TOKENS
UNLIMITED = NoBudget()
PARAMETERS: Body = {"temperature": 0.2, "top_p": 0.9, "seed": 1, "extra_body": {"min_p": 0.1}}


Rejects = Callable[[Body], object]
REFUSALS: dict[str, tuple[Rejects, list[str]]] = {
    "one": (lambda body: "top_p" in body, ["teacher.top_p"]),
    "extra": (lambda body: "min_p" in body, ["teacher.extra_body.min_p"]),
    "two": (
        lambda body: "temperature" in body or "min_p" in body,
        ["teacher.temperature", "teacher.extra_body.min_p"],
    ),
    "together": (
        lambda body: "temperature" in body and "top_p" in body,
        ["teacher.temperature", "teacher.top_p"],
    ),
    "with a dialect": (
        lambda body: "seed" in body or "max_tokens" in body or "response_format" in body,
        ["teacher.seed"],
    ),
}
DIALECTS: dict[str, tuple[Rejects, Dialect]] = {
    "tokens": (lambda body: "max_tokens" in body, Dialect(token_parameter=NEWER)),
    "format": (
        lambda body: "response_format" in body,
        Dialect(response_format=ResponseFormat.TEXT),
    ),
    "schema": (
        lambda body: "json_schema" in str(body.get("response_format")),
        Dialect(response_format=ResponseFormat.JSON_OBJECT),
    ),
    "both": (
        lambda body: "max_tokens" in body or "response_format" in body,
        Dialect(NEWER, ResponseFormat.TEXT),
    ),
}


class FewRequests(NoBudget):
    """A budget of so many requests."""

    def __init__(self, left: int) -> None:
        self.left = left

    def try_reserve(self, most: Tokens) -> bool:
        self.left -= 1
        return self.left >= 0

    async def reserve(self, most: Tokens, *, is_further: bool = False) -> None:
        raise OverBudget("no more", details=[{"where": "budget", "problem": "raise it"}])


async def tried(
    is_rejected: Rejects, budget: Budget = UNLIMITED, **teacher: Any
) -> tuple[Trial, SelectiveTeacher, Dialect]:
    """Try a teacher that rejects some requests in words that nobody knows."""
    server = SelectiveTeacher(lambda body: {"message": "no"} if is_rejected(body) else None)
    spec = RunSpec.model_validate(
        {
            "task": "math",
            "train": "datasets/math/x/train.jsonl",
            "teacher": {"model": "m"} | teacher,
        }
    )
    async with serving(server.answer) as base_url:
        trial = await try_teacher(settings(base_url), spec, budget)
        dialect = current().part(LearnedCapabilities).of(base_url, "m").dialect
    return trial, server, dialect


def places(trial: Trial) -> list[str]:
    return [problem["where"] for problem in trial.problems]


@pytest.mark.parametrize(("is_rejected", "refused"), REFUSALS.values(), ids=REFUSALS)
async def test_a_parameter_that_is_refused_in_unknown_words_is_named(
    is_rejected: Rejects, refused: list[str]
) -> None:
    trial, _, _ = await tried(is_rejected, **PARAMETERS)
    assert places(trial) == refused


@pytest.mark.parametrize(("is_rejected", "dialect"), DIALECTS.values(), ids=DIALECTS)
async def test_a_dialect_that_is_rejected_in_unknown_words_is_learned(
    is_rejected: Rejects, dialect: Dialect
) -> None:
    trial, _, learned = await tried(is_rejected)
    assert (places(trial), learned) == ([], dialect)


async def test_a_teacher_that_rejects_everything_is_named_after_a_few_requests() -> None:
    trial, server, learned = await tried(lambda _: True, **PARAMETERS)
    assert places(trial) == ["teacher"]
    assert "HTTP 400: no" in trial.problems[0]["problem"]
    assert len(server.bodies) == 1 + 1 + 5
    assert learned == Dialect()


@pytest.mark.parametrize("requests", [1, 2, 4])
async def test_a_rejection_is_a_problem_also_if_the_budget_ends_before_its_cause_is_found(
    requests: int,
) -> None:
    trial, server, _ = await tried(
        lambda body: "top_p" in body, FewRequests(requests), **PARAMETERS
    )
    [problem] = trial.problems
    assert "HTTP 400: no. The cause wasn't looked for: no more: raise it" in problem["problem"]
    assert len(server.bodies) == requests


async def test_a_teacher_that_the_budget_does_not_allow_to_ask_has_no_problem() -> None:
    with pytest.raises(OverBudget):
        await tried(lambda _: True, FewRequests(0))
