"""Splits a teacher's reply into the text that it shows and the reasoning before it.

Chat templates mark reasoning, and the ends of turns, with tags and tokens that some servers leave
in the text: `reply.toml` lists them. A tag counts unless the text talks about it: in code, in
quotes, or as a word in the middle of a sentence. Takes time linear in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import chain, groupby

from shared.core.tables import Table, read_table
from shared.tasks.replies.code_spans import CODE_MARK, CodeSpans

SURROGATE = re.compile("[\ud800-\udfff]")
WHITE_SPACE = "".join(filter(str.isspace, map(chr, range(0x3001))))
INVISIBLE = "\ufeff\u200b\u2060"
# A fence of these kinds only wraps prose; one of a programming language is part of the answer.
PROSE_FENCE = re.compile(
    r"(`{3,}|~{3,})[ \t]*(?:(?:text|txt|plaintext|markdown|md)[ \t]*)?", re.IGNORECASE
)
MAX_TOKEN_CHARACTERS = 100
MAX_QUOTED = 200  # characters of an element that a sentence shows
_LAST_TOKEN = re.compile(r"(?:(?<=\S)|(?<=[.!?\n] )|(?<=\n))(?:<[|｜][\w▁]{2,30}[|｜]>\s*)+\Z")
# The head of the assistant's turn as a word: on a line of its own, or before a text of one line.
_HEAD_WORD = re.compile(r"assistant[ \t]*(?:\n+|[:：][ \t]*(?=[^\n]+\Z))", re.IGNORECASE)
MAX_LAYERS = 4  # of dress around a text
# A tag in the middle of a sentence is a word of it; one in quotes is quoted.
WORD_BEFORE = re.compile(r"[^\W\d_][,;]?[ ]\Z")
PUNCTUATION_BEHIND = re.compile(r"[ ]?(?:[,;:)]|[.]+(?:\s|<|\Z))")
LIST_MARK = re.compile(r"[,;:)]")  # behind a tag that a list explains
QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "„": "“", "(": ")", "`": "`"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A teacher's reply: what it shows, and the reasoning that it gave before or beside that."""

    text: str
    reasoning: str | None = None


class _Reasoning(Table):
    open: str
    close: list[str]


class _Table(Table):
    reasoning_tags: list[str]
    answer_tags: list[str]
    end_tokens: list[str]
    turn_heads: list[str]
    answer_starts: list[str]
    dropped_tokens: list[str]
    reasoning: list[_Reasoning]
    plain_reasoning: list[_Reasoning]


def _lower(marks: list[str]) -> frozenset[str]:
    return frozenset(mark.lower() for mark in marks)


def _any_of(words: list[str]) -> str:
    """Return a pattern of these sorted words, the longest first. No character is tried twice."""
    branches: list[str] = []
    for first, group in groupby(filter(None, words), key=lambda word: word[0]):
        branches.append(re.escape(first) + _any_of([word[1:] for word in group]))
    if "" in words:
        branches.append("")
    return f"(?:{'|'.join(branches)})" if len(branches) > 1 else branches[0]


_TABLE = read_table(_Table, __file__)
_CLOSINGS = {f"<{tag}>": frozenset({f"</{tag}>"}) for tag in _TABLE.reasoning_tags}
_CLOSINGS.update({pair.open.lower(): _lower(pair.close) for pair in _TABLE.reasoning})
_END_TOKENS = _lower(_TABLE.end_tokens)
_TURN_HEADS = _lower(_TABLE.turn_heads)
_DROPPED = _lower(_TABLE.dropped_tokens)
# Behind one of these the answer starts, even if no reasoning was opened: the prompt opened it.
_ALL_CLOSINGS = frozenset(chain.from_iterable(_CLOSINGS.values()))
_STATED_ANSWER_STARTS = _lower(_TABLE.answer_starts)
_ANSWER_STARTS = (_STATED_ANSWER_STARTS | _ALL_CLOSINGS) - _END_TOKENS
_MARKS = _END_TOKENS | _TURN_HEADS | _DROPPED | _ANSWER_STARTS | frozenset(_CLOSINGS)
_MARK = re.compile(f"{CODE_MARK}|{_any_of(sorted(_MARKS))}", re.IGNORECASE)
_TAGS = "|".join(_TABLE.answer_tags)
_ANSWER_DRESS = re.compile(
    rf"<(?P<tag>{_TAGS})>(?P<text>.*?)(?:</(?P=tag)>)?"
    rf"|(?P<unopened>.*(?:\S|[.!?。！？]\s))</(?P<last>{_TAGS})>",  # "It ends with </s>" is a word
    re.IGNORECASE | re.DOTALL,
)


