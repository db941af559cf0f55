"""Reads the choices of a multiple-choice question from the row's own prompt.

Choices are lettered or numbered from the first on, in one block and one form: `(A)`, `A)`, `A.`,
`[A]`, `**A.**`, `A:`, `Option A:`, `a)`, `1.`; on lines of their own or in one. Only the last
question counts: what stands before an answered example's `Answer: B` belongs to that. A question to
be answered with yes or no, or true or false, needs no choices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from shared.dataset.answer_space import AnswerSpace, spelled
from shared.tasks.labels.choice_sentences import OPTIONS
from shared.tasks.labels.label_grammar import MAX_TEXT, find_labels
from shared.tasks.labels.label_lists import ALTERNATIVE, FLAGS, WORDS, any_of

SYMBOL = r"(?P<symbol>[A-Za-z]|\d{1,2})"
# Columns count as lines.
BEGINS = r"(?P<line>(?:^|\n|(?<=\S)\t|(?<=\S)[ ]{2,})[ \t]*(?:[-*•>][ \t]+)?)"
# In one line, a marker stands behind white space or the words before the choices.
INLINE = r"(?<=[\s:;,.?：？，。{\[\"'])"
MARKERS = tuple(
    re.compile(rf"(?:{BEGINS}|{INLINE}|(?=（)){marker}", FLAGS)
    for marker in (
        rf"[(（]{SYMBOL}[)）][:：]?(?=\s|\w)",
        rf"[\"'`]{SYMBOL}[\"'`](?:\s*[:：]|[.)]|(?=\s))",
        rf"<{SYMBOL}>",
        rf"\|[ \t]*{SYMBOL}[ \t]*\|",
        rf"\[{SYMBOL}\][:：]?(?=\s|\w)",
        rf"{OPTIONS}\s+{SYMBOL}\s*[:.)：]",
        rf"\*\*[(\[]?{SYMBOL}[)\].:]*\*\*[).:]?",
        rf"{SYMBOL}[)）\]](?=\s|\w)",
        rf"{SYMBOL}[.．、](?=\s|[^\x00-\x7f]|[a-z])",
        rf"{SYMBOL} ?[:：](?=\s|[^\x00-\x7f])",
        rf"{SYMBOL}\s+[-–—](?=\s)",
    )
)
ANSWERED = re.compile(
    rf"(?:^|\n)[ \t*]*{any_of('answer_headings')}[ \t*]*[:：][ \t*]*\w[^\n]*(?:\n|$)", FLAGS
)
QUESTION = re.compile(
    rf"(?:^|\n)[ \t*]*{any_of('question_headings')}[ \t*\d]*[:：.]|[?？]\s*\n", FLAGS
)
HEADING = re.compile(rf"{any_of('choice_headings')}[ \t*]*[:：]?[ \t*]*\Z", FLAGS)
NO_TEXT = re.compile(rf"(?:[\W_]|{ALTERNATIVE}|(?:and|und|et|y|e)\b)*\Z", FLAGS)
BLANK = re.compile(r"[\W_]*\Z")
BREAK = re.compile(r"\n\s*\n\s*\S")
# Letters and digits of full width
WIDE = {code: code - 0xFEE0 for code in [*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF5B)]}
QUOTED = re.compile(r"[\"']?([^\"']+)[\"'][\s,\]}]*[\"']?\Z")
LINE_END = re.compile(r"\n")
PARAGRAPH_END = re.compile(
    rf"\n[ \t]*(?:\n|\W*{any_of('answer_headings', 'question_headings')})", FLAGS
)
SPACE = re.compile(r"[ \t]*\n?[ \t]*")
SENTENCE_END = re.compile(r"[.?!]\s")
CLOSED_ANSWERS = [answers.split("/") for answers in WORDS["closed_answers"]]
STARTS = ("A", "a", "0", "1")
MAX_CHOICE = 1000  # characters


@dataclass(frozen=True)
class Choices:
    """One block of choices: its place, its values and their texts."""

    start: int
    end: int
    values: tuple[str, ...]
    texts: tuple[str, ...]
    rank: int  # capitals before small letters before numbers, which may number statements


def find_choices(system: str | None, user: str) -> AnswerSpace | str:
    """Return the choices of the last question in a row's prompts, or why they cannot be told."""
    question = last_question(user[-MAX_TEXT:].translate(WIDE))
    blocks = _belonging(question, list(_blocks(question)))
    if len({(block.values, block.texts) for block in blocks}) > 1:
        return "the last question has several blocks of choices"
    if blocks and not QUESTION.search(question, blocks[0].end):
        return AnswerSpace(blocks[0].values, blocks[0].texts)
    closed = _closed_answers(system, user)
    if blocks and not closed:
        return AnswerSpace(blocks[0].values, blocks[0].texts)
    return closed or "the last question offers no choices in order, e.g. lines like (A) …"


def last_question(text: str) -> str:
    """Return what follows the last answered example, if anything does."""
    parts: list[str] = []
    start = 0
    for match in ANSWERED.finditer(text):
        parts.append(text[start : match.start()])
        start = match.end()
    parts.append(text[start:])
    return next((part for part in reversed(parts) if part.strip()), "")


