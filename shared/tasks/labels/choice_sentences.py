"""Choices in replies: a letter, a letter with its text, a text, and clauses that state one."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from shared.dataset.answer_space import AnswerSpace, spelled
from shared.tasks.replies.sentences import FLAGS, ValueReader, predicate
from shared.tasks.words import word_lists

any_of = word_lists(__file__).any_of
OPTIONS = any_of("options")
MAX_MENTIONS = 10_000  # characters of a sentence that are searched for letters
MAX_VALUE = 1200  # characters that can be one choice
# Cyrillic and Greek letters that look like Latin ones: keyboards mix them.
LOOK_ALIKE = str.maketrans("АВСЕНКМОРТХавсекорхΑΒΕΗΙΚΜΝΟΡΤΧ", "ABCEHKMOPTXabcekopxABEHIKMNOPTX")
OPEN = r"[\s\"'“‘«(\[{*_`$]*"
CLOSE = r"[\s\"'”’»)\]}*_`$.,:;。]*"
SYMBOL = r"([^\W\d_]|\d{1,2})"
OPTION = rf"{OPEN}(?:#|{OPTIONS}{OPEN})?"
BARE = re.compile(rf"{OPTION}{SYMBOL}{CLOSE}", FLAGS)
WITH_TEXT = re.compile(
    rf"{OPTION}{SYMBOL}[)\]}}*_.,:：]*(?:\s*[-–—=→]+>?\s|\s|(?<=[)\].:：]))\s*(\S.*)", FLAGS
)
PRAISED = re.compile(
    rf"(?:the\s+)?(.+?)\s*{any_of('praise_links')}\s+(?:{any_of('praise_softeners')}\s+)*"
    rf"{any_of('praise')}|(\S.*?)\s+{any_of('praise_verbs')}",
    FLAGS,
)
MENTION = re.compile(
    rf"[(\[]([A-Za-z])[)\]]|(?<![\w'’.-])([A-Z])[.)](?=\s|$)"
    rf"|(?i:{any_of('options', 'mentions')})\s+([A-Z])(?![\w'’-])"
)
THE = re.compile(r"\A(?:the|#)\s*", FLAGS)
SMALL_LETTER = re.compile(r"[^\w(]*[a-z][^\w(]*")


class ChoiceReader(ValueReader):
    """Reads the choices of one answer space."""

    mentions_compete = True

    def __init__(self, space: AnswerSpace) -> None:
        self._space = space
        self._texts = {spelled(text): value for value, text in space.meanings.items()}

    def alone(self, text: str) -> str | None:
        """Return the choice that the text is: its letter, its text, or both where they agree."""
        if len(text) > MAX_VALUE or text.rstrip(" \"'”’*").endswith(("?", "？")):
            return None
        text = unicodedata.normalize("NFKC", text).strip()
        named = self._texts.get(spelled(text)) or self._space.value_of(THE.sub("", text))
        letter = BARE.fullmatch(text)
        if letter:
            value = self._value(letter[1])
            return None if value and named and named != value else value or named
        both = WITH_TEXT.fullmatch(text)
        value = self._value(both[1]) if both else None
        if both and value and spelled(self._space.meanings.get(value, "")) == spelled(both[2]):
            return value
        return None if value not in (None, named) and both and both[0][0] in "([" else named

    def clause(self, text: str, *, is_answer: bool = False) -> str | None:
        """Return the choice of "(The answer is) B", "B fits best"."""
        return predicate(text, self._part)

    def mentioned(self, text: str) -> set[str]:
        """Return the choices whose letters the text names with a mark of its own."""
        text = text[:MAX_MENTIONS]
        symbols = (
            next(group for group in match.groups() if group) for match in MENTION.finditer(text)
        )
        return {symbol.upper() for symbol in symbols} & set(self._space.values)

    def _part(self, text: str) -> str | None:
        """Return the choice of a part of a sentence, where a bare small letter is a word."""
        if SMALL_LETTER.fullmatch(text):
            return None
        value = self.alone(text)
        praised = PRAISED.fullmatch(text) if value is None else None
        return self._part(praised[1] or praised[2]) if praised else value

    def _value(self, symbol: str) -> str | None:
        folded = symbol.translate(LOOK_ALIKE).upper()
        return folded if folded in self._space.values else self._space.value_of(symbol)


@lru_cache(maxsize=256)
def choice_reader(space: AnswerSpace) -> ChoiceReader:
    return ChoiceReader(space)
