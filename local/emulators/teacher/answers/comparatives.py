"""Comparisons of two things ("Ana is taller than Ben"): chains are followed and opposites turned round."""

from __future__ import annotations

import re

_COMPARED = re.compile(r"\b([A-Z]\w+) is (\w+er) than ([A-Z]\w+)")
# each pair is one scale, from its upper end
SCALES = (
    *(
        ("taller", "shorter"),
        ("older", "younger"),
        ("faster", "slower"),
        ("stronger", "weaker"),
        ("bigger", "smaller"),
    ),
    *(
        ("larger", "smaller"),
        ("heavier", "lighter"),
        ("richer", "poorer"),
        ("higher", "lower"),
        ("warmer", "colder"),
    ),
)
Fact = tuple[str, str, str]  # (scale, more, less)


def _facts(text: str) -> list[Fact]:
    found: list[Fact] = []
    for one, adjective, other in _COMPARED.findall(text):
        for upper, lower in SCALES:
            if adjective == upper:
                found.append((upper, one, other))
            elif adjective == lower:
                found.append((upper, other, one))
    return found


def _exceeds(facts: list[Fact], scale: str, more: str, less: str) -> bool:
    reached, frontier = {more}, [more]
    while frontier:
        current = frontier.pop()
        for known, above, below in facts:
            if known == scale and above == current and below not in reached:
                reached.add(below)
                frontier.append(below)
    return less in reached


def compare(premise: str, hypothesis: str) -> tuple[str, str] | None:
    """Class and reason where both texts compare, else None."""
    facts, asked = _facts(premise), _facts(hypothesis)
    if not facts or not asked:
        return None
    scale, more, less = asked[0]
    if _exceeds(facts, scale, more, less):
        return "entailment", f"Following the comparisons, {more} comes before {less}."
    if _exceeds(facts, scale, less, more):
        return "contradiction", f"Following the comparisons, {less} comes before {more}."
    return "neutral", f"The premise does not compare {more} and {less} in this respect."
