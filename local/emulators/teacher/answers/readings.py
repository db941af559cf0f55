"""Readings of word problems, one a kind: each looks for the words of its kind and works the numbers out, or passes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from local.emulators.teacher.answers.word_problems import Problem, Worked, figures, whole

FRACTIONS = {"half": 2, "third": 3, "quarter": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}
TIMES = {
    "twice": 2,
    "double": 2,
    "thrice": 3,
    "three times": 3,
    "four times": 4,
    "five times": 5,
    "half": 0.5,
}
N = r"\$?(-?\d[\d,]*)"
Reading = Callable[[Problem], Worked | None]


def _one_step(expression: str, value: float) -> Worked:
    return Worked(round(value), (f"{expression} = {round(value)}",))


def average(problem: Problem) -> Worked | None:
    if "average" not in problem.question:
        return None
    values = figures(" ".join(problem.parts[:-1])) if len(problem.parts) > 1 else problem.numbers
    listed = re.findall(r"-?\d+", _listed(problem) or "")
    values = [int(value) for value in listed] or values
    if not values:
        return None
    total = " + ".join(map(str, values))
    return _one_step(f"({total}) / {len(values)}", sum(values) / len(values))


def _listed(problem: Problem) -> str | None:
    """The enumeration "12, 15 and 18", so that a count of games beside it is no score."""
    match = problem.find(r"-?\d+(?:, -?\d+)+,? and -?\d+")
    return match.group() if match else None


def rectangle(problem: Problem) -> Worked | None:
    match = problem.find(rf"{N} \w+ long and {N} \w+ wide")
    if not match:
        return None
    length, width = whole(match.group(1)), whole(match.group(2))
    if re.search(r"\b(?:area|cover|square|tiles|carpet)\b", problem.question):
        return _one_step(f"{length} × {width}", length * width)
    return _one_step(f"2 × ({length} + {width})", 2 * (length + width))


def percentage(problem: Problem) -> Worked | None:
    match = problem.find(rf"{N} ?(?:%|per ?cent)")
    if not match:
        return None
    percent = whole(match.group(1))
    amounts = [value for value in problem.numbers if value != percent] or problem.numbers
    amount = amounts[0]
    part = amount * percent / 100
    steps = f"{percent}% of {amount} = {round(part)}"
    if problem.find(r"\b(?:reduced|discount|off|cheaper|fell|dropped|lower\w*|decreas\w*)\b"):
        return Worked(
            round(amount - part), (steps, f"{amount} - {round(part)} = {round(amount - part)}")
        )
    if problem.find(r"\b(?:went up|raised|rose|increas\w*|more expensive|grew)\b"):
        return Worked(
            round(amount + part), (steps, f"{amount} + {round(part)} = {round(amount + part)}")
        )
    if re.search(r"\b(?:not|free|left|rest|other|remain\w*|empty)\b", problem.question):
        return Worked(
            round(amount - part), (steps, f"{amount} - {round(part)} = {round(amount - part)}")
        )
    return Worked(round(part), (steps,))


def speed(problem: Problem) -> Worked | None:
    rate = problem.find(
        rf"{N} (?:kilomet\w+|km|miles|met\w+) (?:per|an|a|each) (?:hour|minute|second)"
    )
    if not rate:
        return None
    others = list(problem.numbers)
    others.remove(whole(rate.group(1)))
    if not others:
        return None
    if re.search(r"how (?:many (?:hours|minutes|seconds)|long)", problem.question):
        return _one_step(f"{others[0]} / {whole(rate.group(1))}", others[0] / whole(rate.group(1)))
    return _one_step(f"{whole(rate.group(1))} × {others[0]}", whole(rate.group(1)) * others[0])


def fraction(problem: Problem) -> Worked | None:
    names = "|".join(FRACTIONS)
    match = problem.find(rf"\b(?:an? |one )?({names}) of (?:the |all )?{N}")
    if not match:
        return None
    parts, total = FRACTIONS[match.group(1).lower()], whole(match.group(2))
    part = total // parts
    step = f"{total} / {parts} = {part}"
    if re.search(r"\b(?:not|left|rest|other|others|remain\w*)\b", problem.question):
        return Worked(total - part, (step, f"{total} - {part} = {total - part}"))
    return Worked(part, (step,))


def temperature(problem: Problem) -> Worked | None:
    start = problem.find(rf"{N} degrees")
    if not start:
        return None
    value, steps = whole(start.group(1)), [f"It starts at {start.group(1)}."]
    for verb, amount in re.findall(
        rf"\b(fallen|fell|dropped|sank|risen|rose|climbed) (?:by )?{N}", problem.plain
    ):
        change = whole(amount) * (1 if verb in ("risen", "rose", "climbed") else -1)
        steps.append(f"{value} {'+' if change > 0 else '-'} {abs(change)} = {value + change}")
        value += change
    return Worked(value, tuple(steps)) if len(steps) > 1 else None


def ages(problem: Problem) -> Worked | None:
    known: dict[str, int] = {}
    steps: list[str] = []
    first = problem.find(rf"\b([A-Z]\w+) is {N} years old\b")
    if not first:
        return None
    known[first.group(1)] = whole(first.group(2))
    last = first.group(1)
    for name, gap, word in re.findall(rf"\b([A-Z]\w+) is {N} years (older|younger)", problem.plain):
        known[name] = known[last] + whole(gap) * (1 if word == "older" else -1)
        steps.append(
            f"{name}: {known[last]} {'+' if word == 'older' else '-'} {gap} = {known[name]}"
        )
    for name, times, other in re.findall(
        r"\b([A-Z]\w+) is (twice|double) as old as ([A-Z]\w+)", problem.plain
    ):
        known[name] = round(TIMES[times] * known.get(other, known[last]))
        steps.append(f"{name}: {known[name]}")
    asked = next((name for name in known if name.lower() in problem.question), last)
    value = known[asked]
    shift = re.search(rf"\bin {N} years|{N} years ago", problem.question)
    if shift:
        change = whole(shift.group(1)) if shift.group(1) else -whole(shift.group(2))
        steps.append(f"{value} {'+' if change > 0 else '-'} {abs(change)} = {value + change}")
        value += change
    return Worked(value, tuple(steps)) if steps else None


def comparison(problem: Problem) -> Worked | None:
    known: dict[str, int] = {}
    steps: list[str] = []
    start = problem.find(rf"\b([A-Z]\w+) (?:has|have|had) {N} (\w+)")
    if not start:
        return None
    known[start.group(1)] = whole(start.group(2))
    times = (
        "|".join(TIMES)
        .replace("three", "(?:three|3)")
        .replace("four", "(?:four|4)")
        .replace("five", "(?:five|5)")
    )
    pattern = rf"\b([A-Z]\w+) (?:has|had) (?:{N} (more|fewer|less) \w+ than|({times}) as many(?: \w+)? as) ([A-Z]\w+)"
    for name, amount, word, factor, other in re.findall(pattern, problem.plain):
        if other not in known:
            return None
        base = known[other]
        if factor:
            count = _factor(factor)
            known[name] = round(base * count)
            steps.append(f"{name}: {base} × {count} = {known[name]}")
        else:
            known[name] = base + whole(amount) * (1 if word == "more" else -1)
            steps.append(
                f"{name}: {base} {'+' if word == 'more' else '-'} {amount} = {known[name]}"
            )
    if not steps:
        return None
    if re.search(r"altogether|in total|in all|together", problem.question):
        total = sum(known.values())
        return Worked(total, (*steps, f"{' + '.join(map(str, known.values()))} = {total}"))
    asked = next(
        (name for name in known if name.lower() in problem.question), next(reversed(known))
    )
    return Worked(known[asked], tuple(steps))


def _factor(words: str) -> float:
    lowered = words.lower()
    return float(lowered.split()[0]) if lowered[0].isdigit() else TIMES[lowered]


def left_over(problem: Problem) -> Worked | None:
    packed = problem.find(
        rf"\b(?:cartons|bunches|boxes|bags|groups|packs|rows|teams|packets|piles|sets|bundles) of {N}"
    )
    if not packed or "left over" not in problem.question:
        return None
    size, total = whole(packed.group(1)), problem.numbers[0]
    return _one_step(f"{total} - {total // size} × {size}", total % size)


def how_many_needed(problem: Problem) -> Worked | None:
    each = problem.find(rf"\b(?:seats|holds?|carries|carry|fits?|takes?) {N}")
    if not each or "need" not in problem.question:
        return None
    size, total = whole(each.group(1)), next(iter(problem.numbers))
    exact = total / size
    return Worked(
        math.ceil(exact), (f"{total} / {size} = {exact:.2f}, rounded up to {math.ceil(exact)}",)
    )


def _same_thing(plural: str, singular: str) -> bool:
    return plural[: min(4, len(singular))] == singular[:4]


def shopping(problem: Problem) -> Worked | None:
    prices = {name.lower(): whole(price) for name, price in re.findall(rf"\b(?:an?|each|one) (\w+) costs? {N}",
                                                                       problem.plain, re.IGNORECASE)}  # fmt: skip
    if len(prices) < 2:
        return None
    terms: list[tuple[int, int]] = []
    for count, thing in re.findall(r"(?<!\$)\b(\d+) (\w+)", problem.plain):
        price = next(
            (price for name, price in prices.items() if _same_thing(thing.lower(), name)), None
        )
        if price is not None:
            terms.append((int(count), price))
    if not terms:
        return None
    total = sum(count * price for count, price in terms)
    steps = [" + ".join(f"{count} × {price}" for count, price in terms) + f" = {total}"]
    paid = problem.find(rf"pays? with (?:an? )?{N}")
    if paid and "change" in problem.question:
        steps.append(f"{whole(paid.group(1))} - {total} = {whole(paid.group(1)) - total}")
        total = whole(paid.group(1)) - total
    return Worked(total, tuple(steps))


def wages(problem: Problem) -> Worked | None:
    rate = problem.find(rf"earns? {N}(?: dollars)? (?:an|per|each|every) hour")
    hours = problem.find(r"(\d+) hours (?:a|per|each|every) day for (\d+) days")
    if not rate or not hours:
        return None
    factors = [whole(rate.group(1)), int(hours.group(1)), int(hours.group(2))]
    earned = math.prod(factors)
    steps = [f"{' × '.join(map(str, factors))} = {earned}"]
    spent = problem.find(rf"\bspends? {N}")
    if spent and re.search(r"\b(?:left|remain\w*)\b", problem.question):
        steps.append(f"{earned} - {whole(spent.group(1))} = {earned - whole(spent.group(1))}")
        earned -= whole(spent.group(1))
    return Worked(earned, tuple(steps))


READINGS: tuple[Reading, ...] = (
    *(
        average,
        rectangle,
        percentage,
        speed,
        fraction,
        temperature,
        ages,
        comparison,
        left_over,
        how_many_needed,
    ),
    *(shopping, wages),
)
