"""Answers to rows that no key has, and wrong answers: one plain rule for each task.

| task          | recognised by                       | answer without a key                      |
|---------------|-------------------------------------|-------------------------------------------|
| nlu_qa        | lettered choices in the question    | the first choice                          |
| nli           | a pair of texts, or quoted labels   | the first label that the prompt names     |
| summarization | a request for a summary             | the first sentences within the word limit |
| math          | a question with figures, no history | the sum of its figures (often wrong)      |
| conversation  | anything else                       | a fixed sentence that says it is canned   |
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from decimal import Decimal, InvalidOperation

from local.emulators.teacher.prompt import Prompt
from local.emulators.teacher.summaries import article, first_sentences, sentences, word_limit

CANNED = "Thank you for your message. This is a canned reply: my answer key doesn't have this row."
OFF_TOPIC = "I am not sure about that, but the weather has been very pleasant lately."

_CHOICE = re.compile(r"^[ \t]*[-*]?[ \t]*\(?([A-Z])[).:][ \t]*\S", re.MULTILINE)
_INLINE_CHOICE = re.compile(r"\(([A-Z])\)\s*[^()\n]")
_PAIR = re.compile(
    r"(?:^|\n)\W*(?:premise|text 1|text a|sentence 1|sentence a|statement 1|passage|context"
    r"|evidence|document|text)\W{0,3}:[\s\S]+?\n\W*(?:hypothesis|text 2|text b|sentence 2"
    r"|sentence b|statement 2|claim|statement|conclusion)\W{0,3}:[\s\S]+",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"(?<!\w)['\"‘“`]([A-Za-z][A-Za-z _-]{1,30}?)['\"’”`](?!\w)")
_NAMES_LABELS = re.compile(r"label|\bone of\b|entail|contradict", re.IGNORECASE)
_LABELS = ("entailment", "contradiction", "neutral")
_NOT_LABELS = frozenset({"premise", "hypothesis", "text", "label", "answer", "reasoning"})
_SUMMARY = re.compile(r"\bsummar|\bcondense|\btl;?dr\b", re.IGNORECASE)
_FIGURE = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_ASKS_NUMBER = re.compile(
    r"\b(?:maths?|mathematic\w*|arithmetic|integers?|numeric\w*|numbers?|word problems?)\b"
    r"|\bhow (?:many|much|old|far|long)\b|\bwhat (?:is|was|are)\b",
    re.IGNORECASE,
)


class Fallback(ABC):
    """The rule of one task."""

    @abstractmethod
    def recognises(self, prompt: Prompt) -> bool: ...

    @abstractmethod
    def answer(self, prompt: Prompt) -> str: ...

    @abstractmethod
    def wrong_answers(self, prompt: Prompt, right: str) -> list[str]:
        """Return answers that the task accepts, or texts that are worse; none equals `right`."""

    def shorten(self, prompt: Prompt, answer: str) -> str:
        """Return an answer from a key within the limits of this prompt."""
        return answer


class _Choices(Fallback):
    def recognises(self, prompt: Prompt) -> bool:
        return len(self._letters(prompt)) >= 2

    def answer(self, prompt: Prompt) -> str:
        return self._letters(prompt)[0]

    def wrong_answers(self, prompt: Prompt, right: str) -> list[str]:
        return [letter for letter in self._letters(prompt) if letter != right]

    def _letters(self, prompt: Prompt) -> list[str]:
        """Return the letters of the choices: A, B and so on, without a gap."""
        for pattern in (_CHOICE, _INLINE_CHOICE):
            letters: list[str] = []
            for letter in pattern.findall(prompt.question):
                if letter == chr(ord("A") + len(letters)):
                    letters.append(letter)
            if len(letters) >= 2:
                return letters
        return []


class _Inference(Fallback):
    def recognises(self, prompt: Prompt) -> bool:
        named = len(_quoted(prompt.system)) >= 2 and _NAMES_LABELS.search(prompt.system)
        return bool(named or _PAIR.search(prompt.question))

    def answer(self, prompt: Prompt) -> str:
        return self._labels(prompt)[0]

    def wrong_answers(self, prompt: Prompt, right: str) -> list[str]:
        return [label for label in self._labels(prompt) if label != right]

    def _labels(self, prompt: Prompt) -> list[str]:
        for text in (prompt.system, _PAIR.sub("", prompt.question)):
            labels = _quoted(text)
            if len(labels) >= 2:
                return labels
        return list(_LABELS)


class _Summary(Fallback):
    def recognises(self, prompt: Prompt) -> bool:
        request = _SUMMARY.search(prompt.system) or _SUMMARY.search(prompt.question[:300])
        return bool(request) and not prompt.has_history

    def answer(self, prompt: Prompt) -> str:
        return self.shorten(prompt, article(prompt.question))

    def wrong_answers(self, prompt: Prompt, right: str) -> list[str]:
        last = self.shorten(prompt, sentences(article(prompt.question))[-1])
        return [last if last != right else "The text reports on several events."]

    def shorten(self, prompt: Prompt, answer: str) -> str:
        return first_sentences(sentences(answer), word_limit(prompt.system, prompt.question))


class _Arithmetic(Fallback):
    def recognises(self, prompt: Prompt) -> bool:
        request = _ASKS_NUMBER.search(f"{prompt.system}\n{prompt.question}")
        return bool(request and _FIGURE.search(prompt.question)) and not prompt.has_history

    def answer(self, prompt: Prompt) -> str:
        figures = _FIGURE.findall(prompt.question)
        return f"{sum(Decimal(figure.replace(',', '')) for figure in figures):f}"

    def wrong_answers(self, prompt: Prompt, right: str) -> list[str]:
        """Return slips of the kind people make: one off, a carry lost or kept, a step repeated."""
        try:
            value = Decimal(right)
        except InvalidOperation:
            return [self.answer(prompt)]
        slips = (value + 1, value - 1, value + 10, value - 10, value * 2, value + 2, value - 2)
        return [f"{slip:f}" for slip in dict.fromkeys(slips) if slip != value]


class _Conversation(Fallback):
    def recognises(self, prompt: Prompt) -> bool:
        return True

    def answer(self, prompt: Prompt) -> str:
        return CANNED

    def wrong_answers(self, prompt: Prompt, right: str) -> list[str]:
        return [OFF_TOPIC]


# in this order: the first that recognises the prompt answers it
FALLBACKS = (_Choices(), _Inference(), _Summary(), _Arithmetic(), _Conversation())


def fallback_for(prompt: Prompt) -> Fallback:
    """Return the rule of the task that the prompt belongs to."""
    return next(fallback for fallback in FALLBACKS if fallback.recognises(prompt))


def _quoted(text: str) -> list[str]:
    """Return the quoted terms of a text that may be labels, each once."""
    terms = dict.fromkeys(_QUOTED.findall(text))
    return [term for term in terms if term.lower() not in _NOT_LABELS]
