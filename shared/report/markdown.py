"""Writes texts into Markdown so that they render as themselves, whatever is in them.

Names, labels, rows, replies and errors come from users, teachers and services. A pipe must not end
a cell, `<script>` and `[x](javascript:…)` must stay text, and an invisible character must not
reorder what follows it. CommonMark, with the tables of GitHub.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

# Entities, which renderers without backslash escapes of `<` read too.
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# A character that means something within a line. `_` does only at the edge of a word.
SPECIAL = re.compile(r"[\\`*\[\]#~$&<>]|(?<![^\W_])_|_(?![^\W_])|(?<=[A-Za-z]):(?=//)")
# What makes a line a list item, a heading's underline or a rule where it begins one.
LINE_START = re.compile(r"[-+](?=\s|$)|-(?=[-\s]*$)|=(?=[=\s]*$)|\d{1,9}(?=[.)](?:\s|$))")
LINE_END = re.compile(r"\r\n|\r|\n")
BACKTICKS = re.compile(r"`+")
# They change the order of the characters after them. Arabic and Hebrew need none of these.
REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# They would hide or move a link if they stood in its address.
IN_ADDRESS = re.compile(r"[\s()<>\\`\"'|*_\[\]]")


def text(value: object) -> str:
    """Return a text as one line of Markdown that renders as the text. `table` escapes its pipes."""
    line = _one_line(str(value))
    escaped = SPECIAL.sub(lambda match: ENTITIES.get(match[0], f"\\{match[0]}"), line)
    start = LINE_START.match(escaped)
    if start is None:
        return escaped
    place = start.end() if start[0].isdigit() else 0
    return f"{escaped[:place]}\\{escaped[place:]}"


def code(value: object) -> str:
    """Return a text as code within a line, on one line."""
    line = _one_line(str(value))
    if not line:
        return "(empty)"
    longest = max((len(run) for run in BACKTICKS.findall(line)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}" if longest else f"{fence}{line}{fence}"


def code_block(value: str) -> str:
    """Return a text as a block of code, with its lines as they are."""
    return "\n".join(f"    {line}" for line in LINE_END.split(value))


def link(label: str, address: str) -> str:
    """Return a link to a page of the web. Any other address is shown and leads nowhere."""
    if not address.lower().startswith(("https://", "http://")):
        return f"{label}: {code(address)}"
    quoted = IN_ADDRESS.sub(_percent_encoded, address)
    return f"[{label}]({quoted})"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table. Its cells are Markdown."""
    lines: list[Sequence[object]] = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: object) -> str:
    """Return a cell's Markdown with its pipes escaped, also those within code."""
    return str(value).replace("|", "\\|")


def _one_line(value: str) -> str:
    visible = "".join(map(_visible, value))
    return " ".join(visible.split())


def _visible(character: str) -> str:
    """Return a character, or its number if it is a control character."""
    is_control = unicodedata.category(character) in ("Cc", "Cs") and not character.isspace()
    if is_control or character in REORDERING:
        return f"U+{ord(character):04X}"
    return character


def _percent_encoded(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode())
