"""Tolerant reading of teacher replies, shared by the tasks: think blocks, code fences, JSON in prose, "Answer: …", `\\boxed{}`.

Replies may be hostile: each pattern here takes time linear in the text (100 kB in a few milliseconds), and what is searched
around a mark is bounded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from shared.dataset.rejection import RejectionReason
from shared.tasks.base import Answer, Unreadable

THINK_TAG = re.compile(r"<(/?)(?:think|thinking|thought)>", re.IGNORECASE)
# a fence of these kinds is dress around prose; one of a programming language is part of the answer
PROSE_FENCE = re.compile(
    r"(`{3,}|~{3,})[ \t]*(?:(?:text|txt|plaintext|markdown|md)[ \t]*)?", re.IGNORECASE
)
FENCE_LINE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[ \t]*(?:[\w+-]+[ \t]*)?$", re.MULTILINE)
TAG = re.compile(r"</?[A-Za-z][\w-]{0,30}>")
TEX_TEXT = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mbox)\s?\{([^{}]{0,200})\}")
EMPHASIS = re.compile(r"`+|__+|(?<!\d)\*+|\*+(?!\d)")  # a star between digits multiplies
QUOTE_OR_HEADING = re.compile(r"^[ \t]*[>#]+[ \t]*", re.MULTILINE)
SURROGATE = re.compile("[\ud800-\udfff]")

DECODER = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)
OBJECT_START = re.compile(r'\{\s*["}]')
MAX_OBJECTS = 50  # tried in one reply
TRAILING_COMMA = re.compile(r",(\s*[}\]])")
ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})|\\')
ANSWER_KEYS = (
    "answer",
    "final_answer",
    "correct_answer",
    "label",
    "choice",
    "prediction",
    "result",
)

BOXED = re.compile(
    r"(?:\\b|\x08)oxed\s*\{"
)  # \x08: what JSON makes of a backslash that was not doubled
HASHES = re.compile(r"^[ \t]*####[ \t]*(\S[^\n]*)$", re.MULTILINE)
MARK = re.compile(
    r"\b(?:(final|correct)[ \t]+)?(?:answer|label|classification|relationship|result|choice|option)"
    r"(?:[ \t]+(?:to|for|of|between)\b[^.:=?!\n]{0,40}?)?[\"']?[ \t]*"
    r"(?:\bis\b|\bwas\b|\b(?:would|should|must)[ \t]+be\b|\bequals\b|[:=])[\s:=]*",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(r"(?<!\b[A-Za-z])[.!?](?=\s)")  # "B. the text" goes on
MAX_MARKS = 20  # the last ones count
MARK_WINDOW = 200  # characters behind a mark in which its answer must end
DOUBT = re.compile(
    r"\b(?:not|never|neither|nor|either|or|maybe|perhaps|possibly|unsure|uncertain|unclear|cannot|wrong|incorrect"
    r"|(?:might|may|could|can)[ \t]+be)\b|n['’]t\b",
    re.IGNORECASE,
)
# what follows an answer without being part of it
AFTERWORD = re.compile(
    r"\W*(?:explanation|reason|because|justification|rationale|why|note|here|let me|i hope|hope|feel free|if you|please)",
    re.IGNORECASE,
)
REFUSAL = re.compile(
    r"(?:i['’]?m (?:very |really )?sorry|sorry|i apologi[sz]e|unfortunately)?\W*(?:but )?(?:as an ai[^,.]*,\s*)?"
    r"(?:i (?:can(?:no|['’])t|am (?:not able|unable)|won['’]t|will not|must decline)|i['’]m (?:not able|unable))\b",
    re.IGNORECASE,
)
REFUSAL_WINDOW = 300


def plain_text(reply: str) -> str:
    """The reply without think blocks, an enclosing fence of prose, and space around it; nothing where it shows nothing."""
    text = _unfenced(_without_thinking(whole_characters(reply)).strip()).strip()
    return (
        text
        if any(character.isprintable() and not character.isspace() for character in text)
        else ""
    )


def whole_characters(text: str) -> str:
    """Halves of surrogate pairs replaced: no file could hold them."""
    if not SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def undressed(text: str) -> str:
    """A short answer's text without the marks of markdown, XML and LaTeX; lines stay lines."""
    text = TEX_TEXT.sub(r" \1", text)
    text = TAG.sub("\n", FENCE_LINE.sub("", text))
    return QUOTE_OR_HEADING.sub("", EMPHASIS.sub(" ", text))


def json_objects(text: str) -> Iterator[dict[str, Any]]:
    """Every JSON object that stands in the text; trailing commas and lone backslashes forgiven, numbers left as texts."""
    repaired = TRAILING_COMMA.sub(r"\1", ESCAPE.sub(_escaped, text))
    for candidate in dict.fromkeys((text, repaired)):
        end = tried = 0
        for start in OBJECT_START.finditer(candidate):
            if start.start() < end or tried >= MAX_OBJECTS:
                continue
            tried += 1
            try:
                value, end = DECODER.raw_decode(candidate, start.start())
            except (ValueError, RecursionError):
                continue
            yield cast(dict[str, Any], value)