def split_reply(text: str, reasoning: str | None = None) -> Reply:
    """Return what a reply shows, and its reasoning: from its tags and as the endpoint gave it.

    A reply that never leaves its reasoning, or holds nothing visible, shows the empty text.
    """
    scan = _Scan(_plain_reasoning_tagged(_trimmed(whole_characters(text))))
    scan.run()
    parts = [_trimmed(whole_characters(reasoning or "")), *map(_trimmed, scan.reasoning)]
    joined = "\n\n".join(part for part in dict.fromkeys(parts) if part)
    return Reply(_undressed("".join(scan.shown)), joined or None)


def whole_characters(text: str) -> str:
    """Return the text with halves of surrogate pairs replaced: no file could hold them."""
    if not SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@dataclass(slots=True)
class _Scan:
    """One pass over a reply, from mark to mark."""

    text: str
    shown: list[str] = field(default_factory=list[str])
    reasoning: list[str] = field(default_factory=list[str])
    position: int = 0  # of what isn't in either list yet
    closings: frozenset[str] = frozenset()  # of the reasoning that the scan is in
    mentioned: set[str] = field(default_factory=set[str])  # closings whose openings are only words
    code: CodeSpans | None = None

    def run(self) -> None:
        mark = _MARK.search(self.text)
        while mark:
            next_position = self._pass(mark, mark[0].lower())
            if next_position is None:
                break
            mark = _MARK.search(self.text, next_position)
        self._take(len(self.text))

    def _take(self, end: int) -> None:
        part = self.text[self.position : end]
        (self.reasoning if self.closings else self.shown).append(part)
        self.position = max(end, self.position)

    def _pass(self, mark: re.Match[str], name: str) -> int | None:
        """Note what the mark means; return where to look for the next, None to stop."""
        if name[0] in "`~":
            return mark.end() if self.closings else self._code_end(mark)
        if self.closings:
            is_end = name in self.closings or name in _STATED_ANSWER_STARTS
            if is_end and not self._is_word(mark):
                self._take(mark.start())
                self.position = mark.end() + self._is_double_space(mark.end())
                self.closings = frozenset()
            return mark.end()
        if (
            self._is_word(mark)
            or self._is_quoted_element(mark, name)
            or self._closes_word(name)
            or self._closes_html(mark, name)
        ):
            self.mentioned |= _CLOSINGS.get(name, frozenset())
            return mark.end()
        return self._pass_shown(mark, name)

    def _pass_shown(self, mark: re.Match[str], name: str) -> int | None:
        """Note a mark outside reasoning that is more than a word."""
        self._take(mark.start())
        self.position = mark.end()
        if name in _ANSWER_STARTS:
            self.reasoning += self.shown
            self.shown.clear()
        elif name in _CLOSINGS:
            self.closings = _CLOSINGS[name]
        elif name in _DROPPED or (name in _TURN_HEADS and not "".join(self.shown).strip()):
            pass
        else:
            self.position = len(self.text)
            return None
        return mark.end()

    def _is_double_space(self, position: int) -> bool:
        """Return whether the text before reasoning ends, and the text behind begins, with a space.

        One of the two was written for the reasoning.
        """
        return self.text.startswith(" ", position) and "".join(self.shown[-1:]).endswith(" ")

    def _code_end(self, mark: re.Match[str]) -> int:
        self.code = self.code or CodeSpans(self.text)
        return self.code.end(mark) or mark.end()

    def _is_word(self, mark: re.Match[str]) -> bool:
        start, end = mark.span()
        before = self.text[max(0, start - 3) : start]
        behind = self.text[end : end + 5]
        if before and QUOTES.get(before[-1]) == behind[:1] != "":
            return True
        goes_on = behind[:1] == " " and behind[1:2].islower()
        return bool(WORD_BEFORE.search(before)) and (
            goes_on or PUNCTUATION_BEHIND.match(behind) is not None
        )

    def _is_quoted_element(self, mark: re.Match[str], name: str) -> bool:
        """Return whether a sentence shows a tag with its closing, or a list explains it."""
        if name not in _CLOSINGS:
            return False
        start, end = mark.span()
        if LIST_MARK.match(self.text, end):
            return True
        line = self.text[end : end + MAX_QUOTED].partition("\n")[0].lower()
        is_closed = any(closing in line for closing in _CLOSINGS[name])
        return is_closed and WORD_BEFORE.search(self.text[max(0, start - 3) : start]) is not None

    def _closes_word(self, name: str) -> bool:
        """Return whether this closes a tag that was only mentioned."""
        is_mentioned = name in self.mentioned
        self.mentioned.discard(name)
        return is_mentioned

    def _closes_html(self, mark: re.Match[str], name: str) -> bool:
        """Return whether this is `</s>` behind `<s>`: text struck out."""
        if name[:2] != "</" or name not in _END_TOKENS:
            return False
        return self.text.find(f"<{name[2:]}", self.position, mark.start()) >= 0


