"""Reads the labels of a comparison from the row's own prompt.

The system prompt is read first, then the user message without the texts to compare. Lists of labels
stand in one of these forms; docs/datasets-and-tasks.md has an example of each:

- quoted, in a sentence that speaks of answers or labels, or tells what each of them means
- behind "one of", "Labels:", "Answer with" …: `X, Y or Z`, `X / Y / Z`, `X|Y|Z`
- on lines of their own below such words, with bullets or numbers
- codes with their meanings: `0 for entailment, 1 for neutral`, `e: entailment`
- usual labels that no words introduce, where nothing else is found (`plain_labels.py`)

Lists that differ, and lists of fewer than two labels, are none.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations, islice

from shared.dataset.answer_space import spelled
from shared.tasks.labels.answer_words import WORDS, any_of
from shared.tasks.labels.instructions import DATA, OPENER, instructions
from shared.tasks.labels.label_lists import (
    ALTERNATIVE,
    CONJUNCTION,
    FLAGS,
    MAX_LABEL,
    NOT_LABELS,
    QUOTED,
    SEPARATOR,
    WANTS_CODES,
    WANTS_WORDS,
    LabelList,
    label_list,
    list_at,
    list_item,
    numbered,
    with_codes,
)
from shared.tasks.labels.plain_labels import plain_lists

W = WORDS.prompt
MAX_TEXT = 10_000  # characters of a prompt that are read
MAX_INTRODUCTIONS = 100  # of one kind in a prompt
MAX_WORDS = 8  # of a label on a line of its own

SENTENCE = re.compile(r"(?<=[.!?])\s+|;\s+(?=\w{3})|\n+|(?<=[。！？])")
NAMING = re.compile(rf"\b(?:{'|'.join(W.naming)})|[回标选输关答ラ답레]", FLAGS)
NEGATION = re.compile(any_of(W.negations), FLAGS)
FILLER = re.compile(rf"(?:[\s:：,(\[{{]|[-–—](?=\s)|{any_of(W.fillers)})*", FLAGS)
ARE = any_of(W.copulas)
HEADING = re.compile(rf"{any_of(W.headings)}[\"']?(?:\s+{ARE})?[^\S\n]*[:：(\[{{=∈]", FLAGS)
MARKED_HEADING = re.compile(rf"(?:#+|\*\*)\s*[\w ]*?{any_of(W.headings)}\W*", FLAGS)
HEADING_IS = re.compile(rf"{any_of(W.headings)}\s+{ARE}", FLAGS)
ONE_OF = re.compile(any_of(W.one_of), FLAGS)
VERB = re.compile(
    rf"{any_of(W.verbs)}(?:\s+\w+){{0,3}}?\s*(?:{any_of(W.prepositions)}|[:：])", FLAGS
)
BARE_VERB = re.compile(rf"(?:{any_of(W.verbs)}|{ARE})", FLAGS)
VERB_AND_COLON = re.compile(rf"{any_of(W.verbs)}[^.:：;\n]{{1,80}}[:：]", FLAGS)
USUAL = re.compile(rf"(?:{any_of(W.usual_labels)}|\d{{1,2}}|\w|(?-i:[A-Z]).*)\Z", FLAGS)
BULLET = re.compile(r"[ \t]*(?:[-*•·–]\s+|\(?(\d{1,2}|[a-zA-Z])[.)]\s+)(\S.*)")
TABLE_HEAD = re.compile(r"^[ \t]*\|.*\|[ \t]*\n[ \t]*\|[\s:|-]+\|[ \t]*$", re.MULTILINE)
TABLE_ROW = re.compile(r"^[ \t]*\|\s*([^|\n]+?)\s*\|(?:\s*([^|\n]+?)\s*\|)?.*$", re.MULTILINE)
# The codes of words: "entailment → 0", "entailment=0"
WORD_AND_CODE = re.compile(
    r"[\"']?([^\W\d][\w -]{1,30}?)[\"']?\s*(?:→|->|=>?|[:(])\s*(-?\d{1,2})(?![\w%]|\.\d)"
)
JOINED = re.compile(rf"\A(?:{ALTERNATIVE}|{CONJUNCTION})\s+")
FULL_SENTENCE = re.compile(r"\S+\s+\S+\s.*[.!?]\Z")
IS_KEY = re.compile(r"\s*:\s*[\"'“]")
# In JSON, a key that holds no label, and its value.
OTHER_KEY = re.compile(
    rf"[\"'](?!{any_of(W.headings)}|\w*label)[^\W\d]\w{{2,30}}[\"']\s*:"
    r"\s*(?:\"[^\"\n]*\"|'[^'\n]*'|[\w<>.-]+(?=\s*[,}]))",
    FLAGS,
)
IN_BRACKETS = re.compile(r"[(（]\s*(?=[^()（）\n]{3,60}[)）])")
NEGATION_REACH = 25  # characters before an introduction
CODE = re.compile(
    r"(?<![a-zA-Z\d.])[\"'“‘`(]?([-+]?\d{1,2}|(?-i:[A-Za-z]))[\"'”’`)]?"
    rf"\s*(?:=>?|->|→|[:：(]|\s[-–—]\s|(?<=\d)(?:-|\s+(?:is|ist|est|es)\s)|,?\s*{any_of(W.hard_qualifiers)})\s*"
    r"[\"'“‘`]?([^\n]{1,80}?)(?=\s*(?:[,;，；、.\n\"'”’`)|]|$"
    rf"|(?:{ALTERNATIVE}|{CONJUNCTION})\s+[\"'“‘`(]?(?:-?\d|\w\W)))",
    FLAGS,
)


@dataclass(frozen=True)
class PromptLabels:
    """The labels of a prompt, or the lists that contradict each other."""

    labels: LabelList | None
    conflict: tuple[LabelList, ...] = ()


def find_labels(system: str | None, user: str) -> PromptLabels:
    """Return the labels that a row's prompts name."""
    before, behind = instructions(user)
    parts = [part for part in instructions(system or "") if part]
    lists = [listing for part in parts for listing in label_lists(part)]
    if not lists or before != user or any(map(OPENER.match, user.split("\n"))):
        lists += label_lists(before)  # else the user message is data alone
    listing = agreed(lists)
    if not (listing.labels or listing.conflict):
        listing = agreed(list(label_lists(behind)))
    return listing if listing.labels or listing.conflict else agreed(_closing_question(user))


