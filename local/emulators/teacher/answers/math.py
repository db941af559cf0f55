"""Arithmetic word problems: the readings in turn, and the numbers taken in order where none fits."""

from __future__ import annotations

import re
from contextlib import suppress

from local.emulators.teacher.answers.prompt import Prompt
from local.emulators.teacher.answers.readings import READINGS
from local.emulators.teacher.answers.solution import Solution
from local.emulators.teacher.answers.word_problems import Problem, Worked
from local.emulators.teacher.answers.word_stories import tell

_ASKED = re.compile(
    r"\b(?:maths?|mathematic\w*|arithmetic|integers?|numeric\w*|numbers?|word problems?)\b",
    re.IGNORECASE,
)
_QUESTION = re.compile(r"\bhow (?:many|much|old|far|long)\b|\bwhat (?:is|was|are)\b", re.IGNORECASE)
_LEAD = re.compile(
    r"^\s*(?:solve|answer|compute|calculate|reply)\b[^\n]*\n+|^\W*question\s*:\s*", re.IGNORECASE
)


def recognises(prompt: Prompt) -> bool:
    """Instructions that speak of numbers or maths, with a question to work out."""
    if prompt.has_history:
        return False
    instructed = _ASKED.search(prompt.system) or _ASKED.search(prompt.user)
    return bool(instructed and (re.search(r"\d", prompt.user) or _QUESTION.search(prompt.user)))


def solve(prompt: Prompt) -> Solution:
    """One integer, and the calculation step by step."""
    text = prompt.user
    while (shorter := _LEAD.sub("", text, count=1)) != text:
        text = shorter
    problem = Problem(text)
    worked = _read(problem) or tell(problem)
    value, steps = worked.value, worked.steps
    first, *others = _slips(worked)
    return Solution(str(value), first, (*steps, f"The answer is {value}."), wrong_too=tuple(others))


def _read(problem: Problem) -> Worked | None:
    """The first reading that fits. One whose sum cannot be done (a division by zero, a number missing) does not."""
    for reading in READINGS:
        with suppress(ArithmeticError, LookupError, ValueError, StopIteration):
            if worked := reading(problem):
                return worked
    return None


def _slips(worked: Worked) -> list[str]:
    """Slips of the kind people make: one too many or too few, a carry lost or kept, a step left out or done twice."""
    value = worked.value
    slips = (
        value + 1,
        value - 1,
        value + 10,
        value - 10,
        value * 2,
        value + 2,
        value - 2,
        value + 100,
    )
    return [str(slip) for slip in dict.fromkeys(slips) if slip != value]
