"""Reads the labels of a comparison from the row's own prompt.

The system prompt is read first, then the user message without the texts to compare. Lists of labels
stand in one of these forms; docs/datasets-and-tasks.md has an example of each:

- quoted, in a sentence that speaks of answers or labels, or tells what each of them means
- behind "one of", "Labels:", "Answer with" …: `X, Y or Z`, `X / Y / Z`, `X|Y|Z`
- on lines of their own below such words, with bullets or numbers
- codes with their meanings: `0 for entailment, 1 for neutral`, `e: entailment`

Lists that differ, and lists of fewer than two labels, are none.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

from shared.dataset.answer_space import spelled
from shared.tasks.answer_words import WORDS, any_of
from shared.tasks.instructions import instructions

W = WORDS.prompt
FLAGS = re.IGNORECASE
MAX_TEXT = 10_000  # characters of a prompt that are read
MAX_LABEL = 40  # characters of a label without quotes
MAX_LABELS = 50
MAX_WORDS = 8  # of a label on a line of its own

SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+|(?<=[。！？])")
QUOTED = re.compile(
    r"(?<!\w)'([^'\n]{1,80}?)'(?!\w)|\"([^\"\n]{1,80}?)\"|“([^”\n]{1,80}?)”|(?<!\w)‘([^’\n]{1,80}?)’"
    r"|„([^“”\n]{1,80}?)[“”]|«\s?([^»\n]{1,80}?)\s?»|‹([^›\n]{1,80}?)›|「([^」\n]{1,80}?)」"
    r"|『([^』\n]{1,80}?)』|`([^`\n]{1,80}?)`|\*\*([^*\n]{1,80}?)\*\*"
)
NAMING = re.compile(rf"\b(?:{'|'.join(W.naming)})|[回标选输关答ラ답레]", FLAGS)
NEGATION = re.compile(any_of(W.negations), FLAGS)
NOT_LABELS = frozenset(W.not_labels)
FILLER = rf"(?:[\s:：(\[]|[-–—](?=\s)|{any_of(W.fillers)})*"
HEADING = re.compile(rf"{any_of(W.headings)}[^\S\n]*[:：(\[]{FILLER}", FLAGS)
ONE_OF = re.compile(any_of(W.one_of) + FILLER, FLAGS)
VERB = re.compile(
    rf"{any_of(W.verbs)}(?:\s+\w+){{0,3}}?\s*(?:{any_of(W.prepositions)}|[:：]){FILLER}", FLAGS
)
BARE_VERB = re.compile(rf"(?:{any_of(W.verbs)}|{any_of(W.copulas)}){FILLER}", FLAGS)
LIST_END = re.compile(r"[.?!](?=\s|$|[\"'”])|[。！？\n]")
# Not in capitals: "E, N or C" are labels.
ALTERNATIVE = f"(?-i:{any_of(W.alternatives)})"
CONJUNCTION = f"(?-i:{any_of(W.conjunctions)})"
SEPARATOR = re.compile(
    rf"\s*(?:[,，、]\s*(?:{ALTERNATIVE}|{CONJUNCTION})?|[/|]|;|{ALTERNATIVE}"
    rf"|{CONJUNCTION})\s*",
    FLAGS,
)
IS_ALTERNATIVE = re.compile(rf"[/|]|{ALTERNATIVE}", FLAGS)
IS_CONJUNCTION = re.compile(CONJUNCTION)
MEANING = re.compile(
    rf"\s*(?:=>?|->|→|[:：(（]|(?<=\d)\s*[-–]|\s[-–—]\s|{any_of(W.hard_qualifiers)})\s*", FLAGS
)
SOFT = re.compile(rf"\s{any_of(W.soft_qualifiers)}", FLAGS)
NO_LABEL = re.compile(any_of(W.no_labels), FLAGS)
USUAL = re.compile(rf"(?:{any_of(W.usual_labels)}|\d{{1,2}}|(?-i:[A-Z]).*)\Z", FLAGS)
BULLET = re.compile(r"[ \t]*(?:[-*•·–]\s+|\(?(\d{1,2}|[a-zA-Z])[.)]\s+)(\S.*)")
IN_BRACKETS = re.compile(r"[(（]\s*(?=[^()（）\n]{3,60}[)）])")
NEGATION_REACH = 25  # characters before an introduction
CODE = re.compile(
    r"(?<![\w.])[\"'“‘`(]?(-?\d{1,2}|(?-i:[A-Za-z]))[\"'”’`)]?"
    rf"\s*(?:=>?|->|→|[:：(]|\s[-–—]\s|(?<=\d)-|{any_of(W.hard_qualifiers)})\s*"
    r"[\"'“‘`]?([^\n]{1,80}?)(?=\s*(?:[,;，；、.\n\"'”’`)|]|$"
    rf"|(?:{ALTERNATIVE}|{CONJUNCTION})\s+[\"'“‘`(]?(?:-?\d|\w\W)))",
    FLAGS,
)
NOT_IN_LABEL = re.compile(r"[\"“”{}\[\]<>=:：]|(?<!\w)['‘]|['’](?!\w)")
OTHERWISE = re.compile(rf"{any_of(W.otherwise)}[,:]?\s+(?=\S)", FLAGS)
WANTS_CODES = re.compile(any_of(W.codes), FLAGS)


@dataclass(frozen=True)
class LabelList:
    """Labels in the order offered, and what each of them means ("" where nothing is said)."""

    labels: tuple[str, ...]
    meanings: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(spelled(label) for label in self.labels)

    def covers(self, other: LabelList) -> bool:
        """Return whether the other list names these labels too, or what they mean."""
        meanings = {spelled(meaning) for meaning in self.meanings}
        codes = {spelled(spelling) for spelling, _ in self.aliases}
        return any(other.names <= names for names in (self.names, meanings, codes))


@dataclass(frozen=True)
class PromptLabels:
    """The labels of a prompt, or the lists that contradict each other."""

    labels: LabelList | None
    conflict: tuple[LabelList, ...] = ()


def find_labels(system: str | None, user: str) -> PromptLabels:
    """Return the labels that a row's prompts name."""
    before, behind = instructions(user)
    parts = [part for part in instructions(system or "") if part]
    listing = agreed(
        [*(lists for part in parts for lists in label_lists(part)), *label_lists(before)]
    )
    return listing if listing.labels or listing.conflict else agreed(list(label_lists(behind)))


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
    text = text[:MAX_TEXT]
    lists = list(_code_lists(text))
    if not lists:
        lists = [*_lists_on_lines(text), *_lists_behind_words(text)]
        quoted = _quoted_list(text)
        lists += [quoted] if quoted else []
    return tuple(dict.fromkeys(lists or _usual_lists(text)))


