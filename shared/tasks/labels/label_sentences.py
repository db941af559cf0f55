"""Labels in replies: as the whole text, and in sentences that state one.

The forms of sentences are few and closed. What denies or doubts a label, and what only mentions
one, has none of them.
"""

from __future__ import annotations

import re
from functools import lru_cache

from shared.dataset.answer_space import AnswerSpace, spelled
from shared.tasks.labels.answer_words import WORDS, LabelForms, any_of
from shared.tasks.labels.statements import (
    FLAGS,
    said,
    statement,
    takes_back,
    unled,
    with_afterthought,
)

W = WORDS.replies
MAX_VALUE = 600  # characters that can be one label
PREMISE = rf"(?:the\s+)?{any_of(W.premises)}"
HYPOTHESIS = rf"(?:the\s+)?{any_of(W.hypotheses)}"
EACH_OTHER = r"(?:each\s+other|one\s+another)"
TEXTS = (
    rf"(?:the\s+premise\s+and\s+(?:the\s+)?hypothesis|{PREMISE}|{HYPOTHESIS}"
    r"|(?:the\s+)?(?:two\s+)?(?:texts|sentences|statements)|they)"
)
ADVERB = rf"(?:{any_of(W.adverbs)}\s+)?"
NEITHER = re.compile(
    r"(?:it(?:['’]s|\s+is)\s+)?neither\s+(.+?)\s+nor\s+(.+?)(?:\s*[;,:]\s*(?:so\s+)?(.+))?", FLAGS
)
# "There is a clear X between …", "(It is) an X of the premise"
OF_TEXTS = re.compile(
    r"(?:there\s+is\s+(?:an?\s+)?(?:clear\s+|direct\s+|logical\s+)*)?(.+?)"
    rf"(?:\s+here|\s+between\s+.{{1,100}}|\s+(?:of|to|with|with\s+(?:respect|regard)\s+to|regarding|given)\s+(?:{PREMISE}|{HYPOTHESIS})"
    rf"|\s+to\s+{any_of(W.purposes)}(?:\W.*)?)?",
    FLAGS,
)


NOUN = re.compile(rf"\A[\s\"'“(\[*]*(?:an?\s+|the\s+)?(?:{any_of(W.nouns)}\s+)?", FLAGS)
NOUN_BEHIND = re.compile(
    r"(?<=\w{4})\s+(?:relationship|relation|label|pair|case|class|category)\W*\Z", FLAGS
)
# "1. neutral", "(a) neutral"
ENUMERATED = re.compile(r"\W*(\d{1,2}|[a-zA-Z])[.):]+\s+(?=\w{3})")
YES_OR_NO = re.compile(r"(?:yes|no)[,.]\s+", FLAGS)


