"""Reads the value that one sentence states, and tells whether it is denied, doubted or taken back.

A sentence states a value in one of these forms. The words are in `sentences.toml`; what else a
clause may be, a task's `ValueReader` tells.

    value {explanation}                               "B, since nothing else digs."
    {lead} subject verb value {explanation}           "So the answer is B."
    clause conclusion {subject verb} value            "It rains, so it is a contradiction."

Patterns take time linear in the text.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from shared.tasks.replies.dress import bare
from shared.tasks.words import word_lists

WORDS = word_lists(__file__)
any_of = WORDS.any_of
FLAGS = re.IGNORECASE | re.DOTALL
MAX_SENTENCE = 1000  # characters; a longer one states no label or choice
MAX_HEADS = 12

# "B. the text" continues, and so do "z.B. the text" and "5! ways".
SENTENCE_END = re.compile(
    r"(?<!\b[A-Za-z])(?<!\bNo)(?<!\bvs)(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bDr)(?<!\bRs)"
    r"(?:[.?…]|(?<!\d)!|!(?=\s+[A-Z]))(?=\s)|[。！？]|\n"
)
OF_WHAT = (
    r"(?:[ \t]+(?:to|for|of|between|from|here|à|zu|auf|de|(?-i:a)|на|zwischen|entre|tra|между)\b"
    r"[^.:：=?!\n]{0,100}?|\s*[\"“][^\"”\n]{1,300}[\"”])?"
)
# "correct answer (to the question) is", or a colon
MARK = (
    rf"(?<!\w)(?P<adjectives>(?:{any_of('adjectives')}\s+){{0,3}})"
    rf"(?:(?P<strong>{any_of('strong_nouns')})|(?P<weak>{any_of('weak_nouns')}))"
    rf"(?:\s{any_of('adjectives')})?{OF_WHAT}[\"'”’]?"
    rf"(?:[ \t]*(?!(?<=\d):\d)(?:[:：=→⇒—–]|->|=>)|[ \t]+{any_of('copulas')}"
    r"|[ \t]+-[ \t]+(?=[^\W\d])|(?P<heading>[*_]{0,3}[ \t]*$))"
    rf"[ \t:：=]*(?:{any_of('articles')}[ \t]+)?"
)
NOUN = re.compile(MARK, re.IGNORECASE | re.MULTILINE)
BEGINS_WITH_NO = re.compile(r"\W*no\s+\w", re.IGNORECASE)  # "No answer is given"

CONCLUSION = re.compile(rf"(?:(?:and|but|y|et|und)\s+)?{any_of('conclusions')}[\s,，:：]*", FLAGS)
EXPLANATION = re.compile(
    rf"(?:\s*[,;(（—–]+\s*|\s+-\s+|\s+){any_of('explanations', 'contrasts')}", FLAGS
)
CORRECTION = re.compile(
    rf"\W*(?:(?:but|oh|ah|and|note|edit|update)[\s,:]+)?{any_of('corrections')}"
    r"|\W*not\b[^.\n]{1,40}\bbut\b",
    FLAGS,
)
DOUBT = re.compile(
    rf"[\s,;:(（—–\"'”’*)\]-]*(?:{any_of('doubts', 'conditions')}|not[ .!)]*\Z)", FLAGS
)

# Of labels and choices alone:
LEAD = re.compile(rf"(?:{any_of('leads', 'conclusions')}[\s,:]*)+", FLAGS)
SUBJECT = re.compile(
    rf"(?:{any_of('determiners')}\s+)?(?:{MARK}"
    rf"|{any_of('subjects').replace('…', OF_WHAT)}\s*{any_of('copulas', 'links')}[\s:]*)"
    rf"(?:{any_of('articles', 'softeners')}[\s:]+)*",
    FLAGS,
)
# Behind "B. " only a capital letter begins an explanation, else the choice's text.
BREAK = re.compile(
    r"(?<=\w\w)[\"'”’*]?[,.!](?=\s)|\s*[:;(—–](?=\s|\w)|\s+-\s"
    rf"|(?-i:(?<=\b[A-Z][.)\]])(?=\s+[^\Wa-z\d_]))(?!\s+{any_of('refused')})"
    rf"|,?\s+{any_of('explanations', 'clause_explanations', 'contrasts')}",
    FLAGS,
)
CLAUSE_START = re.compile(rf"\W*{any_of('explanations', 'clause_explanations')}?\s*", FLAGS)
CLAUSE_CONCLUSION = re.compile(rf"[\s,;.—–]+{any_of('clause_conclusions')}[\s,:]+", FLAGS)
CLAUSE = re.compile(
    rf"[,;.—–]\s+|\s+(?:{any_of('objections', 'clause_conclusions')}|and)\s+", FLAGS
)
OBJECTION = re.compile(any_of("objections"), FLAGS)
REFUSED = re.compile(any_of("refused"), FLAGS)
CONDITION = re.compile(any_of("conditions"), FLAGS)
DENIAL = re.compile(r"\W*(?:no|false|wrong|incorrect)\W*(?:\Z|[,.;])", FLAGS)  # "neutral: no"
RATHER = re.compile(
    r"(?P<value>.+?),?\s+(?:and\s+not|not|rather\s+than|instead\s+of|as\s+opposed\s+to)\s+"
    r"(?:an?\s+)?(?P<other>.+)",
    FLAGS,
)
# "It is not X but Y", "not X; it is Y"
NOT_BUT = re.compile(
    r"not\s+(?:an?\s+)?(?P<other>\S+(?:\s\S+){0,3}?)"
    r"(?:,?\s+but(?:\s+rather)?|\s*[;,.]\s*(?:but|rather|it\s+is|it['’]s))\s+(?:an?\s+)?(?P<value>\S.*)",
    FLAGS,
)
QUOTATION = re.compile(r"\"[^\"]*\"|“[^”]*”|(?<!\w)'[^']*'(?!\w)|(?<!\w)‘[^’]*’(?!\w)")


@dataclass(frozen=True, slots=True)
class Statement:
    """The value that a text states, and the text behind it."""

    value: str
    rest: str


class ValueReader(ABC):
    """Reads the values that may be a row's answer."""

    # Whether the values are a closed set that the row offers. Then a first sentence that states one
    # is the answer, and the others explain it; of an open set it may be a step on the way.
    is_closed: ClassVar[bool] = True
    # Whether a sentence that states one value and names another is unclear, with "but" or without.
    mentions_compete: ClassVar[bool] = False

    @abstractmethod
    def alone(self, text: str) -> str | None:
        """Return the value that the text is, None if it isn't one and nothing else."""

    @abstractmethod
    def clause(self, text: str, *, is_answer: bool = False) -> str | None:
        """Return the value that a clause states; `is_answer` if it may be the whole answer."""

    def mentioned(self, text: str) -> set[str]:
        """Return the values of a closed set that the text names, whatever it says of them."""
        return set()

    def is_step(self, line: str) -> bool:
        """Return whether a line is one of the reasoning, though it is a value."""
        return False

    def dressed(self, text: str) -> str | None:
        """Return the value that the text is, in quotation marks, brackets and the like or not."""
        value = self.alone(text)
        return value if value is not None else self.alone(bare(text))