def _closing_question(user: str) -> list[LabelList]:
    """Return the usual labels with which the last question of a prompt ends."""
    lines = [line for line in user[-MAX_TEXT:].split("\n") if line.strip()]
    sentence = SENTENCE.split(lines[-1])[-1] if lines else ""
    if BARE_VERB.match(sentence):
        return list(label_lists(sentence))
    questions = [line for line in lines if line.rstrip().endswith(("?", "？", "):"))]
    is_data = not questions or DATA.match(questions[-1].lstrip())
    return [] if is_data else list(plain_lists(questions[-1]))


def agreed(lists: list[LabelList]) -> PromptLabels:
    """Return the list that covers all others, or the conflict."""
    is_split = any(_are_apart(*pair) for pair in combinations(lists, 2))
    for candidate in [] if is_split else lists:
        if all(candidate.covers(other) for other in lists):
            return PromptLabels(candidate)
    different = dict(zip((entry.names for entry in lists), lists, strict=True))
    return PromptLabels(None, tuple(different.values()))


def _are_apart(one: LabelList, other: LabelList) -> bool:
    return not (one.names & other.names or one.covers(other) or other.covers(one))


@lru_cache(maxsize=256)
def label_lists(text: str) -> tuple[LabelList, ...]:
    """Return the lists of labels in an instruction."""
    text = TABLE_ROW.sub(r"- \1: \2", TABLE_HEAD.sub("", text[:MAX_TEXT]))
    lists = list(_code_lists(text))
    if not lists:
        lists = [*_lists_on_lines(text), *_lists_behind_words(text)]
        quoted = _quoted_list(text)
        lists += [quoted] if quoted else []
    return tuple(dict.fromkeys(lists or list(_usual_lists(text)) or plain_lists(text)))


def _quoted_list(text: str) -> LabelList | None:
    labels: dict[str, str] = {}
    for sentence in SENTENCE.split(OTHER_KEY.sub("", text)):
        if NAMING.search(sentence):
            for quoted in _quoted(sentence):
                for label in re.split(r"[|/]", quoted):
                    labels.setdefault(spelled(label), label.strip(" <>{}[]"))
    for name in list(labels):
        if (
            name in NOT_LABELS
            or not name
            or FULL_SENTENCE.match(labels[name])
            or len(name) > MAX_LABEL
        ):
            del labels[name]
    return label_list(list(labels.values()))


