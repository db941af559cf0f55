"""Reads one list of labels: `X, Y or Z`, `X / Y / Z` or lines, with or without their meanings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from shared.dataset.answer_space import spelled
from shared.tasks.words import word_lists

WORDS = word_lists(Path(__file__).with_name("prompt_words.toml"))
any_of = WORDS.any_of
FLAGS = re.IGNORECASE
MAX_LABEL = 40  # characters of a label without quotes
MAX_WORDS = 8  # of a label on a line
MAX_LABELS = 50
MAX_LIST = 400  # characters of a list in a sentence

QUOTED = re.compile(
    r"(?<!\w)'([^'\n]{1,80}?)'(?!\w)|\"([^\"\n]{1,80}?)\"|“([^”\n]{1,80}?)”|(?<!\w)‘([^’\n]{1,80}?)’"
    r"|„([^“”\n]{1,80}?)[“”]|«\s?([^»\n]{1,80}?)\s?»|‹([^›\n]{1,80}?)›|「([^」\n]{1,80}?)」"
    r"|『([^』\n]{1,80}?)』|`([^`\n]{1,80}?)`|\*\*([^*\n]{1,80}?)\*\*"
)
NOT_LABELS = frozenset(WORDS["not_labels"])
LIST_END = re.compile(
    r"[.?!](?=\s|$|[\"'”])|[。！？\n]|,?\s+(?:where|which|depending|and\s+nothing)\s", FLAGS
)
# Not in capitals: "E, N or C" are labels.
ALTERNATIVE = f"(?-i:{any_of('alternatives')})"
CONJUNCTION = f"(?-i:{any_of('conjunctions')})"
SEPARATOR = re.compile(
    rf"\s*(?:[,，、،]\s*(?:{ALTERNATIVE}|{CONJUNCTION})?|(?<![Nn])/|/(?![Aa]\b)|\||;|\][ ,]+\["
    rf"|{ALTERNATIVE}|{CONJUNCTION})\s*",
    FLAGS,
)
IS_ALTERNATIVE = re.compile(rf"[/|]|{ALTERNATIVE}", FLAGS)
IS_CONJUNCTION = re.compile(CONJUNCTION)
BULLET = r"[ \t]*(?:[-*•·–]\s+|\(?(\d{1,2}|[a-zA-Z])[.)]\s+)"
BULLETED = re.compile(rf"{BULLET}(\S.*)")
# "Answer with one of them." below a list
INSTRUCTION = re.compile(rf"\s*{any_of('verbs', 'openers')}.*[.!?:：]\s*\Z", FLAGS)
MEANING = re.compile(
    rf"\s*(?:=>?|->|→|[:：(（]|(?<=\d)\s*[-–]|\s[-–—]\s|{any_of('hard_qualifiers')})\s*", FLAGS
)
SOFT = re.compile(rf"\s{any_of('soft_qualifiers')}", FLAGS)
NO_LABEL = re.compile(any_of("no_labels"), FLAGS)
NOT_IN_LABEL = re.compile(r"[`\"“”{}\[\]<>=:：]|(?<!\w)['‘]|['’](?!\w)")
OTHERWISE = re.compile(rf"{any_of('otherwise')}[,:]?\s+(?=\S)", FLAGS)
ARTICLE = re.compile(r"an?\s+", FLAGS)
CODE = re.compile(r"-?\d{1,2}|[A-Za-z]")
WANTS_WORDS = re.compile(any_of("words_wanted"), FLAGS)
WANTS_CODES = re.compile(any_of("codes"), FLAGS)


@dataclass(frozen=True)
class LabelList:
    """Labels in the order offered, what each of them means, and other spellings of them."""

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

    def in_words(self) -> LabelList:
        """Return the list of codes with the words they stand for as the labels."""
        aliases = tuple(zip(self.labels, self.meanings, strict=True))
        return LabelList(self.meanings, aliases=aliases)


def label_list(labels: list[str], meanings: list[str] | None = None) -> LabelList | None:
    """Return the labels as a list if they can be told apart."""
    names = {spelled(label) for label in labels}
    if not 2 <= len(labels) <= MAX_LABELS or len(names) != len(labels) or "" in names:
        return None
    return LabelList(tuple(labels), tuple(meanings) if meanings and all(meanings) else ())


def wants_codes(prompt: str) -> bool:
    """Return whether the prompt asks for codes rather than the words they stand for."""
    return bool(WANTS_CODES.search(prompt)) and not WANTS_WORDS.search(prompt)


def list_in_sentence(text: str, *, is_strong: bool) -> LabelList | None:
    """Return the list that a text begins with; a strong introduction needs no "or" in it."""
    text = text[:MAX_LIST]
    end = LIST_END.search(text)
    text = _without_closed_bracket(text[: end.start()] if end else text)
    pieces = SEPARATOR.split(text)
    separators = SEPARATOR.findall(text)
    has_alternative = any(map(IS_ALTERNATIVE.search, separators))
    is_last = IS_ALTERNATIVE if has_alternative else IS_CONJUNCTION
    is_quoted = QUOTED.match(pieces[0]) is not None
    items: list[tuple[str, str]] = []
    for position, piece in enumerate(pieces):
        if items and is_quoted and not QUOTED.match(piece):
            break
        label, meaning = _item(piece, soft=not is_strong or position == len(pieces) - 1)
        if not label:
            return None
        items.append((label, meaning))
        before, after = ["", *separators, ""][position : position + 2]
        if is_last.search(before) and not is_last.search(after):
            break
    labels = [label for label, _ in items]
    meanings = [meaning for _, meaning in items]
    if not (has_alternative or is_strong or is_quoted or all(meanings)):
        return None
    if meanings[0] and not any(meanings[1:]) and re.search(r"[:：]", pieces[0]):
        labels[0] = _item(meanings[0], soft=False)[0]  # "with one of these words: X, Y or Z"
    return label_list(labels, meanings)


def list_on_lines(lines: list[str], prompt: str, *, is_bare: bool) -> LabelList | None:
    """Return the list that these lines of a prompt begin with; bare ones need no bullets."""
    labels: list[str] = []
    meanings: list[str] = []
    marks: list[str] = []
    for line in lines:
        if not line.strip() and not labels:
            continue
        bullet = BULLETED.match(line)
        label, meaning = _item(bullet[2] if bullet else line, soft=False, is_line=True)
        is_item = bullet or (is_bare and not any(marks) and not INSTRUCTION.match(line))
        if not is_item or not label or len(label.split()) > MAX_WORDS:
            break
        labels.append(label)
        meanings.append(meaning)
        marks.append((bullet[1] or "-") if bullet else "")
    listing = label_list(labels, meanings)
    if listing and wants_codes(prompt) and all(map(CODE.fullmatch, marks)):
        return LabelList(tuple(marks), listing.labels)
    return with_codes(listing, prompt) if listing else None


def with_codes(listing: LabelList, prompt: str) -> LabelList:
    """Tell words with codes in brackets, `entailment (0)`, from codes with words in brackets."""
    if not listing.meanings or not all(map(CODE.fullmatch, listing.meanings)):
        return listing
    codes = LabelList(listing.meanings, listing.labels)
    return codes if wants_codes(prompt) else codes.in_words()


def _without_closed_bracket(text: str) -> str:
    """Return the text up to the end of the bracket that the list may stand in."""
    depth = 0
    for match in re.finditer(r"[(\[)\]]", text):
        depth += 1 if match[0] in "([" else -1
        if depth < 0 and not SEPARATOR.match(text, match.start()):
            return text[: match.start()]
    return text


def _item(piece: str, *, soft: bool, is_line: bool = False) -> tuple[str, str]:
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
    is_rest = is_rest or bool(rest and not rest[0].strip())  # "Unknown otherwise"
    meaning = "otherwise" if is_rest else " ".join(rest).strip(" )）*_\"'")
    return ARTICLE.sub("", label, count=1), meaning