def _blocks(text: str) -> Iterator[Choices]:
    starts: set[int] = set()
    for pattern in MARKERS:
        markers = list(pattern.finditer(text))
        for position, marker in enumerate(markers):
            start = marker.start("symbol")
            if marker["symbol"] not in STARTS or start in starts:
                continue
            block = _block(text, markers[position:])
            if block and not _is_repeated(text, markers, position):
                starts.add(start)
                yield block


def _is_repeated(text: str, markers: list[re.Match[str]], position: int) -> bool:
    """Return whether the line before has the same letter: lines that were lettered wrong."""
    if position == 0 or markers[position - 1]["symbol"] != markers[position]["symbol"]:
        return False
    between = text[markers[position - 1].end() : markers[position].start("symbol")]
    return markers[position - 1]["line"] is not None and between.strip(" \t").count("\n") == 1


def _block(text: str, markers: list[re.Match[str]]) -> Choices | None:
    """Return the block of choices that begins at the first of these markers."""
    block = _block_of(text, markers, on_lines=True)
    is_one_line = len(markers) > 1 and "\n" not in text[markers[0].end() : markers[1].start()]
    if block or not is_one_line or markers[0]["line"] is None:
        return block
    block = _block_of(text, markers, on_lines=False)
    return block if block and (len(block.values) > 2 or ")" in markers[0][0]) else None


def _block_of(text: str, markers: list[re.Match[str]], *, on_lines: bool) -> Choices | None:
    chosen = [markers[0]]
    on_lines = on_lines and markers[0]["line"] is not None
    for marker in markers[1:]:
        if on_lines and marker["line"] is None and _is_bare(marker):
            continue
        between = text[chosen[-1].end() : marker.start()]
        if BREAK.search(between) or len(between) > MAX_CHOICE:
            break
        if marker["symbol"] == _next(chosen[-1]["symbol"]):
            chosen.append(marker)
        elif marker["line"] is not None or not on_lines:
            is_left_out = marker["symbol"] not in STARTS and on_lines
            if is_left_out and "\n" not in between.strip("\n"):
                return None  # a letter is left out
            break
    if len(chosen) < 2:
        return None
    ends = [*(marker.start() for marker in chosen[1:]), _last_end(text, chosen)]
    texts = [_text(text[m.end() : end]) for m, end in zip(chosen, ends, strict=True)]
    if not on_lines and not any(choice.endswith((".", "?")) for choice in texts[:-1]):
        texts[-1] = texts[-1].rstrip(".?")
    no_text = BLANK if on_lines else NO_TEXT
    if any(no_text.match(choice) for choice in texts):
        return None
    symbols = tuple(marker["symbol"].upper() for marker in chosen)
    rank = STARTS.index(chosen[0]["symbol"])
    return Choices(chosen[0].start(), ends[-1], symbols, tuple(texts), rank)


def _is_bare(marker: re.Match[str]) -> bool:
    """Return whether a marker could as well be an initial or the end of a sentence."""
    return not re.search(r"[(\[*（]", marker[0])


def _next(symbol: str) -> str:
    return str(int(symbol) + 1) if symbol.isdigit() else chr(ord(symbol) + 1)


def _last_end(text: str, chosen: list[re.Match[str]]) -> int:
    start = chosen[-1].end()
    pairs = pairwise(chosen)
    is_long = any("\n" in text[one.end() : other.start()].strip() for one, other in pairs)
    begin = SPACE.match(text, start)
    end = (PARAGRAPH_END if is_long else LINE_END).search(text, begin.end() if begin else start)
    end = end.start() if end else len(text)
    earlier = text[chosen[0].end() : chosen[-1].start()].strip()
    sentence = SENTENCE_END.search(text, start, end)
    is_inline = chosen[-1]["line"] is None
    if is_inline and sentence and not SENTENCE_END.search(f"{earlier} "):
        return sentence.start()
    return end


def _text(choice: str) -> str:
    """Return a choice's text without the signs that separate it from the next."""
    without = re.sub(rf"[\s,;]+{ALTERNATIVE}\s*\Z", "", choice, flags=FLAGS)
    without = re.sub(r"</\w>\Z", "", without, flags=FLAGS)
    without = re.sub(r"\s+", " ", without).strip(" ,;*|")
    quoted = QUOTED.match(without)
    return quoted[1] if quoted else without


def _belonging(question: str, blocks: list[Choices]) -> list[Choices]:
    """Return the blocks that can be the question's: best those below a heading, else the last."""
    headed = [block for block in blocks if HEADING.search(question[: block.start].rstrip())]
    blocks = sorted(headed or blocks, key=lambda block: block.start)
    for position in range(len(blocks) - 1, 0, -1):
        if QUESTION.search(question, blocks[position - 1].end, blocks[position].start + 1):
            blocks = blocks[position:]
            break
    rank = min((block.rank for block in blocks), default=0)
    return [block for block in blocks if block.rank == rank]


def _closed_answers(system: str | None, user: str) -> AnswerSpace | None:
    """Return yes and no, or true and false, where the prompt asks for them."""
    labels = find_labels(system, user).labels
    names = labels.names if labels else frozenset[str]()
    for answers in CLOSED_ANSWERS:
        if frozenset(map(spelled, answers)) == names:
            return AnswerSpace(tuple(answers))
    return None
