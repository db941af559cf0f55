"""Reads the labels of a comparison from the row's own prompt.

The system prompt is read first, then the user message without the texts to compare. Lists of labels
stand in one of these forms; docs/reading-replies.md has an example of each:

- codes with their meanings: `0 for entailment, 1 for neutral`, `e: entailment`
- behind "one of", "Labels:", "Answer with" …: `X, Y or Z`, `X / Y / Z`, `X|Y|Z`, or lines below
- quoted, in a sentence that speaks of answers or labels, or tells what each of them means
- usual labels that no words introduce, where nothing else is found

Lists that differ, and lists of fewer than two labels, are none.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, islice, takewhile

from shared.dataset.answer_space import spelled
from shared.tasks.labels.instructions import DATA, OPENER, instructions
from shared.tasks.labels.label_lists import (
    ALTERNATIVE,
    BULLET,
    CONJUNCTION,
    FLAGS,
    MAX_LABEL,
    NOT_LABELS,
    QUOTED,
    SEPARATOR,
    WANTS_CODES,
    WORDS,
    LabelList,
    any_of,
    label_list,
    list_in_sentence,
    list_on_lines,
    wants_codes,
    with_codes,
)

MAX_TEXT = 10_000  # characters of a prompt that are read
MAX_INTRODUCTIONS = 100  # of one kind in a prompt
NEGATION_REACH = 25  # characters before an introduction

SENTENCE = re.compile(r"(?<=[.!?])\s+|;\s+(?=\w{3})|\n+|(?<=[。！？])")
NAMING = re.compile(rf"\b(?:{'|'.join(WORDS['naming'])})|[回标选输关答ラ답레]", FLAGS)
NEGATION = re.compile(any_of("negations"), FLAGS)
FILLER = re.compile(rf"(?:[\s:：,(\[{{]|[-–—](?=\s)|{any_of('fillers')})*", FLAGS)
HEADING = re.compile(
    rf"{any_of('headings')}[\"']?(?:\s+{any_of('copulas')})?[^\S\n]*[:：(\[{{=∈]", FLAGS
)
ONE_OF = re.compile(any_of("one_of"), FLAGS)
VERB = re.compile(
    rf"{any_of('verbs')}(?:\s+\w+){{0,3}}?\s*(?:{any_of('prepositions')}|[:：])", FLAGS
)
BARE_VERB = re.compile(any_of("verbs", "copulas"), FLAGS)
# Labels that need no more than a verb: usual ones, codes and names in capitals.
SHORT = re.compile(rf"(?:{any_of('usual_labels')}|\d{{1,2}}|\w|(?-i:[A-Z]).*)\Z", FLAGS)
# Lines above a list that stands on lines of its own. Below a heading it needs no bullets.
HEADING_LINE = re.compile(
    rf"(?:#+|\*\*)\s*[\w ]*?{any_of('headings')}\W*"
    rf"|[^\"]*{any_of('headings')}[^\"]*[:：][\s*_]*",
    FLAGS,
)
INTRODUCTION_LINE = re.compile(r".*[:：]\s*")
TABLE_HEAD = re.compile(r"^[ \t]*\|.*\|[ \t]*\n[ \t]*\|[\s:|-]+\|[ \t]*$", re.MULTILINE)
TABLE_ROW = re.compile(r"^[ \t]*\|\s*([^|\n]+?)\s*\|(?:\s*([^|\n]+?)\s*\|)?.*$", re.MULTILINE)

FULL_SENTENCE = re.compile(r"\S+\s+\S+\s.*[.!?]\Z")
IS_KEY = re.compile(r"\s*:\s*[\"'“]")
# In JSON, a key that holds no label, and its value.
OTHER_KEY = re.compile(
    rf"[\"'](?!{any_of('headings')}|\w*label)[^\W\d]\w{{2,30}}[\"']\s*:"
    r"\s*(?:\"[^\"\n]*\"|'[^'\n]*'|[\w<>.-]+(?=\s*[,}]))",
    FLAGS,
)

# "0 for entailment", "e: entailment"
CODE_AND_WORD = re.compile(
    r"(?<![a-zA-Z\d.])[\"'“‘`(]?([-+]?\d{1,2}|(?-i:[A-Za-z]))[\"'”’`)]?\s*(?:=>?|->|→|[:：(]"
    rf"|\s[-–—]\s|(?<=\d)(?:-|\s+(?:is|ist|est|es)\s)|,?\s*{any_of('hard_qualifiers')})\s*"
    r"[\"'“‘`]?([^\n]{1,80}?)(?=\s*(?:[,;，；、.\n\"'”’`)]|$"
    rf"|(?:{ALTERNATIVE}|{CONJUNCTION})\s+[\"'“‘`(]?(?:-?\d|\w\W)))",
    FLAGS,
)
# "entailment → 0", "entailment=0"
WORD_AND_CODE = re.compile(
    rf"[\"']?(?:(?:{ALTERNATIVE}|{CONJUNCTION})\s+)?([^\W\d][\w -]{{1,30}}?)[\"']?"
    r"\s*(?:→|->|=>?|[:(])\s*(-?\d{1,2})(?![\w%]|\.\d)"
)

USUAL = rf"[\"'“”‘’`*]{{0,2}}({any_of('usual_labels')})[\"'“”‘’`*]{{0,2}}"
USUAL_LABEL = re.compile(any_of("usual_labels"), FLAGS)
USUAL_ITEM = USUAL.replace("(", "(?:", 1) + r"(?:\s*\([^()\n]{1,40}\))?"
USUAL_LIST = re.compile(
    rf"{USUAL_ITEM}(?:\s*(?:[,，、/|]\s*(?:(?:{ALTERNATIVE}|{CONJUNCTION})\s*)?"
    rf"|(?:{ALTERNATIVE}|{CONJUNCTION})\s*)(?:{any_of('item_fillers')}\s+)*{USUAL_ITEM})+\W?",
    FLAGS,
)
# "X or Y", or at least three, or at the end of a question
IS_LIST = re.compile(rf"[/|]|{ALTERNATIVE}|,[^,]{{0,60}}{CONJUNCTION}|[?？):]\Z", FLAGS)
SIGNS = (",", "/", "|", "，", "、")
IN_BRACKETS = re.compile(r"\([^()\n]{1,40}\)")
USUAL_LINE = re.compile(rf"(?:{BULLET})?[ \t]*{USUAL}[ \t]*(?:[:：=–—(-].*)?\Z", FLAGS)
CONDITION = re.compile(any_of("conditions"), FLAGS)
USUAL_END = re.compile(rf"{USUAL}[.;]?\Z", FLAGS)


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
    for other_lists in (lists, label_lists(behind), _closing_question(user)):
        if other_lists:
            return _agreed(list(other_lists))
    return PromptLabels(None)


@lru_cache(maxsize=256)
def label_lists(text: str) -> tuple[LabelList, ...]:
    """Return the lists of labels in an instruction."""
    text = TABLE_ROW.sub(r"- \1: \2", TABLE_HEAD.sub("", text[:MAX_TEXT]))
    lists = list(_code_lists(text))
    if not lists:
        lists = [*_introduced_lists(text), *_quoted_list(text)]
    if not lists:
        behind_verbs = _lists_behind(BARE_VERB, text)
        lists = [listing for listing in behind_verbs if all(map(SHORT.match, listing.labels))]
    return tuple(dict.fromkeys(lists or _usual_lists(text)))


def _closing_question(user: str) -> list[LabelList]:
    """Return the usual labels with which the last question of a prompt ends."""
    lines = [line for line in user[-MAX_TEXT:].split("\n") if line.strip()]
    last_sentence = SENTENCE.split(lines[-1])[-1] if lines else ""
    questions = [line for line in lines if line.rstrip().endswith(("?", "？", "):"))]
    if BARE_VERB.match(last_sentence):
        return list(label_lists(last_sentence))
    is_data = not questions or DATA.match(questions[-1].lstrip())
    return [] if is_data else list(_usual_lists(questions[-1]))


def _agreed(lists: list[LabelList]) -> PromptLabels:
    """Return the list that covers all others, or the conflict."""
    is_split = any(_are_apart(*pair) for pair in combinations(lists, 2))
    for candidate in [] if is_split else lists:
        if all(candidate.covers(other) for other in lists):
            return PromptLabels(candidate)
    different = dict(zip((entry.names for entry in lists), lists, strict=True))
    return PromptLabels(None, tuple(different.values()))


def _are_apart(one: LabelList, other: LabelList) -> bool:
    return not (one.names & other.names or one.covers(other) or other.covers(one))


def _code_lists(text: str) -> Iterator[LabelList]:
    """Yield the codes of each paragraph: numbers that count up, or letters, with meanings."""
    for paragraph in re.split(r"\n\s*\n", text):
        pairs = CODE_AND_WORD.findall(paragraph)
        if not pairs and WANTS_CODES.search(text):
            pairs = [(code, word) for word, code in WORD_AND_CODE.findall(paragraph)]
        codes: dict[str, str] = {}
        for code, meaning in pairs:
            codes.setdefault(code, meaning.strip(" *_("))
        listing = label_list(list(codes), list(codes.values())) if _are_codes(codes) else None
        if listing:
            yield (
                listing if wants_codes(text) or not WANTS_CODES.search(text) else listing.in_words()
            )


def _are_codes(codes: dict[str, str]) -> bool:
    """Return whether these are numbers that count up, capitals from A on, or initials."""
    numbers = sorted(int(code) for code in codes if code.lstrip("-+").isdigit())
    if numbers:
        return numbers == list(range(numbers[0], numbers[0] + len(codes)))
    are_initials = all(word.casefold().startswith(code.casefold()) for code, word in codes.items())
    return are_initials or "".join(codes) in string.ascii_uppercase


def _introduced_lists(text: str) -> Iterator[LabelList]:
    """Yield the lists behind words that introduce labels, on lines of their own or not."""
    lines = text.split("\n")
    for number, line in enumerate(lines[:-1]):
        is_heading = HEADING_LINE.fullmatch(line.strip()) is not None
        if not is_heading and not (INTRODUCTION_LINE.fullmatch(line) and NAMING.search(line)):
            continue
        following = lines[number + 1 :]
        listing = list_on_lines(following, text, is_bare=is_heading)
        if listing is None and is_heading:
            listing = list_in_sentence("\n".join(following).lstrip(), is_strong=True)
        if listing:
            yield listing
    for introduction in (HEADING, ONE_OF, VERB):
        yield from _lists_behind(introduction, text)


def _lists_behind(introduction: re.Pattern[str], text: str) -> Iterator[LabelList]:
    """Yield the lists behind these words in a sentence that doesn't exclude them."""
    for match in islice(introduction.finditer(text), MAX_INTRODUCTIONS):
        filler = FILLER.match(text, match.end())
        behind = text[filler.end() if filler else match.end() :]
        listing = list_in_sentence(behind, is_strong=introduction in (HEADING, ONE_OF))
        before = max(0, match.start() - NEGATION_REACH)
        if listing and not NEGATION.search(text, before, match.start()):
            yield with_codes(listing, text)