def _list(labels: list[str], meanings: list[str] | None = None) -> LabelList | None:
    """Return the labels as a list if they can be told apart."""
    names = {spelled(label) for label in labels}
    if not 2 <= len(labels) <= MAX_LABELS or len(names) != len(labels) or "" in names:
        return None
    return LabelList(tuple(labels), tuple(meanings or ()))


def _quoted_list(text: str) -> LabelList | None:
    labels: dict[str, str] = {}
    for sentence in SENTENCE.split(text):
        if NAMING.search(sentence):
            for quoted in _quoted(sentence):
                for label in re.split(r"[|/]", quoted):
                    labels.setdefault(spelled(label), label.strip(" <>{}[]"))
    for name in list(labels):
        if name in NOT_LABELS or not name or len(name) > MAX_LABEL:
            del labels[name]
    return _list(list(labels.values()))


def _quoted(sentence: str) -> Iterator[str]:
    """Yield what a sentence quotes, without what it says not to answer."""
    negated_end = -1
    for match in QUOTED.finditer(sentence):
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
        numbers = [int(code) for code in codes if code.lstrip("-").isdigit()]
        are_numbers = len(numbers) == len(codes) and sorted(numbers) == list(
            range(min(numbers, default=0), min(numbers, default=0) + len(numbers))
        )
        are_initials = all(
            meaning.casefold().startswith(code.casefold()) for code, meaning in codes.items()
        )
        are_letters = not numbers and (are_initials or "".join(codes) in string.ascii_uppercase)
        if are_numbers or are_letters:
            listing = _list(list(codes), list(codes.values()))
            if listing:
                yield listing