def reasoned_answer(reply: str) -> Answer | Unreadable:
    """The `{"reasoning", "answer"}` object of a chain-of-thought reply, the last one that is complete."""
    found: Answer | None = None
    for data in json_objects(plain_text(reply)):
        answer, reasoning = _scalar(data.get("answer")), _prose(data.get("reasoning"))
        if answer and reasoning:
            found = Answer(answer, reasoning)
    if found is None:
        return Unreadable(
            RejectionReason.UNREADABLE,
            "the reply holds no JSON object with the texts `reasoning` and `answer`",
        )
    return found


def json_answer(text: str, keys: tuple[str, ...] = ANSWER_KEYS) -> str | None:
    """The answer of the last JSON object that has one, for teachers that send one unasked."""
    found: str | None = None
    for data in _sole_object(text) or json_objects(text):
        named = {name.strip().lower().replace(" ", "_"): value for name, value in data.items()}
        answers = [answer for key in keys if (answer := _scalar(named.get(key)))]
        found = answers[0] if answers else found
    return found


def _sole_object(text: str) -> list[dict[str, Any]] | None:
    """What `json_objects` finds in a text that is one plain object, which most are: without a search and without repairs."""
    if text[:1] != "{" or text.count("{") != 1 or "\\" in text or TRAILING_COMMA.search(text):
        return None
    try:
        return [DECODER.decode(text)]
    except (ValueError, RecursionError):
        return None


def boxed(text: str) -> list[str]:
    """What stands in each `\\boxed{…}`, braces in it balanced."""
    starts = [match.end() for match in BOXED.finditer(text)][-MAX_MARKS:]
    return [content for start in starts if (content := _braced(text, start)).strip()]


def hashed(text: str) -> list[str]:
    """What stands behind each `####`, the mark of GSM8K's answers."""
    return HASHES.findall(text)[-MAX_MARKS:]


def marked_answers(text: str) -> tuple[list[list[str]], list[list[str]]]:
    """What follows "final answer: …", and what follows plainer marks; each as its first sentence and then its whole line."""
    final: list[list[str]] = []
    plain: list[list[str]] = []
    for match in list(MARK.finditer(text))[-MAX_MARKS:]:
        (final if match[1] else plain).append(_behind(text, match.end()))
    return final, plain


def lines(text: str) -> list[str]:
    """The lines at the text's beginning and end, where an answer may stand alone."""
    every = [line.strip() for line in text.splitlines() if line.strip()]
    return every if len(every) <= 2 * MAX_MARKS else [*every[:MAX_MARKS], *every[-MAX_MARKS:]]


def is_doubtful(text: str) -> bool:
    """Whether the text denies, weighs or asks."""
    return DOUBT.search(text) is not None or is_question(text)


def is_question(text: str) -> bool:
    return text.rstrip(" \t\r\n\"'”’).").endswith("?")


def is_refusal(text: str) -> bool:
    """Whether the reply declines to answer at its very beginning."""
    start = re.sub(r"\A\W+", "", text[:REFUSAL_WINDOW])
    return REFUSAL.match(start) is not None


def _without_thinking(reply: str) -> str:
    kept: list[str] = []
    position, thinking, opened = 0, False, False
    for tag in THINK_TAG.finditer(reply):
        if not tag[1] and not thinking:
            kept.append(reply[position : tag.start()])
            thinking = opened = True
        elif tag[1]:
            if not opened:  # the block began in the prompt, as with some chat templates
                kept.clear()
            thinking, opened = False, True
        position = tag.end()
    return "".join(kept) if thinking else "".join([*kept, reply[position:]])


def _unfenced(text: str) -> str:
    first, _, rest = text.partition("\n")
    if not rest:
        return (
            text[3:-3]
            if len(text) > 6 and text.startswith("```") and text.endswith("```")
            else text
        )
    opening = PROSE_FENCE.fullmatch(first.strip())
    body, newline, last = rest.rpartition("\n")
    if opening is None or not newline or last.strip() != opening[1] or opening[1] in body:
        return text
    return body


def _escaped(escape: re.Match[str]) -> str:
    return escape[0] if len(escape[0]) > 1 else "\\\\"


def _braced(text: str, start: int) -> str:
    """Up to the brace that closes the one before `start`; nothing where none does within reach."""
    depth = 1
    for position in range(start, min(len(text), start + MARK_WINDOW)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[start:position]
    return ""


def _behind(text: str, start: int) -> list[str]:
    line, newline, _ = text[start : start + MARK_WINDOW].partition("\n")
    sentence, *more = SENTENCE_END.split(line, maxsplit=1)
    ends = bool(newline) or start + MARK_WINDOW >= len(
        text
    )  # a line that was cut could end within a number
    return [
        part for part in ((sentence, line) if ends else (sentence,) if more else ()) if part.strip()
    ]


def _scalar(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return whole_characters(value).strip() if isinstance(value, str) else None


def _prose(value: Any) -> str | None:
    """Reasoning as text; some models send its steps as a list."""
    if isinstance(value, list):
        steps = [step for step in cast(list[Any], value) if isinstance(step, str)]
        return whole_characters("\n".join(steps)).strip()
    return whole_characters(value).strip() if isinstance(value, str) else None
