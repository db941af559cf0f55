"""Reads lists of usual labels that no words introduce, such as "… Yes, no, or maybe?".

They count only where a prompt has no list in another form, and only the labels of the table do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from shared.tasks.labels.answer_words import WORDS, any_of
from shared.tasks.labels.label_lists import (
    ALTERNATIVE,
    CODE_WORD,
    CONJUNCTION,
    FLAGS,
    LabelList,
    label_list,
    numbered,
    with_codes,
)

W = WORDS.prompt
QUOTE = r"[\"'“”‘’`*]{0,2}"
LABEL = re.compile(any_of(W.usual_labels), FLAGS)
ITEM = rf"{QUOTE}{any_of(W.usual_labels)}{QUOTE}(?:\s*\([^()\n]{{1,40}}\))?"
BETWEEN = (
    rf"\s*(?:[,，、/|]\s*(?:(?:{ALTERNATIVE}|{CONJUNCTION})\s*)?|(?:{ALTERNATIVE}|{CONJUNCTION})\s*)"
    rf"(?:{any_of(W.item_fillers)}\s+)*"
)
IN_SENTENCE = re.compile(rf"{ITEM}(?:{BETWEEN}{ITEM})+(?P<end>\W?)", FLAGS)
# "X or Y", or at least three
IS_LIST = re.compile(rf"[/|]|{ALTERNATIVE}|,[^,]{{0,60}}{CONJUNCTION}", FLAGS)
IN_ROUND_BRACKETS = re.compile(r"\([^()\n]{1,40}\)")
ON_LINE = re.compile(
    rf"[ \t]*(?:[-*•·–]\s+|\(?(\d{{1,2}}|[a-zA-Z])[.)]\s+)?{QUOTE}({any_of(W.usual_labels)}){QUOTE}"
    r"[ \t]*(?:[:：=–—(-]+[ \t]*(\S.*?)\)?)?\Z",
    FLAGS,
)
CLOSING = ("?", "？", ")", ":")
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+|(?<=[。！？])")
CONDITION = re.compile(any_of(W.conditions), FLAGS)
AT_END = re.compile(rf"({any_of(W.usual_labels)}){QUOTE}[.;]?\Z", FLAGS)


def plain_lists(text: str) -> Iterator[LabelList]:
    """Yield the lists of usual labels in sentences, on lines, and at the ends of conditions."""
    for match in IN_SENTENCE.finditer(text):
        if (
            IS_LIST.search(match[0])
            or match["end"] in CLOSING
            or text[: match.start()].rstrip().endswith(":")
        ):
            yield from _listing(LABEL.findall(IN_ROUND_BRACKETS.sub("", match[0])))
    block: list[re.Match[str]] = []
    for line in [*text.split("\n"), ""]:
        label = ON_LINE.match(line)
        if label:
            block.append(label)
        else:
            yield from _of_lines(block, text)
            block = []
    ends = (AT_END.search(part) for part in SENTENCE.split(text) if CONDITION.search(part))
    yield from _listing([end[1] for end in ends if end])


def _of_lines(block: list[re.Match[str]], text: str) -> Iterator[LabelList]:
    meanings = [CODE_WORD.sub("", match[3] or "") for match in block]
    marks = [match[1] or "" for match in block]
    for listing in _listing([match[2] for match in block], meanings):
        aliases = tuple(zip(marks, listing.labels, strict=True)) if all(marks) else ()
        yield numbered(replace(with_codes(listing, text), aliases=aliases), text)


def _listing(labels: list[str], meanings: list[str] | None = None) -> Iterator[LabelList]:
    listing = label_list(labels, meanings if meanings and all(meanings) else None)
    if listing:
        yield listing
