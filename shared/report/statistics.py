"""Statistics of a student's dataset: answers by frequency, lengths, and a few examples.

The dataset is read once.
"""

from __future__ import annotations

import json
from collections import Counter

from pydantic import BaseModel, Field

from shared.dataset.lines import Line
from shared.dataset.rows import Message
from shared.dataset.token_estimates import chat_tokens

# answers that are shown; the others are summed
MAX_ANSWERS = 20
# answers that are counted: a dataset with more has no distribution worth showing
MAX_DISTINCT = 10_000
MAX_EXAMPLES = 3
# precedes the answer if the student learns the reasoning too
ANSWER_MARK = "Answer: "
EDGES = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072)


class LengthBucket(BaseModel):
    """Examples of at most `tokens` tokens, and more than the previous bucket has."""

    tokens: int
    rows: int


class Description(BaseModel):
    """Statistics of one dataset.

    `answers` has the most frequent answers and their examples; it is empty if answers can't be
    counted. `other_answers` is the number of examples with any other answer.
    """

    answers: dict[str, int] = Field(default_factory=dict[str, int])
    other_answers: int = 0
    lengths: list[LengthBucket] = Field(default_factory=list[LengthBucket])
    examples: list[list[dict[str, str]]] = Field(default_factory=list[list[dict[str, str]]])


class Describer:
    """Collects the statistics of a dataset. `has_values` says whether answers can be counted."""

    def __init__(self, *, has_values: bool) -> None:
        self._has_values = has_values
        self._answers: Counter[str] = Counter()
        self._uncounted = 0
        self._lengths: Counter[int] = Counter()
        self._examples: list[list[dict[str, str]]] = []

    def take(self, line: Line) -> None:
        """Add the next line."""
        messages: list[Message] = json.loads(line.content or b"{}").get("messages", [])
        tokens = chat_tokens(messages)
        self._lengths[next((edge for edge in EDGES if tokens <= edge), EDGES[-1])] += 1
        if len(self._examples) < MAX_EXAMPLES:
            example = [dict[str, str](role=m["role"], content=m["content"]) for m in messages]
            self._examples.append(example)
        if self._has_values:
            self._count(messages[-1]["content"].rpartition(ANSWER_MARK)[2])

    def description(self) -> Description:
        """Return the statistics of all lines so far."""
        top = self._answers.most_common(MAX_ANSWERS)
        shown = dict(sorted(top, key=lambda pair: (-pair[1], pair[0])))
        return Description(
            answers=shown,
            other_answers=self._answers.total() + self._uncounted - sum(shown.values()),
            lengths=[
                LengthBucket(tokens=edge, rows=self._lengths[edge])
                for edge in EDGES
                if self._lengths[edge]
            ],
            examples=self._examples,
        )

    def _count(self, answer: str) -> None:
        if answer in self._answers or len(self._answers) < MAX_DISTINCT:
            self._answers[answer] += 1
        else:
            self._uncounted += 1
