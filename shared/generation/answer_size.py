"""How many tokens an answer is given, and more where a model's reasoning uses them up.

Tokens of reasoning count as the answer's, and nobody knows how many a model needs until it has
answered. A reply that is cut off without content is therefore requested again with twice the
tokens, up to `teacher.max_tokens_ceiling`. If that happens to more than one row in ten, the next
rows begin with the number that sufficed. They don't begin with the ceiling: services count the
tokens that a request allows against their quotas.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from shared.spec.models import TeacherSpec

MAX_SHORT_SHARE = 0.1  # answers for which the first number of tokens may be too small
MAX_REFUSALS = 3  # of limits that are tried for one answer
MIN_GAIN = 0.25  # of a limit in between: with less, another try isn't worth its tokens
NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,9}")


@dataclass(slots=True)
class AnswerSize:
    """What the rows of one split have taught a process, for the rows that follow."""

    learned: int = 0  # tokens; 0: the specification's number suffices
    answers: int = 0  # that began with the present number
    short: int = 0  # of these, the ones that needed more

    def first_limit(self, teacher: TeacherSpec) -> int:
        """Return the tokens that the next answer begins with."""
        return min(max(teacher.max_tokens, self.learned), teacher.most_tokens)

    def next_limit(self, limit: int, teacher: TeacherSpec) -> int:
        """Return the tokens for an answer that was cut off after `limit` tokens."""
        return max(limit, min(max(2 * limit, self.learned), teacher.most_tokens))

    def record(self, first: int, needed: int) -> None:
        """Record an answer that began with `first` tokens and needed at most, or over, `needed`."""
        if first < self.learned:
            return  # it began before the number was raised
        self.answers += 1
        self.short += int(needed > first)
        if self.short > MAX_SHORT_SHARE * self.answers:
            self.learned = needed
            self.answers = 0
            self.short = 0


@dataclass(slots=True)
class AcceptedLimits:
    """What the teacher accepts as the limit of one answer: it depends on the prompt, too.

    How much is too much is said by services in words of their own, or not at all. The largest
    number that their error names in between is tried, and otherwise the middle.
    """

    set_by_user: int  # `teacher.max_tokens`
    accepted: int = 0  # the last limit that had a reply; 0: none
    refused: float = math.inf  # the smallest limit that was rejected
    refusals: int = 0

    def below(self, rejected: int, error: str) -> int | None:
        """Return the limit to try after one that was rejected, None if there is none."""
        self.refused = rejected
        self.refusals += 1
        if self.refusals > MAX_REFUSALS:
            return None
        if not self.accepted:  # it began with what other rows have needed
            return self.set_by_user if rejected > self.set_by_user else None
        numbers = [int(text.replace(",", "")) for text in NUMBER.findall(error)]
        named = [number for number in numbers if self.accepted < number < rejected]
        if named:
            return max(named)
        middle = (self.accepted + rejected) // 2
        return middle if middle - self.accepted >= MIN_GAIN * self.accepted else None
