"""Reads the number that one sentence of a closed form states, such as "The total is 7 apples.".

    sentence   {opener} subject verb {adverb} number    for instance "So the profit is ($1,200)."
    subject    a noun phrase without digits, commas, a second verb, denial, doubt or clause

Sentences of any other form state nothing. What somebody has or does ("She sold 24 clips.") may be
a step on the way: it counts behind an opener, and in a sentence that is the whole answer.
"""

from __future__ import annotations

import re

from shared.tasks.number_tables import TABLES, one_of
from shared.tasks.numbers import MAX_CHARACTERS, read_number

FLAGS = re.IGNORECASE
OPENER = re.compile(rf"(?:{one_of(TABLES.openers)}),? +", FLAGS)
VERB = re.compile(
    rf"(?<![\w'’-])(?:{one_of(TABLES.verbs)})(?= )|(?<=\bit)['’]s(?= )"
    rf"|{one_of(TABLES.joined_verbs)}",
    FLAGS,
)
IMPERSONAL = re.compile(rf"(?:{one_of(TABLES.impersonal)}) +", FLAGS)
ENDING = re.compile(rf"(?:{one_of(TABLES.endings)})(?=[.。]?$)")
NUMBER_FIRST = re.compile(
    r"(.+?) (?:(?:is|are) the (?:final |correct |right )?(?:answer|result|total|solution)"
    rf"|{one_of(TABLES.remains)})[.!]?",
    FLAGS,
)
ACTION = re.compile(
    rf"(?<![\w'’-])(?:(?:can|could|would) )?(?:{one_of(TABLES.actions)})"
    r"(?: (?:him|her|them|us|you|me))?(?= )",
    FLAGS,
)
VARIABLE = re.compile(r"\$([A-Za-z])\$|\\\(([A-Za-z])\\\)")
ADVERB = re.compile(rf" *(?:{one_of(TABLES.adverbs)}) +", FLAGS)
SUBJECT = re.compile(r"[^\W\d_]+(?:[ '’/-][^\W\d_]+)*")
MAX_SUBJECT_WORDS = 14


def number_stated(sentence: str, *, is_answer: bool = False) -> str | None:
    """Return the number that a sentence of the closed form states, None for any other text."""
    sentence = sentence.strip()
    if len(sentence) > MAX_CHARACTERS:
        return None
    opener = OPENER.match(sentence)
    sentence = ENDING.sub("", sentence[opener.end() :] if opener else sentence)
    if number := read_number(sentence):
        return number
    if impersonal := IMPERSONAL.match(sentence):
        return read_number(sentence[impersonal.end() :])
    if reverse := NUMBER_FIRST.fullmatch(sentence):
        return read_number(reverse[1])
    if number := _stated_by(VERB, sentence):
        return number
    is_step = opener is None and (not is_answer or "=" in sentence)
    return None if is_step else _stated_by(ACTION, sentence)


def _stated_by(verbs: re.Pattern[str], sentence: str) -> str | None:
    for verb in verbs.finditer(sentence):
        subject = sentence[: verb.start()]
        adverb = ADVERB.match(sentence, verb.end())
        number = read_number(sentence[adverb.end() if adverb else verb.end() :])
        if number and _is_subject(subject):
            is_loss = not TABLES.losses.isdisjoint(subject.lower().split())
            return None if is_loss and not number.startswith("-") else number
        if verb[0].lower() not in TABLES.nouns:
            return None
    return None


def _is_subject(text: str) -> bool:
    text = VARIABLE.sub(r"\1\2", text).strip()
    if not SUBJECT.fullmatch(text):
        return False
    words = re.split(r"[ '’/-]", text.lower())
    is_excluded = any(word in TABLES.excluded for word in words) or any(
        word in text for word in TABLES.excluded if not word.isascii() and word[0] > "\u0370"
    )
    return not is_excluded and len(words) <= MAX_SUBJECT_WORDS
