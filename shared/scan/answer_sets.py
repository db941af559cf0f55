"""Which sets of labels or choices the rows of a dataset offer, with an example of each.

They are shown before the teacher is paid, because a prompt that is read wrongly shows there.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, Field

from shared.dataset.answer_space import AnswerSpace

SHOWN_SETS = 5
KEPT_SETS = 20  # of a range, so that rare sets of early rows cannot crowd out frequent ones
MAX_CHARACTERS = 100  # of a set, in messages


class AnswerSet(BaseModel):
    """One set of labels or choices."""

    values: str = Field(description="the labels or choices, as they are learned")
    source: str = Field(description="row, specification or prompt: where they were found")
    rows: int = Field(description="rows that offer them")
    line: int = Field(description="the first of these rows")


class AnswerSets(BaseModel):
    """The most frequent sets, and how many rows have another one."""

    sets: list[AnswerSet] = Field(default_factory=list[AnswerSet])
    other_rows: int = 0

    def count(self, space: AnswerSpace | None, line: int) -> None:
        """Count the row of one line."""
        if space is not None:
            values = space.listed()
            if len(values) > MAX_CHARACTERS:
                values = f"{values[: MAX_CHARACTERS - 1]}…"
            self._add(AnswerSet(values=values, source=space.source, rows=1, line=line))

    def add(self, later: AnswerSets) -> None:
        """Add the sets of the next range."""
        for answer_set in later.sets:
            self._add(answer_set.model_copy())
        self.other_rows += later.other_rows

    def moved(self, lines: int) -> AnswerSets:
        """Return the sets with their lines numbered so many lines later."""
        sets = [entry.model_copy(update={"line": entry.line + lines}) for entry in self.sets]
        return AnswerSets(sets=sets, other_rows=self.other_rows)

    def shown(self) -> AnswerSets:
        """Return the most frequent sets."""
        ordered = sorted(self.sets, key=lambda entry: (-entry.rows, entry.line))
        hidden = sum(entry.rows for entry in ordered[SHOWN_SETS:])
        return AnswerSets(sets=ordered[:SHOWN_SETS], other_rows=self.other_rows + hidden)

    def _add(self, entry: AnswerSet) -> None:
        for earlier in self.sets:
            if (earlier.values, earlier.source) == (entry.values, entry.source):
                earlier.rows += entry.rows
                return
        if len(self.sets) < KEPT_SETS:
            self.sets.append(entry)
        else:
            self.other_rows += entry.rows


def answer_lines(by_split: Iterable[tuple[str, AnswerSets]]) -> list[tuple[str, str, int, str]]:
    """Return split, values, rows and an example of each set, for tables."""
    lines: list[tuple[str, str, int, str]] = []
    for split, answers in by_split:
        lines += [
            (split, entry.values, entry.rows, f"line {entry.line} ({entry.source})")
            for entry in answers.sets
        ]
        if answers.other_rows:
            lines.append((split, "others", answers.other_rows, ""))
    return lines