def _quoted(sentence: str) -> Iterator[str]:
    """Yield what a sentence quotes, without what it says not to answer."""
    negated_end = -1
    for match in QUOTED.finditer(sentence):
        if IS_KEY.match(sentence, match.end()):
            continue
        before = sentence[max(0, match.start() - NEGATION_REACH) : match.start()]
        is_next = SEPARATOR.fullmatch(sentence, negated_end, match.start()) is not None
        if NEGATION.search(re.split(r"[,;]", before)[-1]) or (negated_end >= 0 and is_next):
            negated_end = match.end()
        else:
            yield next(group for group in match.groups() if group)


def _code_lists(text: str) -> Iterator[LabelList]:
    """Yield the codes of each paragraph: numbers that count up, or letters, with meanings."""
    for paragraph in re.split(r"\n\s*\n", text):
        codes: dict[str, str] = {}
        for code, meaning in CODE.findall(paragraph):
            codes.setdefault(code, meaning.strip(" *_("))
        if WANTS_CODES.search(text) and not codes:
            codes = {code: JOINED.sub("", word) for word, code in WORD_AND_CODE.findall(paragraph)}
        numbers = [int(code) for code in codes if code.lstrip("-+").isdigit()]
        are_numbers = len(numbers) == len(codes) and sorted(numbers) == list(
            range(min(numbers, default=0), min(numbers, default=0) + len(numbers))
        )
        are_initials = all(
            meaning.casefold().startswith(code.casefold()) for code, meaning in codes.items()
        )
        are_letters = not numbers and (are_initials or "".join(codes) in string.ascii_uppercase)
        if are_numbers or are_letters:
            listing = label_list(list(codes), list(codes.values()))
            if listing:
                yield listing.with_words() if WANTS_WORDS.search(text) else listing


def _lists_on_lines(text: str) -> Iterator[LabelList]:
    """Yield the lists whose labels stand on lines of their own, below words that announce them."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        announces = line.rstrip().endswith((":", "：")) and NAMING.search(line)
        is_heading = HEADING.fullmatch(line.strip()) or MARKED_HEADING.fullmatch(line.strip())
        if not announces and not is_heading:
            continue
        following = lines[number + 1 :]
        listing = _list_below(following, bare=bool(HEADING.search(line) or HEADING_IS.search(line)))
        if listing:
            yield numbered(with_codes(listing, text), text)
        elif is_heading:
            listing = list_at("\n".join(following).lstrip(), is_strong=True)
            yield from [listing] if listing else []


def _list_below(lines: list[str], *, bare: bool) -> LabelList | None:
    """Return the list that these lines begin with; `bare` lines need no bullets."""
    labels: list[str] = []
    meanings: list[str] = []
    marks: list[str] = []
    is_bulleted = False
    for line in lines:
        if not line.strip() and not labels:
            continue
        bullet = BULLET.match(line)
        if not bullet and (not bare or not line.strip() or is_bulleted):
            break
        is_bulleted = bullet is not None
        label, meaning = list_item(bullet[2] if bullet else line, soft=False, is_line=True)
        if not label or len(label.split()) > MAX_WORDS:
            break
        labels.append(label)
        meanings.append(meaning)
        marks.append((bullet[1] or "") if bullet else "")
    aliases = tuple(zip(marks, labels, strict=True)) if all(marks) else ()
    listing = label_list(labels, meanings if any(meanings) else None)
    return replace(listing, aliases=aliases) if listing else None


def _lists_behind_words(text: str) -> Iterator[LabelList]:
    for introduction, is_strong in ((HEADING, True), (ONE_OF, True), (VERB, False)):
        for match in islice(introduction.finditer(text), MAX_INTRODUCTIONS):
            if NEGATION.search(text, max(0, match.start() - NEGATION_REACH), match.start()):
                continue
            listing = list_at(_behind(text, match), is_strong)
            if listing:
                yield with_codes(listing, text)


def _usual_lists(text: str) -> Iterator[LabelList]:
    """Yield the lists behind what introduces much else: "Answer", "is", a bracket."""
    for introduction in (BARE_VERB, IN_BRACKETS, VERB_AND_COLON, HEADING_IS):
        for match in islice(introduction.finditer(text), MAX_INTRODUCTIONS):
            if NEGATION.search(text, max(0, match.start() - NEGATION_REACH), match.start()):
                continue
            listing = list_at(_behind(text, match), is_strong=introduction is HEADING_IS)
            if listing and all(USUAL.match(label) for label in listing.labels):
                yield with_codes(listing, text)


def _behind(text: str, introduction: re.Match[str]) -> str:
    """Return the text behind an introduction, without words that may stand before a list."""
    filler = FILLER.match(text, introduction.end())
    return text[filler.end() if filler else introduction.end() :]