def _lists_on_lines(text: str) -> Iterator[LabelList]:
    """Yield the lists whose labels stand on lines of their own, below words that announce them."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        announces = line.rstrip().endswith((":", "：")) and NAMING.search(line)
        if not announces and not HEADING.fullmatch(line.strip()):
            continue
        listing = _list_below(lines[number + 1 :], bare=bool(HEADING.search(line)))
        if listing:
            yield _numbered(listing, text)


def _list_below(lines: list[str], *, bare: bool) -> LabelList | None:
    """Return the list that these lines begin with; `bare` lines need no bullets."""
    labels: list[str] = []
    meanings: list[str] = []
    marks: list[str] = []
    for line in lines:
        if not line.strip() and not labels:
            continue
        bullet = BULLET.match(line)
        if not bullet and (not bare or not line.strip()):
            break
        label, meaning = _item(bullet[2] if bullet else line, soft=False, is_line=True)
        if not label or len(label.split()) > MAX_WORDS:
            break
        labels.append(label)
        meanings.append(meaning)
        marks.append((bullet[1] or "") if bullet else "")
    aliases = tuple(zip(marks, labels, strict=True)) if all(marks) else ()
    listing = _list(labels, meanings if any(meanings) else None)
    return replace(listing, aliases=aliases) if listing else None


def _numbered(listing: LabelList, text: str) -> LabelList:
    """Return the numbers of the lines as the labels where the prompt asks for numbers."""
    if not listing.aliases or not WANTS_CODES.search(text):
        return replace(listing, aliases=())
    return LabelList(tuple(number for number, _ in listing.aliases), listing.labels)


def _lists_behind_words(text: str) -> Iterator[LabelList]:
    for introduction, is_strong in ((HEADING, True), (ONE_OF, True), (VERB, False)):
        for match in introduction.finditer(text):
            if NEGATION.search(text, max(0, match.start() - NEGATION_REACH), match.start()):
                continue
            listing = _list_at(text[match.end() :], is_strong)
            if listing:
                yield _with_codes(listing, text)


def _usual_lists(text: str) -> Iterator[LabelList]:
    """Yield the lists behind what introduces much else: "Answer", "is", a bracket."""
    for match in [*BARE_VERB.finditer(text), *IN_BRACKETS.finditer(text)]:
        listing = _list_at(text[match.end() :], is_strong=False)
        if listing and all(USUAL.match(label) for label in listing.labels):
            yield listing


def _list_at(text: str, is_strong: bool) -> LabelList | None:
    """Return the list that a text begins with."""
    end = LIST_END.search(text)
    text = _without_closed_bracket(text[: end.start()] if end else text[:400])
    pieces = SEPARATOR.split(text)
    separators = SEPARATOR.findall(text)
    has_alternative = any(IS_ALTERNATIVE.search(separator) for separator in separators)
    labels: list[str] = []
    meanings: list[str] = []
    is_quoted = bool(QUOTED.match(pieces[0]))
    closing = IS_ALTERNATIVE if has_alternative else IS_CONJUNCTION
    for position, piece in enumerate(pieces):
        label, meaning = _item(piece, soft=not is_strong or position == len(pieces) - 1)
        if labels and is_quoted and not QUOTED.match(piece):
            break
        if not label:
            return None
        labels.append(label)
        meanings.append(meaning)
        after = separators[position] if position < len(separators) else ""
        before = separators[position - 1] if position else ""
        if closing.search(before) and not closing.search(after):
            break
    if not (has_alternative or is_strong or is_quoted or all(meanings)):
        return None
    if meanings[0] and not any(meanings[1:]) and re.search(r"[:：]", pieces[0]):
        labels[0] = _item(meanings[0], soft=False)[0]  # "with one of these words: X, Y or Z"
    return _list(labels, meanings if all(meanings) else None)


def _without_closed_bracket(text: str) -> str:
    """Return the text up to the end of the bracket that the list may stand in."""
    depth = 0
    for match in re.finditer(r"[(\[)\]]", text):
        depth += 1 if match[0] in "([" else -1
        if depth < 0:
            return text[: match.start()]
    return text


def _item(piece: str, *, soft: bool, is_line: bool = False) -> tuple[str, str]:
    """Return the label and the meaning of one entry of a list, or "" if it is no label."""
    piece, is_rest = OTHERWISE.subn("", piece.strip(), count=1)
    quoted = QUOTED.match(piece)
    if quoted:
        rest = MEANING.sub("", piece[quoted.end() :], count=1)
        return next(group for group in quoted.groups() if group).strip(), rest.strip()
    label, *rest = MEANING.split(piece, maxsplit=1)
    if soft and label:
        label = SOFT.split(label, maxsplit=1)[0]
    label = label.strip(" \t*_\"'`<>[]{}")
    is_label = label and len(label) <= MAX_LABEL and (is_line or not NO_LABEL.match(label))
    if not is_label or label.casefold() in NOT_LABELS or NOT_IN_LABEL.search(label):
        return "", ""
    return label, "otherwise" if is_rest else " ".join(rest).strip(" )）*_\"'")


def _with_codes(listing: LabelList, text: str) -> LabelList:
    """Tell words with codes in brackets, `entailment (0)`, from codes with words in brackets."""
    if not listing.meanings or not all(map(_is_code, listing.meanings)):
        return listing
    if WANTS_CODES.search(text):
        return LabelList(listing.meanings, listing.labels)
    codes = tuple(zip(listing.meanings, listing.labels, strict=True))
    return LabelList(listing.labels, aliases=codes)


def _is_code(meaning: str) -> bool:
    return bool(re.fullmatch(r"-?\d{1,2}|[A-Za-z]", meaning))
