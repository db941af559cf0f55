"""Words, sentences and numbers of English text, as far as the solvers need them."""

from __future__ import annotations

import re
from functools import lru_cache

WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)]*\s+(?=[\"'“‘(]?[A-Z0-9])")
_ABBREVIATION = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|St|Prof|No|vs|etc|[A-Z])\.$")

_UP_TO_TEN = "zero one two three four five six seven eight nine ten"
_UP_TO_NINETEEN = (
    f"{_UP_TO_TEN} eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBER_WORDS = {
    **{word: value for value, word in enumerate(_UP_TO_NINETEEN.split())},
    **{word: 10 * value for value, word in enumerate(_TENS.split(), 2)},
    "dozen": 12,
    "hundred": 100,
}

_STOPWORDS = """
    a an the this that these those of in on at by for from to with into onto over under about as is are was were be
    been being am do does did has have had will would can could should may might must shall and or but so if then than
    there here it its he she they them their his her him you your i me my we us our who whom whose which what when where
    why how very just also too only not no any some such own same s t up down out off again once because while during
"""
STOPWORDS = frozenset(_STOPWORDS.split())

_FORMS = (
    "bought:buy sold:sell ate:eat eaten:eat slept:sleep built:build kept:keep went:go made:make paid:pay "
    "gave:give given:give drove:drive women:woman men:man children:child people:person mice:mouse "
    "stayed:stay worn:wear wore:wear ran:run sang:sing lost:lose won:win taught:teach "
)
_IRREGULAR: dict[str, str] = {
    form: base for form, _, base in (pair.partition(":") for pair in _FORMS.split())
}


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A crude stem: the same for the usual endings of one word."""
    word = word.lower().removesuffix("'s").removesuffix("’s")
    word = _IRREGULAR.get(word, word)
    for ending in ("ing", "ies", "ied", "ed", "es", "s"):
        if len(word) - len(ending) >= 3 and word.endswith(ending) and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "sl":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 3 else word


def words(text: str) -> list[str]:
    """Words and numbers in lower case."""
    return [word.lower() for word in WORD.findall(text)]


def content_stems(text: str) -> list[str]:
    """Stems of the words that carry meaning."""
    return [stem(word) for word in words(text) if word not in STOPWORDS]


def sentences(text: str) -> list[str]:
    """Sentences, without splitting after initials and titles."""
    found: list[str] = []
    for part in _SENTENCE_END.split(text.strip()):
        if found and _ABBREVIATION.search(found[-1]):
            found[-1] += " " + part
        elif part:
            found.append(part)
    return found


def number(word: str) -> int | None:
    """The whole number that a word or figure stands for."""
    if word.lower() in NUMBER_WORDS:
        return NUMBER_WORDS[word.lower()]
    digits = word.replace(",", "").split(".")[0]
    return int(digits) if digits.isdecimal() and len(digits) < 16 else None