def sentences_in(text: str) -> list[str]:
    """Return the sentences of the text; each line ends one."""
    sentences: list[str] = []
    start = 0
    for end in SENTENCE_END.finditer(text):
        sentences.append(text[start : end.end()].strip())
        start = end.end()
    sentences.append(text[start:].strip())
    return [sentence for sentence in sentences if sentence]


def is_correction(sentence: str) -> bool:
    """Return whether the sentence takes back what was said before."""
    return CORRECTION.match(sentence) is not None


def without_conclusion(sentence: str) -> str | None:
    """Return what "Therefore, …" draws as the conclusion, None if the sentence draws none."""
    drawn = CONCLUSION.match(sentence)
    return sentence[drawn.end() :] if drawn else None


def statement(text: str, reader: ValueReader, *, is_answer: bool = False) -> Statement | None:
    """Return the value that a sentence states without doubting or denying it, or None."""
    if reader.is_closed:
        text = " ".join(text[: 2 * MAX_SENTENCE].split())
        if len(text) > MAX_SENTENCE or text.endswith(("?", "？")):
            return None
    stated = _first(text, reader, is_answer=is_answer)
    drawn = without_conclusion(text)
    if stated is None and drawn:
        stated = _first(drawn, reader, is_answer=is_answer)
    if stated is None and reader.is_closed:
        stated = _concluded(text, reader)
    elif stated and (DOUBT.match(stated.rest) or is_correction(stated.rest)):
        return None
    is_contradicted = stated is not None and reader.is_closed and _contradicts(stated, reader)
    return None if is_contradicted else stated


