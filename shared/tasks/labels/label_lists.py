"""Reads one list of labels: `X, Y or Z`, `X / Y / Z`, quoted or not, with meanings or without."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from shared.dataset.answer_space import spelled
from shared.tasks.labels.answer_words import WORDS, any_of

W = WORDS.prompt
FLAGS = re.IGNORECASE
MAX_LABEL = 40  # characters of a label without quotes
MAX_LABELS = 50
MAX_LIST = 400  # characters of a list

QUOTED = re.compile(
    r"(?<!\w)'([^'\n]{1,80}?)'(?!\w)|\"([^\"\n]{1,80}?)\"|“([^”\n]{1,80}?)”|(?<!\w)‘([^’\n]{1,80}?)’"
    r"|„([^“”\n]{1,80}?)[“”]|«\s?([^»\n]{1,80}?)\s?»|‹([^›\n]{1,80}?)›|「([^」\n]{1,80}?)」"
    r"|『([^』\n]{1,80}?)』|`([^`\n]{1,80}?)`|\*\*([^*\n]{1,80}?)\*\*"
)
NOT_LABELS = frozenset(W.not_labels)
LIST_END = re.compile(
    r"[.?!](?=\s|$|[\"'”])|[。！？\n]|,?\s+(?:where|which|depending|and\s+nothing)\s", re.IGNORECASE
)
# Not in capitals: "E, N or C" are labels.
ALTERNATIVE = f"(?-i:{any_of(W.alternatives)})"
CONJUNCTION = f"(?-i:{any_of(W.conjunctions)})"
SEPARATOR = re.compile(
    rf"\s*(?:[,，、،]\s*(?:{ALTERNATIVE}|{CONJUNCTION})?|(?<![Nn])/|/(?![Aa]\b)|\||;|{ALTERNATIVE}"
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
NOT_IN_LABEL = re.compile(r"[`\"“”{}\[\]<>=:：]|(?<!\w)['‘]|['’](?!\w)")
OTHERWISE = re.compile(rf"{any_of(W.otherwise)}[,:]?\s+(?=\S)", FLAGS)
CODE_WORD = re.compile(r"(?:label|class|code|id)\s*[:=]?\s*(?=-?\d{1,2}\Z)", FLAGS)
NEXT_BRACKET = re.compile(r"\][ ,]+\[")
WANTS_WORDS = re.compile(any_of(W.words_wanted), FLAGS)
ARTICLE = re.compile(r"an?\s+", FLAGS)
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

    def with_words(self) -> LabelList:
        """Return the list with the meanings as labels, and the labels as spellings of them."""
        return LabelList(
            self.meanings, self.labels, tuple(zip(self.labels, self.meanings, strict=True))
        )

    def covers(self, other: LabelList) -> bool:
        """Return whether the other list names these labels too, or what they mean."""
        meanings = {spelled(meaning) for meaning in self.meanings}
        codes = {spelled(spelling) for spelling, _ in self.aliases}
        return any(other.names <= names for names in (self.names, meanings, codes))


def label_list(labels: list[str], meanings: list[str] | None = None) -> LabelList | None:
    """Return the labels as a list if they can be told apart."""
    names = {spelled(label) for label in labels}
    if not 2 <= len(labels) <= MAX_LABELS or len(names) != len(labels) or "" in names:
        return None
    return LabelList(tuple(labels), tuple(meanings or ()))


def list_at(text: str, is_strong: bool) -> LabelList | None:
    """Return the list that a text begins with."""
    text = NEXT_BRACKET.sub(", ", text[:MAX_LIST])
    end = LIST_END.search(text)
    text = _without_closed_bracket(text[: end.start()] if end else text)
    pieces = SEPARATOR.split(text)
    separators = SEPARATOR.findall(text)
    has_alternative = any(IS_ALTERNATIVE.search(separator) for separator in separators)
    labels: list[str] = []
    meanings: list[str] = []
    is_quoted = bool(QUOTED.match(pieces[0]))
    closing = IS_ALTERNATIVE if has_alternative else IS_CONJUNCTION
    for position, piece in enumerate(pieces):
        label, meaning = list_item(piece, soft=not is_strong or position == len(pieces) - 1)
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
        labels[0] = list_item(meanings[0], soft=False)[0]  # "with one of these words: X, Y or Z"
    return label_list(labels, meanings if all(meanings) else None)


def _without_closed_bracket(text: str) -> str:
    """Return the text up to the end of the bracket that the list may stand in."""
    depth = 0
    for match in re.finditer(r"[(\[)\]]", text):
        depth += 1 if match[0] in "([" else -1
        if depth < 0:
            return text[: match.start()]
    return text


def list_item(piece: str, *, soft: bool, is_line: bool = False) -> tuple[str, str]:
    """Return the label and the meaning of one entry of a list, or "" if it is no label."""
    piece, is_rest = OTHERWISE.subn("", piece.strip(), count=1)
    quoted = QUOTED.match(piece)
    if quoted:
        rest = MEANING.sub("", piece[quoted.end() :], count=1)
        return next(group for group in quoted.groups() if group).strip(), rest.strip()
    is_name = piece.isupper() and len(piece) > 1 and "(" not in piece
    if is_name and not NOT_IN_LABEL.search(piece):  # also FOR and IF
        return piece.strip(" *_()"), ""
    label, *rest = MEANING.split(piece, maxsplit=1)
    if soft and label:
        label = SOFT.split(label, maxsplit=1)[0]
    label = label.strip(" \t*_\"'`<>[]{}")
    is_label = label and len(label) <= MAX_LABEL and (is_line or not NO_LABEL.match(label))
    if not is_label or label.casefold() in NOT_LABELS or NOT_IN_LABEL.search(label):
        return "", ""
    label = ARTICLE.sub("", label, count=1)
    is_rest = is_rest or bool(rest and not rest[0].strip())  # "Unknown otherwise"
    return label, "otherwise" if is_rest else CODE_WORD.sub("", " ".join(rest).strip(" )）*_\"'"))


def numbered(listing: LabelList, text: str) -> LabelList:
    """Return the numbers of the lines as the labels where the prompt asks for numbers."""
    is_coded = WANTS_CODES.search(text) and not WANTS_WORDS.search(text)
    if not listing.aliases or not is_coded:
        return replace(listing, aliases=())
    return LabelList(tuple(number for number, _ in listing.aliases), listing.labels)


def with_codes(listing: LabelList, text: str) -> LabelList:
    """Tell words with codes in brackets, `entailment (0)`, from codes with words in brackets."""
    if not listing.meanings or not all(map(_is_code, listing.meanings)):
        return listing
    if WANTS_CODES.search(text):
        return LabelList(listing.meanings, listing.labels)
    codes = tuple(zip(listing.meanings, listing.labels, strict=True))
    return LabelList(listing.labels, aliases=codes)


def _is_code(meaning: str) -> bool:
    return bool(re.fullmatch(r"-?\d{1,2}|[A-Za-z]", meaning))