def _plain_reasoning_tagged(text: str) -> str:
    """Return the text with reasoning that has no tokens of its own in tags."""
    for pair in _TABLE.plain_reasoning:
        if not text.startswith(pair.open):
            continue
        body = text[len(pair.open) :]
        for closing in pair.close:
            reasoning, closed, answer = body.partition(closing)
            if closed:
                return f"<think>{reasoning}</think>{answer}"
    return text


def _undressed(text: str) -> str:
    """Return the text without fences around prose, answer tags, and outer white space.

    A token that no table lists is one all the same if it is attached to the end of the text.
    """
    text = _trimmed(text)
    token = _LAST_TOKEN.search(text, max(0, len(text) - MAX_TOKEN_CHARACTERS))
    text = _trimmed(text[: token.start()]) if token else text
    text = text[head.end() :] if (head := _HEAD_WORD.match(text)) else text
    for _ in range(MAX_LAYERS):
        inner = _trimmed(_untagged(_unfenced(text)))
        if inner == text:
            break
        text = inner
    return text if _is_visible(text) else ""


def _untagged(text: str) -> str:
    dress = _ANSWER_DRESS.fullmatch(text)
    if dress is None:
        return text
    inner = dress["text"] if dress["tag"] else dress["unopened"]
    tag = (dress["tag"] or dress["last"]).lower()
    is_one_element = f"<{tag}>" not in inner.lower() and f"</{tag}>" not in inner.lower()
    return inner if is_one_element else text


def _unfenced(text: str) -> str:
    first, _, rest = text.partition("\n")
    if not rest:
        is_fenced = len(text) > 6 and text.startswith("```") and text.endswith("```")
        return text[3:-3] if is_fenced and text.count("```") == 2 else text
    opening = PROSE_FENCE.fullmatch(first.strip())
    body, newline, last = rest.rpartition("\n")
    if opening is None or not newline:
        return text
    fence = opening[1]
    is_closed = last.strip() == fence and fence not in body
    return body if is_closed else text


def _trimmed(text: str) -> str:
    return text.strip(WHITE_SPACE + INVISIBLE)


def _is_visible(text: str) -> bool:
    return any(character.isprintable() and not character.isspace() for character in text)
