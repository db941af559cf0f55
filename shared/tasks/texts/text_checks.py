"""Named checks of a text that a teacher wrote: whether it is an answer at all.

Each looks for closed forms (`text_checks.toml`), because a right answer that is rejected costs a
row. `quality.skip_checks` switches each of them off.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import islice
from typing import Literal, get_args

from shared.core.tables import Table, read_table
from shared.dataset.rejection import RejectionReason
from shared.tasks.base import Unreadable
from shared.tasks.replies.code_spans import without_code
from shared.tasks.texts.invented_turns import invented_turn
from shared.tasks.texts.languages import is_other_language
from shared.tasks.texts.loops import is_loop
from shared.tasks.texts.patterns import one_of
from shared.tasks.texts.refusals import asks_to_decline, is_refusal, reports
from shared.tasks.texts.word_counts import Length, too_long, too_short, word_count

CheckName = Literal["refusal", "placeholder", "invented_turn", "echo", "loop", "language", "length"]
CHECK_NAMES: tuple[CheckName, ...] = get_args(CheckName)

MIN_ECHO_WORDS = 6
ECHO_SHARE = 0.9  # of a prompt that a long echo repeats
LONG_ECHO_WORDS = 30
WHOLE_PLACEHOLDER_CHARACTERS = 200
WORD = re.compile(r"\w")
SENTENCE = re.compile(r"\s*[^.!?\n。！？]+[.!?\n。！？]*")


class _Placeholders(Table):
    whole: list[str]
    brackets: str
    missing_input: list[str]


class _Loops(Table):
    repeats: list[tuple[int, int]]
    asked_for: str


class _Table(Table):
    placeholder: _Placeholders
    loop: _Loops


@dataclass(frozen=True, slots=True)
class Exchange:
    """A text and what it answers."""

    text: str
    question: str  # the last user message
    prompts: tuple[str, ...]  # all system and user messages so far
    length: Length | None = None  # what is asked for
    is_summary: bool = False


_TABLE = read_table(_Table, __file__)
_PLACEHOLDER = re.compile(
    rf"\W*(?:{'|'.join(_TABLE.placeholder.whole)}|{_TABLE.placeholder.brackets})\W*", re.IGNORECASE
)
_MISSING_INPUT = re.compile(
    r"\W*(?:(?:i['’]m sorry|i am sorry|sorry|apologies|i apologi[sz]e|unfortunately|however|but"
    r"|sure|okay|ok|of course|certainly|as|since|because)\b[,!.:]?\s*(?:but )?){0,2}"
    rf"(?:{one_of(_TABLE.placeholder.missing_input)})",
    re.IGNORECASE,
)
_LOOP_ASKED_FOR = re.compile(_TABLE.loop.asked_for, re.IGNORECASE)


def first_problem(exchange: Exchange, names: Collection[str]) -> Unreadable | None:
    """Return the problem that the first of these checks finds, None if none does."""
    for name, reason, check in CHECKS:
        detail = check(exchange) if name in names else None
        if detail:
            return Unreadable(reason, detail)
    return None


def _refusal(exchange: Exchange) -> str | None:
    if not is_refusal(exchange.text) or any(map(asks_to_decline, exchange.prompts)):
        return None
    return "the reply declines to answer"


def _placeholder(exchange: Exchange) -> str | None:
    """Find a text in the place of an answer, or, instead of a summary, a request for the text."""
    text = exchange.text
    is_placeholder = len(text) <= WHOLE_PLACEHOLDER_CHARACTERS and _PLACEHOLDER.fullmatch(text)
    if not is_placeholder:
        is_summary = exchange.is_summary
        is_placeholder = is_summary and (not WORD.search(text) or _asks_for_input(text))
    if not is_placeholder:
        return None
    return "the reply says that there is nothing to answer; it must answer what is there"


def _asks_for_input(text: str) -> bool:
    for sentence in islice(SENTENCE.finditer(text), 2):
        if _MISSING_INPUT.match(sentence[0]) and not reports(sentence[0]):
            return True
    return False


def _invented_turn(exchange: Exchange) -> str | None:
    head = invented_turn(exchange.text, exchange.question, exchange.is_summary)
    if head is None:
        return None
    return f"the reply goes on with a turn of its own ({head}); it must end with the answer"


def _echo(exchange: Exchange) -> str | None:
    if len(exchange.text) < len(exchange.question) / 2:
        return None
    text = _normal(exchange.text)
    question = _normal(exchange.question)
    is_echo = text == question and word_count(text) >= MIN_ECHO_WORDS
    if exchange.is_summary and word_count(text) >= LONG_ECHO_WORDS:
        is_echo = text in question and len(text) >= ECHO_SHARE * len(question)
    return "the reply repeats what it is to answer; it must answer it" if is_echo else None


def _normal(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _loop(exchange: Exchange) -> str | None:
    if not is_loop(without_code(exchange.text), _TABLE.loop.repeats):
        return None
    if _LOOP_ASKED_FOR.search(exchange.question):
        return None
    return "the reply repeats the same words again and again; it must say everything once"


def _language(exchange: Exchange) -> str | None:
    if not is_other_language(without_code(exchange.text), exchange.prompts):
        return None
    return "the reply is in another language than the question; it must be in the same"


CHECKS: list[tuple[CheckName, RejectionReason, Callable[[Exchange], str | None]]] = [
    ("refusal", RejectionReason.REFUSED, _refusal),
    ("placeholder", RejectionReason.PLACEHOLDER, _placeholder),
    ("invented_turn", RejectionReason.INVENTED_TURN, _invented_turn),
    ("echo", RejectionReason.ECHO, _echo),
    ("loop", RejectionReason.LOOP, _loop),
    ("language", RejectionReason.WRONG_LANGUAGE, _language),
    ("length", RejectionReason.TOO_MANY_WORDS, lambda it: too_long(it.text, it.length)),
    ("length", RejectionReason.TOO_FEW_WORDS, lambda it: too_short(it.text, it.length)),
]
