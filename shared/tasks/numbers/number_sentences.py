"""Reads the number that one sentence of a closed form states, such as "The total is 7 apples.".

    sentence   {opener} subject verb {adverb} number    for instance "So the profit is ($1,200)."
    subject    a noun phrase without digits, commas, a second verb, denial, doubt or clause

Sentences of any other form state nothing. What somebody has or does ("She sold 24 clips.") may be
a step on the way: it counts behind an opener, and in a sentence that is the whole answer.
"""

from __future__ import annotations

import re

from shared.tasks.numbers.number_tables import TABLES, one_of
from shared.tasks.numbers.numbers import MAX_CHARACTERS, read_number

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
    r"(?<= )(?:(?:could|would) )?(?:takes?|took) (?-i:[A-Z])[a-z]+(?= )"
    r"|(?<![\w'’-])(?:(?:can|could|would|should|must|(?:need|ha)(?:s|ve)? to) )?"
    rf"(?:{'|'.join(TABLES.actions)})(?:s|es|d|ed)?"
    r"(?: (?:him|her|them|us|you|me))?(?= )",
    FLAGS,
)
# Before the subject of a conclusion: "Therefore, after 3 days, Mia has 9."
CIRCUMSTANCE = re.compile(
    r"(?:after|in|with|for|at|by|over|during|on|from) ([^,.;:?!=]{1,80}), +", FLAGS
)
ADVERB = re.compile(rf" *(?:{one_of(TABLES.adverbs)}) +", FLAGS)
VARIABLE = re.compile(r"\$([A-Za-z])\$|\\\(([A-Za-z])\\\)")
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
    circumstance = CIRCUMSTANCE.match(sentence) if opener else None
    if circumstance and not _is_excluded(circumstance[1]):
        sentence = sentence[circumstance.end() :]
    is_conclusion = opener is not None
    number = _stated_by(VERB, sentence, is_conclusion)
    if number is None and (is_conclusion or (is_answer and "=" not in sentence)):
        return _stated_by(ACTION, sentence, is_conclusion)
    return number


def _stated_by(verbs: re.Pattern[str], sentence: str, is_conclusion: bool) -> str | None:
    for verb in verbs.finditer(sentence):
        adverb = ADVERB.match(sentence, verb.end())
        number = read_number(sentence[adverb.end() if adverb else verb.end() :])
        subject = VARIABLE.sub(r"\1\2", sentence[: verb.start()]).strip()
        if is_conclusion and verb[0].isascii() and verb[0][-1].isalpha():
            for pattern, replacement in TABLES.conclusion_subjects:
                subject = pattern.sub(replacement, subject)
        if number and SUBJECT.fullmatch(subject) and not _is_excluded(subject):
            is_loss = not TABLES.losses.isdisjoint(subject.lower().split())
            return None if is_loss and not number.startswith("-") else number
        if verb[0].lower() not in TABLES.nouns:
            return None
    return None


def _is_excluded(text: str) -> bool:
    """Return whether the words before a verb deny or doubt it, or are too many."""
    words = re.split(r"[ '’/-]", text.lower())
    if len(words) > MAX_SUBJECT_WORDS or not TABLES.excluded.isdisjoint(words):
        return True
    return any(word in text for word in TABLES.excluded_parts)
