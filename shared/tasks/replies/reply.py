"""Splits a teacher's reply into the text that it shows and the reasoning before it.

Chat templates mark reasoning, and the ends of turns, with tags and tokens that some servers leave
in the text: `reply.toml` lists them. A tag counts unless the text talks about it: in code, in
quotes, or as a word in the middle of a sentence. Takes time linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.core.tables import Table, read_table
from shared.tasks.replies.code_spans import code_masked
from shared.tasks.replies.dress import element, untagged

SURROGATE = re.compile("[\ud800-\udfff]")
OUTER = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\ufeff\u200b\u2060"
# A fence of these kinds only wraps prose; one of a programming language is part of the answer.
PROSE_FENCE = re.compile(
    r"(`{3,}|~{3,})[ \t]*(?:(?:text|txt|plaintext|markdown|md)[ \t]*)?\n(?P<body>.*)\n\s*\1"
    r"|```(?P<line>(?:(?!```)[^\n])+)```",
    re.IGNORECASE | re.DOTALL,
)
MAX_TOKEN_CHARACTERS = 100
MAX_QUOTED = 200  # characters of an element that a sentence shows
# A token that no table lists is one all the same if it is attached to the end of the text.
LAST_TOKEN = re.compile(r"(?:(?<=\S)|(?<=[.!?\n] )|(?<=\n))(?:<[|｜][\w▁]{2,30}[|｜]>\s*)+\Z")
# The head of the assistant's turn as a word: on a line of its own, or before a text of one line.
HEAD_WORD = re.compile(r"assistant[ \t]*(?:\n+|[:：][ \t]*(?=[^\n]+\Z))", re.IGNORECASE)
MAX_LAYERS = 4  # of dress around a text
# What stands around a tag, which is written as a null, that is quoted or a word of a sentence.
AS_WORD = re.compile(
    r"""\"\0\"|'\0'|`\0`|[“„]\0[”“]|‘\0’|«\0»|\(\0\)"""
    r"|[^\W\d_][,;]? \0(?: [^\W\d_A-Z]| ?(?:[,;:)]|\.+(?:\s|<|\Z)))"
)
WORD_BEFORE = re.compile(r"[^\W\d_][,;]? \Z")
LIST_MARK = re.compile(r"[,;:)]")  # behind a tag that a list explains


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


def _lower(marks: Iterable[str]) -> frozenset[str]:
    return frozenset(mark.lower() for mark in marks)


_TABLE = read_table(_Table, __file__)
_CLOSINGS = {f"<{tag}>": frozenset({f"</{tag}>"}) for tag in _TABLE.reasoning_tags}
_CLOSINGS.update({pair.open.lower(): _lower(pair.close) for pair in _TABLE.reasoning})
_END_TOKENS = _lower(_TABLE.end_tokens)
_TURN_HEADS = _lower(_TABLE.turn_heads)
_DROPPED = _lower(_TABLE.dropped_tokens)
# Behind one of these the answer starts, even if no reasoning was opened: the prompt opened it.
_STATED_ANSWER_STARTS = _lower(_TABLE.answer_starts)
_ANSWER_STARTS = _STATED_ANSWER_STARTS.union(*_CLOSINGS.values()) - _END_TOKENS
_MARKS = _END_TOKENS | _TURN_HEADS | _DROPPED | _ANSWER_STARTS | frozenset(_CLOSINGS)
_LONGEST_FIRST = "|".join(map(re.escape, sorted(_MARKS, key=len, reverse=True)))
_MARK = re.compile(rf"(?=[<\[◁]|(?:assistant)?final<)(?:{_LONGEST_FIRST})", re.IGNORECASE)
_ANSWER_ELEMENT = element(_TABLE.answer_tags)


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

    def run(self) -> None:
        for mark in _MARK.finditer(code_masked(self.text)):
            name = mark[0].lower()
            if self.closings:
                is_end = name in self.closings or name in _STATED_ANSWER_STARTS
                if is_end and not self._is_word(mark):
                    self._take(mark)
                    self.closings = frozenset()
            elif self._is_word(mark) or self._is_shown(mark, name):
                self.mentioned |= _CLOSINGS.get(name, frozenset())
            elif name in self.mentioned:
                self.mentioned.remove(name)
            elif not self._goes_on(mark, name):
                return
        self._take(None)

    def _take(self, mark: re.Match[str] | None) -> None:
        """Take the text up to a mark, or to the end."""
        part = self.text[self.position : mark.start() if mark else None]
        (self.reasoning if self.closings else self.shown).append(part)
        if mark:
            # Of two spaces around reasoning one was written for it.
            is_double = self.closings and "".join(self.shown[-1:]).endswith(" ")
            self.position = mark.end()
            self.position += bool(is_double) and self.text.startswith(" ", mark.end())

    def _goes_on(self, mark: re.Match[str], name: str) -> bool:
        """Take the text before a mark outside reasoning; return whether the turn goes on."""
        self._take(mark)
        if name in _ANSWER_STARTS:
            self.reasoning += self.shown
            self.shown.clear()
        self.closings = _CLOSINGS.get(name, frozenset())
        is_head = name in _TURN_HEADS and not "".join(self.shown).strip()
        return is_head or name in _CLOSINGS or name in _ANSWER_STARTS or name in _DROPPED

    def _is_word(self, mark: re.Match[str]) -> bool:
        before = self.text[max(0, mark.start() - 3) : mark.start()]
        return AS_WORD.search(f"{before}\0{self.text[mark.end() : mark.end() + 5]}") is not None

    def _is_shown(self, mark: re.Match[str], name: str) -> bool:
        """Return whether a text shows a tag: with its closing, in a list, or as HTML's `<s>`."""
        start, end = mark.span()
        if name == "</s>":
            return self.text.find("<s>", self.position, start) >= 0
        if name not in _CLOSINGS:
            return False
        line = self.text[end : end + MAX_QUOTED].partition("\n")[0].lower()
        is_closed = any(closing in line for closing in _CLOSINGS[name])
        is_in_sentence = WORD_BEFORE.search(self.text[max(0, start - 3) : start])
        return bool(LIST_MARK.match(self.text, end) or (is_closed and is_in_sentence))


def _plain_reasoning_tagged(text: str) -> str:
    """Return the text with reasoning that has no tokens of its own in tags."""
    for pair in _TABLE.plain_reasoning:
        body = text.removeprefix(pair.open)
        for closing in pair.close if body != text else ():
            reasoning, closed, answer = body.partition(closing)
            if closed:
                return f"<think>{reasoning}</think>{answer}"
    return text


def _undressed(text: str) -> str:
    """Return the text without fences around prose, answer tags, and outer white space."""
    text = _trimmed(text)
    token = LAST_TOKEN.search(text, max(0, len(text) - MAX_TOKEN_CHARACTERS))
    text = _trimmed(text[: token.start()]) if token else text
    head = HEAD_WORD.match(text)
    text = text[head.end() :] if head else text
    for _ in range(MAX_LAYERS):
        inner = _trimmed(untagged(_unfenced(text), _ANSWER_ELEMENT))
        if inner == text:
            break
        text = inner
    is_visible = any(character.isprintable() and not character.isspace() for character in text)
    return text if is_visible else ""


def _unfenced(text: str) -> str:
    fence = PROSE_FENCE.fullmatch(text)
    if fence is None:
        return text
    inner = fence["line"] or fence["body"]
    return text if (fence[1] or "```") in inner else inner


def _trimmed(text: str) -> str:
    return text.strip(OUTER)
