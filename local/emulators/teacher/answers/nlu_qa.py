"""Multiple-choice questions: word knowledge where the question asks for it, then a note that is given, then everyday facts."""

from __future__ import annotations

import re
from collections import Counter
from hashlib import blake2b

from local.emulators.teacher.answers.knowledge import FACTS
from local.emulators.teacher.answers.lexicon import (
    KINDS,
    KINDS_OF,
    NOTHING,
    OPPOSITES,
    SCALES,
    means,
)
from local.emulators.teacher.answers.prompt import Prompt
from local.emulators.teacher.answers.solution import Solution
from local.emulators.teacher.answers.text import content_stems, sentences, stem, words

_LINE = re.compile(
    r"^[ \t]*[-*]?[ \t]*(?:\(([A-Z])\)|([A-Z])[).:])[ \t]*(\S[^\n]*?)[ \t]*$", re.MULTILINE
)
_INLINE = re.compile(r"\(([A-Z])\)\s*([^()\n]+?)\s*(?=\([A-Z]\)|$)", re.MULTILINE)
_HEADING = re.compile(r"^\W*(?:question|q)\s*:\s*", re.IGNORECASE)
_OPPOSITE = re.compile(r"\b(?:opposite|antonym)\b.*?[\"“'‘]?(\w+)[\"”'’]?\W*$", re.IGNORECASE)
_ODD = re.compile(r"does not belong|doesn['’]t belong|odd one out", re.IGNORECASE)
_KIND = re.compile(
    r"which of (?:these|the following)\b.*? is an? (?:kind of |type of )?([\w ]+?)\W*$",
    re.IGNORECASE,
)
_MOST = re.compile(r"\bis the (\w+est)\b", re.IGNORECASE)
Choices = dict[str, str]
Found = tuple[str, str]  # letter, reason


def read_choices(text: str) -> Choices:
    """Letter to text; only lists that begin with A and leave no letter out."""
    for entries in (
        [(one or other, choice) for one, other, choice in _LINE.findall(text)],
        [(letter, choice) for letter, choice in _INLINE.findall(text)],
    ):
        choices: Choices = {}
        for letter, choice in entries:
            if letter == chr(ord("A") + len(choices)):
                choices[letter] = choice
        if len(choices) >= 2:
            return choices
    return {}


def recognises(prompt: Prompt) -> bool:
    """At least two lettered choices in the last user message."""
    return len(read_choices(prompt.user)) >= 2


def solve(prompt: Prompt) -> Solution:
    """The letter of the best choice."""
    choices = read_choices(prompt.user)
    question = _question(prompt.user)
    letter, why = (
        _opposite(question, choices)
        or _odd_one_out(question, choices)
        or _kind(question, choices)
        or _superlative(question, choices)
        or _from_note(question, choices)
        or _from_facts(question, choices)
    )
    wrong, *others = (other for other in choices if other != letter)
    asked = sentences(question)[-1:] or [question]
    reasoning = (
        f"The question is: {asked[0]}",
        why,
        f"So the best choice is {letter}: {choices[letter]}.",
    )
    return Solution(letter, wrong, reasoning, wrong_too=tuple(others))


def _question(user: str) -> str:
    """What stands before the choices, without headings."""
    first = _LINE.search(user) or _INLINE.search(user)
    text = user[: first.start()] if first else user
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if len(lines) > 1 and lines[-1].endswith(":"):
        lines.pop()
    headed = [place for place, line in enumerate(lines) if _HEADING.match(line)]
    return _HEADING.sub("", "\n".join(lines[headed[-1] :] if headed else lines))


def _opposite(question: str, choices: Choices) -> Found | None:
    match = _OPPOSITE.search(question)
    if not match:
        return None
    word = match.group(1).lower()
    answers = {OPPOSITES.get(word), *(one for one, other in OPPOSITES.items() if other == word)}
    for letter, choice in choices.items():
        if choice.lower() in answers:
            return letter, f'The opposite of "{word}" is "{choice}".'
    return None


def _kinds(choice: str) -> frozenset[str]:
    tokens = words(choice)
    return KINDS_OF.get(stem(tokens[-1]), NOTHING) if tokens else NOTHING


def _odd_one_out(question: str, choices: Choices) -> Found | None:
    if not _ODD.search(question):
        return None
    counted = Counter(kind for choice in choices.values() for kind in _kinds(choice))
    if not counted:
        return None
    common, _ = counted.most_common(1)[0]
    for letter, choice in choices.items():
        if common not in _kinds(choice):
            return (
                letter,
                f'All the others are one kind of thing ({_name(common)}), "{choice}" is not.',
            )
    return None


def _name(kind: str) -> str:
    return next((name for name in KINDS if stem(name.split()[-1]) == kind), kind)


def _kind(question: str, choices: Choices) -> Found | None:
    match = _KIND.search(question)
    if not match:
        return None
    kind = stem(match.group(1).split()[-1])
    for letter, choice in choices.items():
        if any(means(stem(word), kind) for word in words(choice)):
            return letter, f'"{choice}" is a kind of {match.group(1)}.'
    return None


def _superlative(question: str, choices: Choices) -> Found | None:
    match = _MOST.search(question)
    scale = SCALES.get(match.group(1).lower()) if match else None
    known = [letter for letter, choice in choices.items() if scale and choice.lower() in scale]
    if not scale or not known:
        return None
    letter = max(known, key=lambda known: scale.index(choices[known].lower()))
    return letter, f"Put in order, {choices[letter]} comes last on the scale."


def _from_note(question: str, choices: Choices) -> Found | None:
    """The choice in that sentence of the text which has most in common with the question proper."""
    told = sentences(question)
    if len(told) < 2:
        return None
    asked = set(content_stems(told[-1]))
    scored = [
        (len(asked & set(content_stems(sentence))), letter, sentence)
        for sentence in told[:-1]
        for letter, choice in choices.items()
        if choice.lower().strip(" .") in sentence.lower()
    ]
    if len(scored) < 2 or max(scored)[0] == 0:
        return None
    _, letter, sentence = max(scored)
    return letter, f'The text says: "{sentence}"'


def _from_facts(question: str, choices: Choices) -> Found:
    """Most words in common with what is known of the choice; then with the choice itself; then by lot."""
    asked = set(content_stems(question))

    def score(letter: str) -> tuple[int, int, bytes]:
        choice = choices[letter].lower().strip(" .")
        lot = blake2b(
            f"{question}/{choice}".encode("utf-8", "surrogatepass"), digest_size=8
        ).digest()
        return len(asked & FACTS.get(choice, NOTHING)), len(asked & set(content_stems(choice))), lot

    letter = max(choices, key=score)
    known, overlap, _ = score(letter)
    if known:
        return letter, f"Of the things offered, {choices[letter]} goes with this."
    if overlap:
        return letter, f'"{choices[letter]}" is closest to the words of the question.'
    return letter, "Nothing in the question decides it, so the most plausible choice is taken."
