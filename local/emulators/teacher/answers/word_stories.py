"""Stories that gain, lose, share out or multiply: the fallback reading, which takes the numbers clause by clause."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from local.emulators.teacher.answers.word_problems import Problem, Worked, figures

_CLAUSE = re.compile(
    r"(?<!\d),\s*|,(?=\s)|;\s*|\s+(?:and|but|then|while)\s+|(?<=[.?!])\s+", re.IGNORECASE
)
_LOSS = re.compile(
    r"\b(?:gave|gives|give|given|lost|loses|sold|sells|ate|eats|eaten|spent|spends|spend|took out|takes out|used|uses|"
    r"hands out|handed out|threw|donated|donates|broke|deleted|removed|left the|flew away|died|rotted|popped|returned|"
    r"didn['’]t|did not|never|withered|wilted|absent|quit|shared with)\b",
    re.IGNORECASE,
)
_EACH = re.compile(r"\b(?:each|every|apiece|per)\b", re.IGNORECASE)
_OF_SIZE = re.compile(
    r"(\d+) (?:rows|boxes|bags|packs|shelves|trays|piles|sets|packets|crates|baskets) of (\d+)"
)
_SHARED = re.compile(
    r"\b(?:shar(?:e|es|ed)|divid\w+|split\w*|equally|evenly|between|among|sorted|same number|same size|same amount)\b",
    re.IGNORECASE,
)
_GROUPS_ASKED = re.compile(
    r"how (?:many|long)\b.*\b(?:groups|boxes|bags|pages|trips|baggies|weeks|days|teams|rows|shelves|packs|tables|vases|"
    r"bouquets|last|plates|rounds|hours|times|loads)\b"
)


@dataclass(slots=True)
class _Tale:
    """What has been read so far: a running total and the steps to it."""

    total: int = 0
    begun: bool = False
    steps: list[str] = field(default_factory=list[str])

    def apply(self, sign: str, value: int) -> None:
        if not self.begun:
            self.total, self.begun = value, True
            return
        before = self.total
        outcomes = {"+": before + value, "-": before - value, "×": before * value}
        self.total = outcomes[sign] if sign in outcomes else before // max(1, value)
        self.steps.append(f"{before} {sign} {value} = {self.total}")


def tell(problem: Problem) -> Worked:
    """An integer for any text: 0 where there is no number in it."""
    tale = _Tale()
    clauses = [clause for clause in _CLAUSE.split(problem.plain) if clause.strip()]
    divisor = _divisor(problem)
    for clause in clauses:
        _read(tale, clause, divisor)
    if divisor:
        tale.apply("/", divisor)
    return Worked(
        tale.total, tuple(tale.steps) or (f"The only number that matters is {tale.total}.",)
    )


def _read(tale: _Tale, clause: str, divisor: int) -> None:
    size = _OF_SIZE.search(clause)
    if size:
        product = int(size.group(1)) * int(size.group(2))
        tale.steps.append(f"{size.group(1)} × {size.group(2)} = {product}")
        tale.apply("+", product)
        return
    values = figures(clause)
    if divisor in values and _belongs_to_sharing(clause, divisor):
        values.remove(divisor)
    for place, value in enumerate(values):
        if _EACH.search(clause) and (tale.begun or place):
            tale.apply("×", value)
        else:
            tale.apply("-" if _LOSS.search(clause) else "+", value)


def _divisor(problem: Problem) -> int:
    """What the total is divided by: the number of equal parts, or the size of the groups that are asked for."""
    equal = re.search(r"(?:into|between|among|in) (\d+)", problem.plain, re.IGNORECASE)
    if equal and (
        _SHARED.search(problem.plain) or re.search(r"\b(?:each|every)\b", problem.question)
    ):
        return int(equal.group(1))
    size = re.search(r"(\d+) (?:\w+ )?(?:\w+ )?(?:in|on|to|at|for|per|a|into) (?:each|every|a time|one|week|day)\b|"
                     r"each \w+ (?:had|has|could hold|holds?|can hold) (\d+)", problem.plain)  # fmt: skip
    if size and _GROUPS_ASKED.search(problem.question):
        return int(size.group(1) or size.group(2))
    return 0


def _belongs_to_sharing(clause: str, divisor: int) -> bool:
    return re.search(rf"(?:into|between|among|in|each \w+ \w+(?: \w+)?) {divisor}\b|{divisor} (?:\w+ ){{0,3}}(?:each|every|"
                     rf"week|day|a time)", clause) is not None  # fmt: skip
