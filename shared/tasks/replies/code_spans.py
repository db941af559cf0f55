"""Finds Markdown code in a text: what stands in it is quoted, whatever it looks like."""

from __future__ import annotations

import re

FENCE_LINE = re.compile(r"^[ \t]{0,40}(`{3,}|~{3,})([^`\n]*)$", re.MULTILINE)
# Code on a line ends on that line. At most one run of each length is searched for in vain.
INLINE_CODE = re.compile(r"(?<!`)(`{1,3})(?!`)[^\n]*?(?<!`)\1(?!`)")
MASK = "\ufffc"


def code_masked(text: str) -> str:
    """Return a text of the same length whose code is masked. A fence must be closed to be code."""
    if "`" not in text and "~~~" not in text:
        return text
    parts: list[str] = []
    position = 0
    opening: re.Match[str] | None = None
    for fence in FENCE_LINE.finditer(text):
        if opening is None:
            opening = fence
        elif fence[1].startswith(opening[1]) and not fence[2].strip():
            parts.append(text[position : opening.start()])
            parts.append(MASK * (fence.end() - opening.start()))
            position = fence.end()
            opening = None
    parts.append(text[position:])
    return INLINE_CODE.sub(lambda code: MASK * len(code[0]), "".join(parts))


def without_code(text: str) -> str:
    """Return the text with its code left out."""
    return re.sub(f"{MASK}+", " ", code_masked(text))
