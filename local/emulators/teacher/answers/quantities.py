"""Numbers in a pair of texts: "at least two", "fewer than ten", and plain numbers that differ."""

from __future__ import annotations

from dataclasses import dataclass

from local.emulators.teacher.answers.text import STOPWORDS, number, stem, words

BOUNDS = {
    ("at", "least"): ">=",
    ("more", "than"): ">",
    ("at", "most"): "<=",
    ("fewer", "than"): "<",
    ("less", "than"): "<",
    ("up", "to"): "<=",
}
IN_MINUTES = {stem("hours"): 60, stem("minutes"): 1, stem("hour"): 60}
MINUTE = stem("minutes")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, the stem of what is counted ("" if nothing follows), and how it is bounded ("=" if it is not)."""

    value: int
    unit: str
    bound: str = "="

    def allows(self, value: int) -> bool:
        outcomes = {
            ">=": value >= self.value,
            ">": value > self.value,
            "<=": value <= self.value,
            "<": value < self.value,
        }
        return outcomes.get(self.bound, value == self.value)


def quantities(text: str) -> list[Quantity]:
    """Every quantity of the text, times in minutes."""
    tokens = words(text)
    found: list[Quantity] = []
    for place, word in enumerate(tokens):
        value = number(word)
        if value is None:
            continue
        unit = _unit(tokens[place + 1 :])
        before = tokens[max(0, place - 2) : place]
        bound = BOUNDS.get((before[0], before[1]), "=") if len(before) == 2 else "="
        factor = IN_MINUTES.get(unit, 1)
        found.append(Quantity(value * factor, MINUTE if unit in IN_MINUTES else unit, bound))
    return found


def _unit(following: list[str]) -> str:
    """The next word, or what a partitive counts: in "two of the 24 students" that is students."""
    if following[:2] == ["of", "the"]:
        following = [word for word in following[2:4] if number(word) is None]
    if not following or following[0] in STOPWORDS or number(following[0]) is not None:
        return ""
    return stem(following[0])


def check_quantities(premise: str, hypothesis: str) -> str:
    """Why a number of the hypothesis cannot be true, or ""; numbers of things that the premise does not count pass."""
    stated = quantities(premise)
    for asked in quantities(hypothesis):
        known = [quantity.value for quantity in stated if quantity.unit == asked.unit]
        if known and not (asked.allows(known[0]) if asked.bound != "=" else asked.value in known):
            return f"The hypothesis speaks of {asked.value} where the premise has {known[0]}."
    return ""


def uncounted(premise: str, hypothesis: str) -> list[str]:
    """Numbers of the hypothesis that nothing in the premise could confirm."""
    units = {quantity.unit for quantity in quantities(premise)}
    return [str(asked.value) for asked in quantities(hypothesis) if asked.unit not in units]
