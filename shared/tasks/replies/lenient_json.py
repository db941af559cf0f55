"""Reads the JSON objects in a text, with the slips that teachers make.

Strict JSON comes first, in which LaTeX may leave its backslashes undoubled. An object that isn't
is respelled, token by token, if it has one meaning: keys in other quotes or in none, quotes inside
a text that aren't escaped, trailing or missing commas, comments, Python's constants.
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

MAX_OBJECTS = 20  # tried in one text
# White space and comments. One with a number or an alternative may be about the value: "4 # or 5".
COMMENT = r"(?://|#)(?! ?or\b)[^\n\d]{0,200}\n|/\*(?! ?or\b)[^*\d]{0,200}\*/"
GAP = rf"(?:\s|{COMMENT})*"
OBJECT_START = re.compile(rf"""\{{{GAP}(?:(?P<brace>\}})|["'“‘„]?(?P<key>[^\W\d][\w -]{{0,40}}))""")
QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "„": "“"}
BARE = r"[^\s,{}\[\]\"'“”‘’„\\:]{1,60}"
KEY = (
    rf"(?:{'|'.join(f'{start}[^{end}]{{1,60}}{end}' for start, end in QUOTES.items())}|{BARE})\s*:"
)
# What must follow the end of a key or value, or else its closing quote is part of the text.
END = (
    rf"(?={GAP}(?:(?P<colon>:)|[}}\]]|,{GAP}(?:[\]}}\[{{\d\-\"'“‘„]|{BARE}\s*:)"
    rf"|(?P<gap>\n){GAP}{KEY}))"
)
TEXTS = "|".join(rf"{start}((?:\\.|[^\\])*?){end}" for start, end in QUOTES.items())
TOKEN = re.compile(
    rf"(?P<comment>{COMMENT})|(?P<comma>,)(?={GAP}[}}\]])|[{{}}\[\],:\s]"
    rf"|(?:(?P<text>{TEXTS})|(?P<bare>{BARE})){END}|(?P<other>.)",
    re.DOTALL,
)
CONSTANTS = {"true": "true", "false": "false", "null": "null", "none": "null"}
UNESCAPED_QUOTE = re.compile(r'(\\.)|"', re.DOTALL)

BARE_PAIRS = re.compile(
    r"""["“](?:reasoning|answer)["”]\s*:[^{]*(?P<brace>["”}])\s*""", re.IGNORECASE
)
ESCAPED_OBJECT = re.compile(r'\{\s*\\+"')
ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|[A-Za-z]+|.|\Z)", re.DOTALL)
CODE_POINT = re.compile(r"u[0-9A-Fa-f]{4}")
DOUBLED_COMMAND = re.compile(r"\\\\[A-Za-z]{2}")
ESCAPED = frozenset('"\\/bfnrt')
# A line break stands behind a stop rather than a command does; a command behind a space or bracket.
STOPS = frozenset(".:;!?,")
COMMAND_STARTS = frozenset(" $({[=")


class Ambiguous(ValueError):
    """The object cannot be read, or has several meanings."""


class _Commands(Table):
    commands: frozenset[str]
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
    objects: list[ObjectInText] = []
    end = 0
    for start in OBJECT_START.finditer(text):
        if start.start() < end or len(objects) >= MAX_OBJECTS:
            continue
        value, end = _strict(text, start.start()) or _respelled(text, start)
        objects.append(ObjectInText(value, start["key"] or "", start.start(), end))
    return objects


def plain_json(text: str) -> str:
    """Return a text with its JSON as it was meant: not in a string, in braces, LaTeX escaped."""
    text = _latex_escaped(_out_of_string(text))
    if pairs := BARE_PAIRS.fullmatch(text):
        return f"{{{text}" if pairs["brace"] == "}" else f"{{{text}}}"
    return text


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

    def escaped(escape: re.Match[str]) -> str:
        if escape[0] == "\\'":
            return "'"
        if _is_literal(escape) or (is_raw and _is_word_command(escape, is_latex)):
            return f"\\{escape[0]}"
        behind = text[escape.end() : escape.end() + 1]
        is_line_break = is_latex and escape[0] == r"\\" and behind.isspace()
        return r"\\\\" if is_line_break else escape[0]

    return ESCAPE.sub(escaped, text)


def _is_literal(escape: re.Match[str]) -> bool:
    """Return whether a backslash is no escape of JSON, whatever the rest of the text is like."""
    letters = escape[0][1:]
    first = letters[:1]
    if first == "u":
        return CODE_POINT.fullmatch(letters) is None
    if first not in ESCAPED:
        return letters != "'"
    return len(letters) > 1 and (first in "bfr" or letters in _COMMANDS.commands)


def _is_word_command(escape: re.Match[str], is_latex: bool) -> bool:
    """Return whether it is a command rather than a line break before a word.

    `is_latex`: the text leaves others undoubled, which are no escapes.
    """
    before = escape.string[max(0, escape.start() - 1) : escape.start()]
    is_likely = before in COMMAND_STARTS or (is_latex and before not in STOPS)
    return is_likely and escape[0][1:] in _COMMANDS.word_commands


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


def _respelled(text: str, start: re.Match[str]) -> tuple[JsonObject | None, int]:
    """Return an object that ends at the text's last brace; None, and its head, for any other."""
    end = text.rfind("}") + 1
    if '"' in text[end:]:  # the brace may be part of a text
        return None, start.end()
    try:
        return _DECODER.decode(TOKEN.sub(_json_token, text[start.start() : end])), end
    except (ValueError, RecursionError):
        return None, start.end()


def _json_token(token: re.Match[str]) -> str:
    """Return a token as JSON spells it. Raises Ambiguous for one that belongs nowhere."""
    if token["other"]:
        raise Ambiguous(f"{token['other']} outside a text")
    if token["comment"] or token["comma"]:
        return ""
    if token["text"]:
        body = UNESCAPED_QUOTE.sub(lambda quote: quote[1] or '\\"', token["text"][1:-1])
        if token["colon"] and '"' in body:
            raise Ambiguous("a quote in a key")
        spelled = f'"{body}"'
    elif token["bare"]:
        spelled = CONSTANTS.get(token["bare"].lower(), f'"{token["bare"]}"')
    else:
        return token[0]
    return f"{spelled}," if token["gap"] else spelled
