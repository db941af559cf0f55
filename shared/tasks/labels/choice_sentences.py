"""Choices in replies: a letter, a letter with its text, a text, and sentences that state one."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from shared.dataset.answer_space import AnswerSpace, spelled
from shared.tasks.labels.answer_words import WORDS, any_of
from shared.tasks.labels.statements import (
    FLAGS,
    Statement,
    said,
    statement,
    takes_back,
    unled,
    with_afterthought,
)

W = WORDS.replies
MAX_MENTIONS = 10_000  # characters of a sentence that are searched for letters
MAX_VALUE = 1200  # characters that can be one choice
# Cyrillic and Greek letters that look like Latin ones: keyboards mix them.
LOOK_ALIKE = str.maketrans("АВСЕНКМОРТХавсекорхΑΒΕΗΙΚΜΝΟΡΤΧ", "ABCEHKMOPTXabcekopxABEHIKMNOPTX")
OPEN = r"[\s\"'“‘«(\[{*_`$]*"
CLOSE = r"[\s\"'”’»)\]}*_`$.,:;。]*"
SYMBOL = r"([^\W\d_]|\d{1,2})"
OPTION = rf"{OPEN}(?:#|{any_of(WORDS.choices.option)}{OPEN})?"
BARE = re.compile(rf"{OPTION}{SYMBOL}{CLOSE}", FLAGS)
WITH_TEXT = re.compile(
    rf"{OPTION}{SYMBOL}[)\]}}*_.,:：]*(?:\s*[-–—=→]+>?\s|\s|(?<=[)\].:：]))\s*(\S.*)",
    FLAGS,
)
# "A. Banks need security": a letter and a sentence that explains it.
LEADING = re.compile(
    rf"[*(\[]{{0,3}}([A-Z])[*.)\]:]{{1,3}}\s+(?!(?i:{any_of(WORDS.replies.refused)}))([^\Wa-z\d_].*)",
    re.DOTALL,
)
PRAISED = re.compile(
    rf"(?:the\s+)?(.+?)\s*(?:{any_of(W.links)})\s+(?:(?:clearly|definitely|probably|obviously)\s+)?"
    rf"(?:{any_of(W.softeners)}\s+)*{any_of(W.praise)}"
    rf"|(\S.*?)\s+{any_of(W.praise_verbs)}",
    FLAGS,
)
MENTION = re.compile(
    rf"[(\[]([A-Za-z])[)\]]|(?<![\w'’.-])([A-Z])[.)](?=\s|$)"
    rf"|(?i:{any_of([*WORDS.choices.option, 'answer(?: is)?', 'letter'])})\s+([A-Z])(?![\w'’-])"
)
THE = re.compile(r"\A(?:the|#)\s*", FLAGS)
REFUSED = re.compile(any_of(W.refused), FLAGS)


class ChoiceReader:
    """Reads the choices of one answer space."""

    def __init__(self, space: AnswerSpace) -> None:
        self._space = space
        self._texts = {spelled(text): value for value, text in space.meanings.items()}

    def alone(self, text: str) -> str | None:
        """Return the choice that the text is: its letter, its text, or both where they agree."""
        if len(text) > MAX_VALUE or text.rstrip(" \"'”’*").endswith(("?", "？")):
            return None
        text = unicodedata.normalize("NFKC", text).strip()
        bare = BARE.fullmatch(text)
        if bare:
            return self._of_symbol(bare[1], text)
        parts = text.split()
        if len(parts) > 1 and len({spelled(part) for part in parts}) == 1:  # "A A A"
            return self.alone(parts[0])
        both = WITH_TEXT.fullmatch(text)
        value = self._value(both[1]) if both else None
        if both and value and spelled(self._space.meanings.get(value, "")) == spelled(both[2]):
            return value
        named = self._space.value_of(text) or self._space.value_of(THE.sub("", text))
        return None if value not in (None, named) and both and both[0][0] in "([" else named

    def stated(self, text: str) -> str | None:
        """Return the choice that a sentence states without taking it back, or None."""
        leading = LEADING.fullmatch(text.strip())
        stated = statement(text, self._head)
        if stated is None and leading and leading[1] in self._space.values:
            stated = Statement(leading[1], leading[2])
        stated = stated or with_afterthought(text, self.alone)
        if stated is None or takes_back(stated, self._head, self.mentioned):
            return None
        return None if self.mentioned(stated.rest) - {stated.value} else stated.value

    def contested(self, text: str) -> set[str]:
        """Return the choices that a sentence names; none if it only says which are wrong."""
        return set() if REFUSED.search(text) else self.mentioned(text)

    def mentioned(self, text: str) -> set[str]:
        """Return the choices whose letters the text names with a mark of its own."""
        text = text[:MAX_MENTIONS]
        symbols = (
            next(group for group in match.groups() if group) for match in MENTION.finditer(text)
        )
        return {symbol.upper() for symbol in symbols} & set(self._space.values)

    def _head(self, text: str) -> str | None:
        value = said(text, self._in_sentence)
        praised = PRAISED.fullmatch(unled(text))
        return value or (self._in_sentence(praised[1] or praised[2]) if praised else None)

    def _in_sentence(self, text: str) -> str | None:
        """Return the choice of a part of a sentence, where a bare small letter is a word."""
        return None if re.fullmatch(r"\W*[a-z]\W*", text) and "(" not in text else self.alone(text)

    def _of_symbol(self, symbol: str, text: str) -> str | None:
        value = self._value(symbol)
        named = self._texts.get(spelled(text))
        return None if value and named and named != value else value or named

    def _value(self, symbol: str) -> str | None:
        folded = symbol.translate(LOOK_ALIKE).upper()
        return folded if folded in self._space.values else self._space.value_of(symbol)


@lru_cache(maxsize=256)
def choice_reader(space: AnswerSpace) -> ChoiceReader:
    return ChoiceReader(space)
