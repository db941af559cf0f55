"""Replies in a conversation: advice on the topic at hand that always tells how much of the history was sent along."""

from __future__ import annotations

import re
from collections.abc import Sequence

from local.emulators.teacher.answers.advice import ADVICE, GENERAL
from local.emulators.teacher.answers.prompt import Prompt
from local.emulators.teacher.answers.solution import Solution
from local.emulators.teacher.answers.text import content_stems, sentences, stem

_OPENING = re.compile(
    r"^(?:(?:hello|hi|hey|thanks|thank you|good|and|so|ok|okay|please)\b[^\w]*(?:there\b[^\w]*)?)+",
    re.IGNORECASE,
)
QUOTED_WORDS = 14
ORDINALS = (
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
)
HINTS = {
    topic: frozenset(stem(word) for word in hints.split()) for topic, (hints, _) in ADVICE.items()
}


def solve(prompt: Prompt) -> Solution:
    """Two or three sentences: advice, and from the second turn on what was asked before."""
    questions = prompt.questions or ("",)
    topic = _topic(questions)
    advice = ADVICE[topic][1] if topic else GENERAL
    tip = advice[(len(questions) - 1) % len(advice)]
    follow = advice[len(questions) % len(advice)]
    reply = " ".join(part for part in (_reference(questions), tip, follow) if part)
    wrong = f"That has nothing to do with it. {GENERAL[-1]}"
    subject = topic or "a general matter"
    reasoning = (f"The conversation is about {subject}.", f"This is user turn {len(questions)}.")
    return Solution(reply, wrong, reasoning)


def _topic(questions: Sequence[str]) -> str:
    """The topic that the user's words hint at most; the latest question counts, then those before it."""
    for question in reversed(questions):
        roots = set(content_stems(question))
        best = max(HINTS, key=lambda topic: len(HINTS[topic] & roots))
        if HINTS[best] & roots:
            return best
    return ""


def _reference(questions: Sequence[str]) -> str:
    if len(questions) == 1:
        return f'You ask: "{quoted(questions[0])}".'
    ordinal = (
        ORDINALS[len(questions) - 1] if len(questions) <= len(ORDINALS) else f"{len(questions)}th"
    )
    earlier = f'You began with "{quoted(questions[0])}"'
    if len(questions) > 2:
        earlier += f' and then came to "{quoted(questions[-2])}"'
    return f'{earlier}; your {ordinal} question is "{quoted(questions[-1])}".'


def quoted(question: str) -> str:
    """The sentence of a turn that asks, without greetings, at most QUOTED_WORDS words."""
    told = sentences(question) or [question]
    asked = next((sentence for sentence in reversed(told) if "?" in sentence), told[-1])
    if len(told) > 1 and len(asked.split()) < 9:
        asked = f"{told[-2]} {asked}" if told[-1] == asked else asked
    text = _OPENING.sub("", " ".join(asked.split())) or asked
    tokens = text.split()
    return " ".join(tokens[:QUOTED_WORDS]) + (" …" if len(tokens) > QUOTED_WORDS else "")