def _quoted_list(text: str) -> list[LabelList]:
    """Return the list of what the sentences about answers and labels quote, if they quote any."""
    labels: dict[str, str] = {}
    for sentence in SENTENCE.split(OTHER_KEY.sub("", text)):
        for quoted in _quoted(sentence) if NAMING.search(sentence) else ():
            for label in re.split(r"[|/]", quoted):
                labels.setdefault(spelled(label), label.strip(" <>{}[]"))
    names = [name for name in labels if name and name not in NOT_LABELS and len(name) <= MAX_LABEL]
    listing = label_list([labels[name] for name in names if not FULL_SENTENCE.match(labels[name])])
    return [listing] if listing else []


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


def _usual_lists(text: str) -> tuple[LabelList, ...]:
    """Return the lists of usual labels in sentences, on lines, and at the ends of conditions."""
    lists: list[LabelList | None] = []
    for match in USUAL_LIST.finditer(text):
        before = text[: match.start()].rstrip()
        is_list = IS_LIST.search(match[0]) or before.endswith(":")
        if is_list and not before.endswith(SIGNS):  # else another item stands before it
            lists.append(label_list(USUAL_LABEL.findall(IN_BRACKETS.sub("", match[0]))))
    lines = text.split("\n")
    while lines:
        block = list(takewhile(USUAL_LINE.match, lines))
        lists.append(list_on_lines(block, text, is_bare=True))
        lines = lines[len(block) + 1 :]
    ends = (USUAL_END.search(part) for part in SENTENCE.split(text) if CONDITION.search(part))
    lists.append(label_list([end[1] for end in ends if end]))
    return tuple(listing for listing in lists if listing)
