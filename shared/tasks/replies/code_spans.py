"""Finds Markdown code in a text: what stands in it is quoted, whatever it looks like."""

from __future__ import annotations

import re
from bisect import bisect_left

# What may open code.
CODE_MARK = r"`+|~{3,}"
_CODE_MARK = re.compile(CODE_MARK)
BACKTICKS_OR_LINE_END = re.compile(r"`+|\n")
BARE_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*$", re.MULTILINE)
FENCE_LENGTH = 3
MAX_INDENT = 40


class CodeSpans:
    """The code in one text. All look-ups together take time linear in the text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._closing_runs = _closing_runs(text)
        self._fences = list(BARE_FENCE.finditer(text))
        self._fence_starts = [fence.start(1) for fence in self._fences]
        self._unclosed: set[str] = set()

    def end(self, mark: re.Match[str]) -> int | None:
        """Return where the code that this CODE_MARK opens ends, None if it opens none.

        Code on one line must end on that line; a fence that is never closed isn't code.
        """
        start = mark.start()
        before = self._text[max(0, start - MAX_INDENT) : start]
        is_first_in_line = not before.rpartition("\n")[2].strip()
        if len(mark[0]) >= FENCE_LENGTH and is_first_in_line:
            end = self._fence_end(mark)
            if end is not None:
                return end
        return self._closing_runs.get(start)

    def _fence_end(self, mark: re.Match[str]) -> int | None:
        fence = mark[0]
        if fence in self._unclosed:
            return None
        first = bisect_left(self._fence_starts, mark.end())
        for number in range(first, len(self._fences)):
            closing = self._fences[number]
            if closing[1].startswith(fence):
                return closing.end()
        self._unclosed.add(fence)
        return None


def _closing_runs(text: str) -> dict[int, int]:
    """Return the end of the code that each run of backticks opens on its line."""
    ends: dict[int, int] = {}
    if "`" not in text:
        return ends
    next_ends: dict[str, int] = {}
    for run in reversed(list(BACKTICKS_OR_LINE_END.finditer(text))):
        if run[0] == "\n":
            next_ends.clear()
            continue
        if run[0] in next_ends:
            ends[run.start()] = next_ends[run[0]]
        next_ends[run[0]] = run.end()
    return ends


def without_code(text: str) -> str:
    """Return the text with its code left out."""
    if "`" not in text and "~~~" not in text:
        return text
    spans = CodeSpans(text)
    parts: list[str] = []
    position = 0
    mark = _CODE_MARK.search(text)
    while mark:
        end = spans.end(mark)
        if end is not None:
            parts.append(text[position : mark.start()])
            position = end
        mark = _CODE_MARK.search(text, end or mark.end())
    return " ".join([*parts, text[position:]])