class LabelReader:
    """Reads the labels of one answer space."""

    def __init__(self, space: AnswerSpace) -> None:
        self._space = space
        self._forms: dict[str, LabelForms] = {}
        words: dict[str, set[str]] = {}
        for value in space.values:
            forms = _forms_of(value, space.meanings.get(value, ""))
            if forms:
                self._forms[value] = forms
                for word in forms.words:
                    words.setdefault(word, set()).add(value)
        self._verbs = {
            verb: value for value, forms in self._forms.items() for verb in forms.all_verbs
        }
        self._words = {word: values for word, values in words.items() if len(values) == 1}
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
        named = self._words.get(spelled(text, words=True), set[str]())
        return value or next(iter(named), None)

    def stated(self, text: str) -> str | None:
        """Return the label that a sentence states without doubting or denying one, or None."""
        stated = statement(text, self._head) or with_afterthought(text, self.alone)
        return (
            None
            if stated is None or takes_back(stated, self._head, self.mentioned)
            else stated.value
        )

    def contested(self, text: str) -> set[str]:
        """Return the labels that a sentence names without stating one."""
        return self.mentioned(text)

    def mentioned(self, text: str) -> set[str]:
        """Return the labels that the text names, whatever it says of them."""
        if self._mention is None:
            return set()
        values = {self._space.value_of(match[0]) for match in self._mention.finditer(text)}
        return {value for value in values if value}

    def _head(self, text: str) -> str | None:
        text = unled(text)
        if self._space.value_of("yes") is None and self._space.value_of("no") is None:
            text = unled(YES_OR_NO.sub("", text, count=1))
        return said(text, self._of_what) or self._of_texts(text) or self._neither(text)

    def _of_what(self, text: str) -> str | None:
        """Return the label of "X", "X of the premise", "there is X between them"."""
        match = OF_TEXTS.fullmatch(text)
        return self.alone(text) or (self.alone(match[1]) if match else None)

    def _of_texts(self, text: str) -> str | None:
        """Return the label of "The premise entails the hypothesis" and the like."""
        for value, forms in self._forms.items():
            verbs = (*forms.verbs, *(f"(?:does|do) {base}" for base in forms.bases))
            if forms.verbs and _texts_pattern(verbs, tuple(forms.passives)).fullmatch(text):
                return value
            if forms.both_ways and _both_ways(tuple(forms.verbs)).fullmatch(text):
                return value
        return self._does_neither(text)

    def _does_neither(self, text: str) -> str | None:
        undecided = [value for value, forms in self._forms.items() if forms.undecided]
        if len(undecided) != 1 or len(self._verbs) < 2:
            return None
        match = _neither_pattern(tuple(self._verbs)).fullmatch(text)
        denied = {self._verbs[verb.casefold()] for verb in match.groups() if verb} if match else ()
        return undecided[0] if len(denied) == 2 else None

    def _neither(self, text: str) -> str | None:
        """Return the only label left by "Neither X nor Y"."""
        match = NEITHER.fullmatch(text)
        if match is None:
            return None
        denied = {self.alone(match[1]), self.alone(match[2])}
        remaining = [value for value in self._space.values if value not in denied]
        if len(denied - {None}) != 2 or len(remaining) != 1:
            return None
        return remaining[0] if not match[3] or self.alone(match[3]) == remaining[0] else None


@lru_cache(maxsize=256)
def label_reader(space: AnswerSpace) -> LabelReader:
    return LabelReader(space)


def _forms_of(value: str, meaning: str) -> LabelForms | None:
    for name in (spelled(value, words=True), spelled(meaning, words=True)):
        for forms in WORDS.forms:
            if name in forms.names:
                return forms
    return None


@lru_cache(maxsize=64)
def _texts_pattern(verbs: tuple[str, ...], passives: tuple[str, ...]) -> re.Pattern[str]:
    active = rf"(?:{PREMISE}\s+)?{ADVERB}{any_of(list(verbs))}\s+{HYPOTHESIS}"
    passive = rf"{HYPOTHESIS}\s+is\s+{ADVERB}{any_of(list(passives))}\s+by\s+{PREMISE}"
    return re.compile(f"{active}|{passive}", FLAGS)


@lru_cache(maxsize=64)
def _both_ways(verbs: tuple[str, ...]) -> re.Pattern[str]:
    verb = any_of(list(verbs))
    return re.compile(
        rf"{HYPOTHESIS}\s+{ADVERB}{verb}\s+{PREMISE}|{TEXTS}\s+{ADVERB}{verb}\s+{EACH_OTHER}", FLAGS
    )


@lru_cache(maxsize=64)
def _neither_pattern(verbs: tuple[str, ...]) -> re.Pattern[str]:
    verb = f"({any_of(list(verbs))})"
    return re.compile(
        rf"{PREMISE}\s+(?:does\s+not|doesn['’]t|neither)\s+{verb}(?:\s+{HYPOTHESIS})?,?"
        rf"\s+nor\s+(?:does\s+it\s+)?{verb}\s+(?:it|{HYPOTHESIS})"
        rf"|{HYPOTHESIS}\s+is\s+neither\s+{verb}\s+nor\s+{verb}\s+by\s+{PREMISE}",
        FLAGS,
    )
