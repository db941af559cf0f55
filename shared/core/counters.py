"""Counters of a shard, a split or a run. They only add up, so progress, gates and report agree.

A shard's counters are stored as metadata of its journal: one listing of a run's journals gives the
run's progress without a task hub.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from pydantic import BaseModel, Field

METADATA = "counters"
SEALED = "sealed"
# why rows have no outcome: the run ended before them, or they are kept for evaluation
NOT_REACHED = "not_reached"
FOR_EVALUATION = "for_evaluation"

# Azure takes at most 8 KiB of metadata: so many labels fit at 12 bytes a character
MAX_LABELS = 20
MAX_LABEL_CHARACTERS = 24
OTHER_LABELS = "(other)"
MAX_TEACHERS = 8
MAX_TEACHER_CHARACTERS = 60

KeyT = TypeVar("KeyT", str, int)


class LabelCounts(BaseModel):
    """Rows whose reference is one label or choice, and those of them whose answer agrees."""

    rows: int = 0
    matching: int = 0


class Counters(BaseModel):
    """Rows, tokens and requests. `done` = `accepted` + the sum of `rejected`.

    Once the run has ended, `rows` = `done` + `not_needed` + the sum of `not_asked`. `examples` are
    the lines of the datasets: one for each accepted row, more where several of its reasonings are
    kept. Requests and tokens are those of all rows, whether needed or not.
    """

    rows: int = 0
    done: int = 0
    accepted: int = 0
    examples: int = 0

    # of the accepted rows: those set aside for validation, those whose teacher was shown the
    # reference, those answered by an earlier run
    held_out: int = 0
    held_out_examples: int = 0
    rationalised: int = 0
    reused: int = 0

    # rows after those that make up `quality.target_rows`, and how many of these have an accepted
    # answer that would count: it stays in the journal
    not_needed: int = 0
    spare: int = 0

    # rows without an outcome when the run has ended, by reason
    not_asked: dict[str, int] = Field(default_factory=dict[str, int])

    # rejected rows by reason; those rejected by the teacher by the round that asked for them
    rejected: dict[str, int] = Field(default_factory=dict[str, int])
    failed: dict[int, int] = Field(default_factory=dict[int, int])

    # as the teacher reported them
    prompt_tokens: int = 0
    completion_tokens: int = 0
    requests: int = 0

    # of accepted rows with several answers: the answers, and those that agree with the chosen one
    samples: int = 0
    agreeing: int = 0

    # rows whose answer was compared with their reference, those that agree, and both by the label
    # or choice that the reference is; rows whose reference cannot be read
    with_reference: int = 0
    matching: int = 0
    labels: dict[str, LabelCounts] = Field(default_factory=dict[str, LabelCounts])
    unreadable_references: int = 0

    # accepted rows by the round that asked and the model as the teacher's replies name it
    teachers: dict[str, int] = Field(default_factory=dict[str, int])

    shards: int = 0
    shards_done: int = 0

    @property
    def rejected_rows(self) -> int:
        """Return the number of rejected rows."""
        return sum(self.rejected.values())

    @property
    def not_asked_rows(self) -> int:
        """Return the number of rows that the teacher was not asked for."""
        return sum(self.not_asked.values())

    @property
    def totals(self) -> dict[str, int]:
        """Return the rows by their outcome."""
        return {
            "rows": self.rows,
            "accepted": self.accepted,
            "rejected": self.rejected_rows,
            "not_needed": self.not_needed,
            "not_asked": self.not_asked_rows,
        }

    @property
    def adds_up(self) -> bool:
        """Return whether rows = accepted + rejected + not needed + not asked.

        This is the conservation law.
        """
        has_all_outcomes = self.done == self.accepted + self.rejected_rows
        return has_all_outcomes and self.rows == self.done + self.not_needed + self.not_asked_rows

    @property
    def not_held_out(self) -> int:
        """Return the number of accepted rows that stay in the dataset of their split."""
        return self.accepted - self.held_out

    @property
    def examples_not_held_out(self) -> int:
        """Return the number of lines in the dataset of the split."""
        return self.examples - self.held_out_examples

    def to_metadata(self, *, sealed: bool) -> dict[str, str]:
        """Return the metadata of a journal; `sealed` marks it as complete."""
        counters = self.model_dump(mode="json", exclude_defaults=True)
        text = json.dumps(counters, separators=(",", ":"))  # ASCII, as headers demand
        return {METADATA: text, SEALED: str(sealed).lower()}

    def count_reference(self, label: str | None, *, agrees: bool) -> None:
        """Count a row whose answer was compared with its reference, which may be a label."""
        self.with_reference += 1
        self.matching += agrees
        if label is None:
            return
        name = label
        if len(name) > MAX_LABEL_CHARACTERS:
            name = f"{name[: MAX_LABEL_CHARACTERS - 1]}…"
        _add_label(self.labels, name, LabelCounts(rows=1, matching=int(agrees)))

    def count_teacher(self, round_: int, model: str | None) -> None:
        """Count an accepted row by its teacher."""
        name = (model or "").encode("ascii", "replace").decode()[:MAX_TEACHER_CHARACTERS]
        key = f"{round_} {name}"
        if key not in self.teachers and len(self.teachers) >= MAX_TEACHERS:
            key = f"{round_} {OTHER_LABELS}"
        _add(self.teachers, {key: 1})

    def accepted_by_teacher(self) -> Iterator[tuple[int, str, int]]:
        """Yield round and model, which may be empty, with their accepted rows."""
        for key, rows in sorted(self.teachers.items()):
            round_, _, model = key.partition(" ")
            yield int(round_), model, rows

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Counters:
        """Return the counters of one shard from its journal's metadata."""
        counters = cls.model_validate(json.loads(metadata.get(METADATA, "{}")))
        shards_done = int(is_sealed(metadata))
        return counters.model_copy(update={"shards": 1, "shards_done": shards_done})


# the fields that are plain numbers
NUMBERS = [name for name, field in Counters.model_fields.items() if field.annotation is int]


def is_sealed(metadata: Mapping[str, str]) -> bool:
    """Return whether the journal with this metadata is complete and its blocks are staged."""
    return metadata.get(SEALED) == "true"


def total(parts: Iterable[Counters]) -> Counters:
    """Return the sum of several counters."""
    result = Counters()
    for counters in parts:
        for name in NUMBERS:
            setattr(result, name, getattr(result, name) + getattr(counters, name))
        _add(result.not_asked, counters.not_asked)
        _add(result.rejected, counters.rejected)
        _add(result.failed, counters.failed)
        _add(result.teachers, counters.teachers)
        for label, counts in counters.labels.items():
            _add_label(result.labels, label, counts)
    result.rejected = dict(sorted(result.rejected.items()))
    result.labels = bounded_labels(result.labels)
    return result


def bounded_labels(labels: Mapping[str, LabelCounts]) -> dict[str, LabelCounts]:
    """Return the most frequent labels in alphabetical order, and the others as one."""
    ranked = sorted(labels, key=lambda name: (name == OTHER_LABELS, -labels[name].rows, name))
    bounded = {name: labels[name] for name in sorted(ranked[:MAX_LABELS])}
    for name in ranked[MAX_LABELS:]:
        _add_label(bounded, OTHER_LABELS, labels[name])
    return bounded


def _add(counts: dict[KeyT, int], more: Mapping[KeyT, int]) -> None:
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + count


def _add_label(labels: dict[str, LabelCounts], label: str, more: LabelCounts) -> None:
    before = labels.get(label, LabelCounts())
    matching = before.matching + more.matching
    labels[label] = LabelCounts(rows=before.rows + more.rows, matching=matching)
