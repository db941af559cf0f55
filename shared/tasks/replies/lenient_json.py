"""Reads the JSON objects in a text, with the slips that teachers make.

Keys in other quotes or in none, quotes inside a text that aren't escaped, trailing commas,
comments, Python's constants, an object within a string, and LaTeX whose backslashes aren't doubled
have one meaning each, and are read. An object that has several meanings, or none, isn't read.
json-repair (0.64) was no choice: it makes 5 of `5 apples` and of `"5" "6"`, closes what was cut
off, and keeps no LaTeX.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, cast

from shared.core.tables import Table, read_table
from shared.tasks.replies.reply import whole_characters

JsonObject = dict[str, Any]

# White space and comments. One with a number or an alternative may be about the value: "4 # or 5".
GAP = r"(?:\s|(?://|#)(?! ?or\b)[^\n\d]{0,200}\n|/\*(?! ?or\b)[^*\d]{0,200}\*/)*"
OBJECT_START = re.compile(rf"""\{{{GAP}(?:(?P<brace>\}})|["'“‘„]?(?P<key>[^\W\d][\w -]{{0,40}}))""")
MAX_OBJECTS = 50  # tried in one text
MAX_REPAIRS = 5  # of those, by the slower reader
MAX_DEPTH = 20

ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|[A-Za-z]+|.|\Z)", re.DOTALL)
CODE_POINT = re.compile(r"u[0-9A-Fa-f]{4}")
# A line break stands behind a stop rather than a command does; a command behind a space or bracket.
STOPS = frozenset(".:;!?,")
COMMAND_STARTS = frozenset(" $({[=")
# LaTeX's line break, in a text that doubles no backslash of a command.
LINE_BREAK = re.compile(r"(?<!\\)\\\\(?=\s)")
ESCAPED = frozenset('"\\/bfnrt')
ESCAPED_OBJECT = re.compile(r'\{\s*\\+"')
BARE_PAIRS = re.compile(
    r"""["“](?:reasoning|answer)["”]\s*:[^{]*(?P<brace>["”}])\s*""", re.IGNORECASE
)
DOUBLED_COMMAND = re.compile(r"\\\\[A-Za-z]{2}")
CLOSING_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "„": "“"}
SPACE = re.compile(GAP)
KEY = r"(?:[\"“„][^\"”\n]{1,60}[\"”“]|['‘][^'’\n]{1,60}['’]|[^\W\d]\w{0,40})\s*:"
QUOTED_KEY = re.compile(r"[\"“„]([^\"”“\n]{1,60})[\"”“]|['‘]([^'’\n]{1,60})['’]|([^\W\d]\w{0,40})")
# What must follow the quote that ends a text.
END_OF_VALUE = re.compile(rf"{GAP}(?:\}}|,{GAP}\}}|(?:,{GAP}|\s*\n{GAP}){KEY})")
END_OF_ITEM = re.compile(r"\s*(?:\]|,\s*[\]\"'“‘„\d\[{-])")
BARE_VALUE = re.compile(r"[^\s,{}\[\]\"'“”‘’„\\:]{1,60}")
CONSTANTS = {"true": True, "false": False, "null": None, "none": None}
UNESCAPED_QUOTE = re.compile(r'\\.|"', re.DOTALL)


class Ambiguous(ValueError):
    """The object cannot be read, or has several meanings."""


class _Commands(Table):
    commands: frozenset[str]
    short_commands: frozenset[str]
    word_commands: frozenset[str]


_COMMANDS = read_table(_Commands, __file__)


@dataclass(frozen=True, slots=True)
class ObjectInText:
    """An object and its place. `value` is None if it cannot be read; `key` is its first key."""

    value: JsonObject | None
    key: str
    start: int
    end: int


def objects_in(text: str) -> list[ObjectInText]:
    """Return the outermost JSON objects of a text, numbers as the text that they were written in.

    Places are those in `plain_json(text)`.
    """
    text = plain_json(text)
    if "{" not in text:
        return []
    objects: list[ObjectInText] = []
    end = 0
    repairs = 0
    for start in OBJECT_START.finditer(text):
        if start.start() < end or len(objects) >= MAX_OBJECTS:
            continue
        value = _strict(text, start.start())
        if value is None and repairs < MAX_REPAIRS:
            repairs += 1
            value = _repaired(text, start.start())
        key = start["key"] or ""
        if value is None:
            objects.append(ObjectInText(None, key, start.start(), start.end()))
            continue
        end = value[1]
        objects.append(ObjectInText(value[0], key, start.start(), end))
    return objects


def plain_json(text: str) -> str:
    """Return a text with its JSON as it was meant: not in a string, in braces, LaTeX escaped."""
    text = _latex_escaped(_out_of_string(text))
    pairs = BARE_PAIRS.fullmatch(text)
    if pairs is None:
        return text
    return f"{{{text}" if pairs["brace"] == "}" else f"{{{text}}}"


def _out_of_string(text: str) -> str:
    """Return the content of a text that is a JSON string with an object, quoted or not."""
    if ESCAPED_OBJECT.search(text) is None:
        return text
    string = text.strip()
    try:
        content = json.loads(string if string[0] == '"' else f'"{string}"', strict=False)
    except ValueError:
        return text
    return content if isinstance(content, str) else text