def predicate(text: str, value: Callable[[str], str | None]) -> str | None:
    """Return the value of "(So the answer is) X", "X, not Y", "not Y but X"."""
    text = text.strip().rstrip(".!。").strip().removesuffix("です")
    lead = LEAD.match(text)
    text = text[lead.end() :] if lead and lead.end() < len(text) else text
    subject = SUBJECT.match(text)
    for part in (text, text[subject.end() :] if subject else ""):
        contrast = NOT_BUT.fullmatch(part) or RATHER.fullmatch(part)
        chosen = value(part)
        if chosen is None and contrast:
            chosen = value(contrast["value"])
            chosen = None if value(contrast["other"]) in (None, chosen) else chosen
        if chosen:
            return chosen
    return None


def _first(text: str, reader: ValueReader, *, is_answer: bool) -> Statement | None:
    """Return the first value that the text states up to an explanation."""
    for head, rest in _heads(text, reader):
        value = reader.dressed(head)
        if value is None and (reader.is_closed or not rest):
            value = reader.clause(head, is_answer=is_answer)
        if value:
            return Statement(value, rest)
    return None


def _heads(text: str, reader: ValueReader) -> Iterator[tuple[str, str]]:
    """Yield the ways to end an answer that begins the text: the answer, and the text behind it."""
    yield text, ""
    ends = [pattern.search(text, 1) for pattern in (SENTENCE_END, EXPLANATION)]
    if not BEGINS_WITH_NO.match(text):
        ends.append(NOUN.search(text, 1))
    if reader.is_closed:
        ends += list(BREAK.finditer(text, 1))[:MAX_HEADS]
    for end in ends:
        if end and text[: end.start()].strip():
            yield text[: end.start()].strip(), text[end.start() :]


def _concluded(text: str, reader: ValueReader) -> Statement | None:
    """Return what a last clause concludes: "…, so X"."""
    for conclusion in list(CLAUSE_CONCLUSION.finditer(text))[-MAX_HEADS:]:
        before = text[: conclusion.start()]
        stated = _first(text[conclusion.end() :], reader, is_answer=False)
        if stated and not CONDITION.search(QUOTATION.sub("", before)):
            return Statement(stated.value, f"{before}. {stated.rest}")
    return None


def _contradicts(stated: Statement, reader: ValueReader) -> bool:
    """Return whether the words around a value deny it, state another, or object with another."""
    rest = QUOTATION.sub(lambda quoted: quoted[0] if reader.dressed(quoted[0]) else "", stated.rest)
    if DENIAL.match(rest):
        return True
    for clause in CLAUSE.split(rest):
        other = _first(CLAUSE_START.sub("", clause, count=1), reader, is_answer=False)
        if other and other.value != stated.value:
            return True
    is_rivalry = reader.mentions_compete and not (rest.startswith(".") or REFUSED.search(rest))
    objection = OBJECTION.search(rest)
    if not is_rivalry:
        rest = rest[objection.end() :] if objection else ""
    return bool(reader.mentioned(rest) - {stated.value})
