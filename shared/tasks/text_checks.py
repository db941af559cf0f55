"""Checks on what a reply shows, whatever the task."""

from __future__ import annotations

import re

from shared.dataset.rejection import RejectionReason
from shared.tasks.base import Unreadable

REFUSAL = re.compile(
    r"(?:i['’]?m (?:very |really )?sorry|sorry|i apologi[sz]e|unfortunately)?\W*"
    r"(?:but )?(?:as an ai[^,.]*,\s*)?"
    r"(?:i (?:can(?:no|['’])t|am (?:not able|unable)|won['’]t|will not|must decline)"
    r"|i['’]m (?:not able|unable))\b",
    re.IGNORECASE,
)
REFUSAL_WINDOW = 300


def text_problem(text: str) -> Unreadable | None:
    """Return why a text is no answer at all: it is empty or declines to answer."""
    if not text:
        return Unreadable(RejectionReason.EMPTY, "the reply is empty")
    if is_refusal(text):
        return Unreadable(RejectionReason.REFUSED, "the reply declines to answer")
    return None


def is_refusal(text: str) -> bool:
    """Return whether the text declines to answer at its very beginning."""
    start = re.sub(r"\A\W+", "", text[:REFUSAL_WINDOW])
    return REFUSAL.match(start) is not None
