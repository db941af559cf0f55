"""What the teacher says: the key's answer or the task's fallback, as often right as its skill."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from local.emulators.service import draw
from local.emulators.teacher.answer_key import AnswerKey
from local.emulators.teacher.fallbacks import Fallback, fallback_for
from local.emulators.teacher.prompt import Form, Prompt
from local.emulators.teacher.summaries import density_steps

NO_REASONING = "The answer key gives no reasoning for this row."
WRONG_REASONING = "At first sight the answer seems to be: {answer}"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer before it takes the form that the request asks for."""

    prompt: Prompt
    text: str
    reasoning: str
    rule: Fallback

    def mistaken(self, drawn: float) -> Answer:
        """Return a wrong answer of the same form; `drawn` in [0, 1) picks one."""
        wrong = self.rule.wrong_answers(self.prompt, self.text)
        text = wrong[int(drawn * len(wrong))]
        return replace(self, text=text, reasoning=WRONG_REASONING.format(answer=text))

    def scripted(self, text: str) -> Answer:
        """Return the same answer with another text."""
        return replace(self, text=text)

    def render(self) -> str:
        """Return the reply in the form that the request asks for."""
        bodies: dict[Form, Callable[[], Any]] = {
            Form.REASONED: lambda: {"reasoning": self.reasoning, "answer": self.text},
            Form.DENSENED: lambda: {"steps": density_steps(self.text)},
            Form.JSON: lambda: {"answer": self.text},
        }
        body = bodies.get(self.prompt.form)
        return self.text if body is None else json.dumps(body(), ensure_ascii=False)


class Answerer:
    """Answers prompts by a key. `skills` has the probability of a right answer by model."""

    def __init__(self, key: AnswerKey, skills: Mapping[str, float], seed: int) -> None:
        self._key = key
        self._skills = skills
        self._seed = seed

    def answer(self, prompt: Prompt, model: str, sample: int) -> Answer:
        """Return the answer to a prompt: the same for the same seed, model, row and sample."""
        right = self._right(prompt)
        skill = self._skills[model]
        ticket = json.dumps([model, sample, *prompt.questions])
        if skill >= 1 or draw(self._seed, ticket, "skill") < skill:
            return right
        return right.mistaken(draw(self._seed, ticket, "mistake"))

    def _right(self, prompt: Prompt) -> Answer:
        rule = fallback_for(prompt)
        key_answer = self._key.find(prompt.questions)
        if key_answer is None:
            return Answer(prompt, rule.answer(prompt), NO_REASONING, rule)
        text = rule.shorten(prompt, key_answer.text)
        return Answer(prompt, text, key_answer.reasoning or NO_REASONING, rule)
