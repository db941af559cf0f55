"""Labels in replies: as the whole text, and in clauses that state one.

The forms of clauses are few and closed (`label_sentences.toml`). What denies or doubts a label, and
what only mentions one, has none of them.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pydantic import Field

from shared.core.tables import Table, read_table
from shared.dataset.answer_space import AnswerSpace, spelled
from shared.tasks.replies.sentences import FLAGS, ValueReader, predicate
from shared.tasks.words import any_of


class LabelForms(Table):
    """The other forms of a label."""

    names: frozenset[str]
    words: list[str]
    sentences: list[str] = Field(default_factory=list[str])


class _Tables(Table):
    nouns: list[str]
    purposes: list[str]
    forms: list[LabelForms]
    placeholders: dict[str, str]


TABLES = read_table(_Tables, __file__)
MAX_VALUE = 600  # characters that can be one label
PREMISE_OR_HYPOTHESIS = "(?:{PREMISE}|{HYPOTHESIS})".format_map(TABLES.placeholders)
# "There is a clear X between …", "(It is) an X of the premise"
OF_TEXTS = re.compile(
    r"(?:there\s+is\s+(?:an?\s+)?(?:(?:clear|direct|logical)\s+)*)?(.+?)"
    r"(?:\s+here|\s+between\s+.{1,100}"
    rf"|\s+(?:of|to|with|with\s+(?:respect|regard)\s+to|regarding|given)\s+{PREMISE_OR_HYPOTHESIS}"
    rf"|\s+to\s+{any_of(TABLES.purposes)}(?:\W.*)?)?",
    FLAGS,
)
NOUN = re.compile(rf"\A[\s\"'“(\[*]*(?:an?\s+|the\s+)?(?:{any_of(TABLES.nouns)}\s+)?", FLAGS)
NOUN_BEHIND = re.compile(
    r"(?<=\w{4})\s+(?:relationship|relation|label|pair|case|class|category)\W*\Z", FLAGS
)
# "1. neutral", "(a) neutral"
ENUMERATED = re.compile(r"\W*(\d{1,2}|[a-zA-Z])[.):]+\s+(?=\w{3})")
YES_OR_NO = re.compile(r"(?:yes|no)[,.]\s+", FLAGS)


class LabelReader(ValueReader):
    """Reads the labels of one answer space."""

    def __init__(self, space: AnswerSpace) -> None:
        self._space = space
        self._sentences: dict[str, re.Pattern[str]] = {}
        words: dict[str, set[str]] = {}
        for value in space.values:
            forms = _forms_of(value, space.meanings.get(value, ""))
            if forms:
                self._sentences[value] = _sentence_pattern(tuple(forms.sentences))
                for word in forms.words:
                    words.setdefault(word, set()).add(value)
        self._words = {word: values.pop() for word, values in words.items() if len(values) == 1}
        names = [re.escape(value) for value in space.values if len(value) > 2]
        self._mention = re.compile(any_of(names), FLAGS) if names else None

    def alone(self, text: str) -> str | None:
        """Return the label that the text is, once case, quotes and final stop are removed."""
        if len(text) > MAX_VALUE or text.rstrip(" \"'”’*").endswith(("?", "？")):
            return None
        number = ENUMERATED.match(text)
        if number and self._space.value_of(number[1]) is None:
            text = text[number.end() :]
        value = self._space.value_of(text)
        value = value or self._space.value_of(NOUN_BEHIND.sub("", NOUN.sub("", text)))
        return value or self._words.get(spelled(text, words=True))

    def clause(self, text: str, *, is_answer: bool = False) -> str | None:
        """Return the label of "(The answer is) X", "The premise entails the hypothesis"."""
        if self._space.value_of("yes") is None and self._space.value_of("no") is None:
            text = YES_OR_NO.sub("", text, count=1)
        return predicate(text, self._part)

    def mentioned(self, text: str) -> set[str]:
        if self._mention is None:
            return set()
        values = {self._space.value_of(match[0]) for match in self._mention.finditer(text)}
        return {value for value in values if value}

    def _part(self, text: str) -> str | None:
        """Return the label of "X", "X of the premise", "there is X between them", or a sentence."""
        match = OF_TEXTS.fullmatch(text)
        value = self.alone(text) or (self.alone(match[1]) if match else None)
        stated = {label for label, forms in self._sentences.items() if forms.fullmatch(text)}
        return value or (stated.pop() if len(stated) == 1 else None)


@lru_cache(maxsize=256)
def label_reader(space: AnswerSpace) -> LabelReader:
    return LabelReader(space)


def _forms_of(value: str, meaning: str) -> LabelForms | None:
    for name in (spelled(value, words=True), spelled(meaning, words=True)):
        for forms in TABLES.forms:
            if name in forms.names:
                return forms
    return None


@lru_cache(maxsize=64)
def _sentence_pattern(sentences: tuple[str, ...]) -> re.Pattern[str]:
    pattern = "|".join(sentences)
    for name, words in TABLES.placeholders.items():
        pattern = pattern.replace(f"{{{name}}}", words)
    return re.compile(pattern.replace(" ", r"\s+"), FLAGS)