def _latex_escaped(text: str) -> str:
    """Return a text of JSON with each backslash doubled that isn't meant as an escape."""
    if "\\" not in text:
        return text
    is_raw = not DOUBLED_COMMAND.search(text)
    is_latex = is_raw and any(map(_is_literal, ESCAPE.finditer(text)))
    text = LINE_BREAK.sub(r"\\\\\\\\", text) if is_latex else text
    return ESCAPE.sub(lambda escape: _escaped(escape, is_raw, is_latex), text)


def _escaped(escape: re.Match[str], is_raw: bool, is_latex: bool) -> str:
    if escape[0] == "\\'":
        return "'"
    is_command = _is_literal(escape) or (is_raw and _is_short_command(escape, is_latex))
    return f"\\{escape[0]}" if is_command else escape[0]


def _is_literal(escape: re.Match[str]) -> bool:
    """Return whether a backslash is no escape of JSON, whatever the rest of the text is like."""
    letters = escape[0][1:]
    first = letters[:1]
    if first == "u":
        return CODE_POINT.fullmatch(letters) is None
    if first not in ESCAPED:
        return letters != "'"
    return len(letters) > 1 and (first in "bfr" or letters in _COMMANDS.commands)


def _is_short_command(escape: re.Match[str], is_latex: bool) -> bool:
    """Return whether it is a command in a text that doubles no backslash of one.

    `is_latex`: it leaves others undoubled, which are no escapes.
    """
    letters = escape[0][1:]
    before = escape.string[max(0, escape.start() - 1) : escape.start()]
    if letters in _COMMANDS.short_commands:
        return before not in STOPS
    return letters in _COMMANDS.word_commands and (is_latex or before in COMMAND_STARTS)


def _pairs(pairs: list[tuple[str, Any]]) -> JsonObject:
    """Return the object of these pairs. A key may be there twice, but not with two values."""
    data: JsonObject = {}
    for key, value in pairs:
        if key in data and data[key] != value:
            raise Ambiguous(f"two values of {key}")
        data[whole_characters(key)] = value
    return data


_DECODER = json.JSONDecoder(
    strict=False, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_pairs
)


def _strict(text: str, start: int) -> tuple[JsonObject, int] | None:
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return cast(JsonObject, value), end


def _repaired(text: str, start: int) -> tuple[JsonObject, int] | None:
    """Return an object and its end, unless it could also end further on."""
    reader = _Reader(text, start)
    try:
        value = reader.object(0)
    except Ambiguous:
        return None
    end = reader.position
    following = OBJECT_START.search(text, end)
    rest = text[end : following.start() if following else len(text)]
    return None if "}" in rest or '"' in rest else (value, end)


class _Reader:
    """Reads one value after another, from a position on. Raises Ambiguous."""

    def __init__(self, text: str, position: int) -> None:
        self._text = text
        self.position = position

    def object(self, depth: int) -> JsonObject:
        if depth > MAX_DEPTH:
            raise Ambiguous("too deep")
        self._skip("{")
        pairs: list[tuple[str, Any]] = []
        while not self._accept("}"):
            key = self._key()
            self._skip(":")
            pairs.append((key, self._value(END_OF_VALUE, depth)))
            if not self._accept(",") and self._next() == "":
                raise Ambiguous("cut off")
        return _pairs(pairs)

    def _array(self, depth: int) -> list[Any]:
        self._skip("[")
        items: list[Any] = []
        while not self._accept("]"):
            items.append(self._value(END_OF_ITEM, depth))
            if not self._accept(",") and self._next() != "]":
                raise Ambiguous("no comma")
        return items

    def _value(self, end: re.Pattern[str], depth: int) -> Any:
        first = self._next()
        if first == "{":
            return self.object(depth + 1)
        if first == "[":
            if depth > MAX_DEPTH:
                raise Ambiguous("too deep")
            return self._array(depth + 1)
        if first in CLOSING_QUOTES:
            return self._quoted(CLOSING_QUOTES[first], end)
        return self._bare(end)

    def _key(self) -> str:
        self._next()
        key = QUOTED_KEY.match(self._text, self.position)
        if key is None:
            raise Ambiguous("no key")
        self.position = key.end()
        return next(filter(None, key.groups()), "")

    def _quoted(self, closing: str, end: re.Pattern[str]) -> str:
        """Return a text up to the first quote behind which the object goes on."""
        start = self.position + 1
        for quote in re.compile(rf"\\.|{closing}", re.DOTALL).finditer(self._text, start):
            if quote[0] == closing and end.match(self._text, quote.end()):
                self.position = quote.end()
                return _decoded(self._text[start : quote.start()])
        raise Ambiguous("no end of a text")

    def _bare(self, end: re.Pattern[str]) -> str | bool | None:
        """Return a constant, or a number or word as text."""
        word = BARE_VALUE.match(self._text, self.position)
        if word is None or not end.match(self._text, word.end()):
            raise Ambiguous("no value")
        self.position = word.end()
        return CONSTANTS.get(word[0].lower(), word[0])

    def _next(self) -> str:
        """Return the next character that isn't white space, without passing it."""
        space = SPACE.match(self._text, self.position)
        self.position = space.end() if space else self.position
        return self._text[self.position : self.position + 1]

    def _accept(self, character: str) -> bool:
        is_next = self._next() == character
        self.position += is_next
        return is_next

    def _skip(self, character: str) -> None:
        if not self._accept(character):
            raise Ambiguous(f"no {character}")


def _decoded(body: str) -> str:
    escaped = UNESCAPED_QUOTE.sub(lambda match: match[0] if len(match[0]) > 1 else '\\"', body)
    try:
        return json.loads(f'"{escaped}"', strict=False)
    except ValueError:
        raise Ambiguous("a broken escape") from None
