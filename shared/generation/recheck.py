"""Checks stored replies against the rule of now: what a resumed or reusing run accepts of them.

An accepted row that the rule rejects is asked again; a row that was rejected by another rule is
accepted. Neither costs a request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from pydantic_core import to_json

from shared.dataset.rejection import MAX_REPLY_CHARACTERS, Rejection, RejectionReason
from shared.dataset.rows import Row
from shared.generation.ask_turn import NoAnswer
from shared.generation.provided_record import provided_record
from shared.generation.record import Record
from shared.generation.reference_agreement import compare_with_reference
from shared.generation.sampling import next_batch_size
from shared.generation.selection import (
    Samples,
    Selection,
    nothing_selected,
    select,
    selection_rule,
    values_of,
)
from shared.generation.stored_reply import without_usual_model
from shared.generation.stored_samples import (
    Sample,
    StoredSamples,
    read_samples,
    stored_samples,
)
from shared.spec.example_length import length_problem
from shared.spec.models import RunSpec
from shared.tasks import TASKS, Answer

SOURCES = Path(__file__).parents[1]  # the package `shared`
RULE_CHARACTERS = 16
# settings of section `quality` that decide about a run, not about a row
RUN_SETTINGS = {"min_success_ratio", "min_rows", "target_rows"}


def rule_of(spec: RunSpec) -> str:
    """Return what identifies everything that decides about stored replies.

    That is the run's settings and the app's code. Rows that were decided by the same rule need no
    recheck, which takes up to 10 ms a row.
    """
    student = spec.taught
    parts = [
        spec.quality.model_dump(exclude=RUN_SETTINGS),
        student.context_tokens,
        student.system_role,
        code_version(),
    ]
    return hashlib.sha256(to_json(parts)).hexdigest()[:RULE_CHARACTERS]


@cache
def code_version() -> str:
    """Return a hash of the modules and tables that read and check replies."""
    digest = hashlib.sha256()
    files = [path for path in SOURCES.rglob("*.*") if path.suffix in (".py", ".toml")]
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Recheck:
    """Rechecks the rows of a run in one of its later rounds."""

    spec: RunSpec
    round: int

    def record(
        self, current: Record, row: Row | Rejection, key: str, records: Sequence[Record]
    ) -> Record | None:
        """Return a new record of a row, or None if it stays as it is.

        `row` is checked by the settings of now, `key` is that of its question, and `records` are
        all that its journal has.
        """
        is_accepted = current.status == "accepted"
        if isinstance(row, Rejection):
            is_unchanged = (current.reason, current.detail) == (row.reason, row.detail)
            stays = not is_accepted and (current.is_retryable or is_unchanged)
            return None if stays else self._excluded(current, row)
        if not is_accepted and not current.is_retryable:
            return self._admitted(current)
        if row.provided_answer is not None:
            return self._provided(current, row) if is_accepted else None
        sets = stored_samples(records)
        failure: Record | NoAnswer | None = None
        for number, stored in enumerate(sets):
            # an accepted answer may be another teacher's; any other must be to this question
            if stored.key != key and (number or not is_accepted):
                continue
            record = record_again(current.line, row, self.spec, stored)
            if isinstance(record, Record) and record.status == "accepted":
                record.replies = []
                record.continued = True
                return self._if_changed(current, record)
            if failure is None:
                failure = record
        if is_accepted and failure is not None:
            return self._rejected(current, row, sets[0], failure)
        return None

    def _excluded(self, current: Record, rejection: Rejection) -> Record:
        """Return the record of a row that would not be asked by the settings of now."""
        record = _without_answer(current, rejection.reason, rejection.detail)
        record.round = self.round
        record.checked = self.round
        return record

    def _admitted(self, current: Record) -> Record:
        """Return the record of a row that earlier settings excluded: it is to be answered."""
        assert current.reason is not None, "a rejected row has a reason"
        record = _without_answer(current, current.reason, current.detail or "")
        record.checked = self.round
        return record

    def _provided(self, current: Record, row: Row) -> Record | None:
        record = provided_record(current.line, row, self.spec)
        record.round = current.round
        return self._if_changed(current, record)

    def _rejected(
        self, current: Record, row: Row, stored: StoredSamples, failure: Record | NoAnswer
    ) -> Record:
        assert failure.reason is not None, "a row without an answer has a reason"
        record = _without_answer(current, failure.reason, failure.detail or "")
        words = stored.replies[-1].said
        record.reply = words[:MAX_REPLY_CHARACTERS] if words else None
        record.checked = self.round
        compare_with_reference(record, row, self.spec)
        return record

    def _if_changed(self, current: Record, record: Record) -> Record | None:
        record.checked = self.round
        return None if _decision(record) == _decision(current) else record


def record_again(
    line: int, row: Row, spec: RunSpec, stored: StoredSamples, *, all_examples: bool = False
) -> Record | NoAnswer:
    """Return the record of a row that its stored replies make, or why they have no answer.

    It has sent no request. A row whose example is too long for the student is rejected.
    `all_examples` as in `select_stored`.
    """
    samples = read_samples(row, spec, stored)
    try:
        selection = select_stored(row, spec, samples, all_examples=all_examples)
    except NoAnswer as failure:
        return failure
    for reply in stored.replies:
        reply.forget_answer()
    for sample in samples:
        for reply, answer in zip(sample.replies, sample.turns, strict=False):
            reply.keep_answer(answer, with_reasoning=spec.prompt.chain_of_thought)
    model = samples[selection.sample].replies[-1].model
    record = Record(
        line=line,
        id=row.id,
        status="accepted",
        replies=without_usual_model(stored.replies, model),
        selected=selection.sample,
        kept=selection.others,
        model=model,
        samples=selection.samples,
        agreeing=selection.agreeing,
        round=stored.round,
        key=stored.key,
        reused=stored.reused,
    )
    record.rationalised = selection.is_rationalised
    record.read_replies()
    problem = length_problem(row, spec, selection.turns)
    if problem:
        record.reject(RejectionReason.TOO_LONG, problem)
    compare_with_reference(record, row, spec)
    return record


def select_stored(
    row: Row, spec: RunSpec, samples: Sequence[Sample], *, all_examples: bool
) -> Selection:
    """Return what the run's rule selects of the samples that a row has. Raises NoAnswer.

    More samples than the run asks for count too, if the first ones don't decide. With
    `all_examples`, samples that make fewer examples than further ones could don't suffice.
    """
    # a sample that saw the reference comes last
    plain = [sample for sample in samples if not sample.saw_reference]
    if spec.quality.select == "first":
        return _first(plain)
    values = [sample.value for sample in plain]
    failure: NoAnswer | None = None
    for count in sorted({min(spec.quality.samples, len(values)), len(values)}):
        try:
            return _decided(row, spec, values[:count], all_examples=all_examples)
        except NoAnswer as reason:
            failure = reason
    assert failure is not None, "there are samples"
    selection = _rationalised(row, spec, samples, failure)
    if selection is None:
        raise failure
    return selection


def _rationalised(
    row: Row, spec: RunSpec, samples: Sequence[Sample], failure: NoAnswer
) -> Selection | None:
    """Return the answer of a teacher that was shown the reference, if the run accepts such."""
    number = len(samples) - 1
    answer = samples[number].value
    reference = selection_rule(spec, row).reference
    can_be_shown = spec.quality.rationalise and failure.reason == RejectionReason.DISAGREES
    if not can_be_shown or not samples[number].saw_reference or reference is None:
        return None
    if isinstance(answer, NoAnswer) or not TASKS[spec.task].same_value(
        answer.text, reference, None
    ):
        return None
    return Selection([answer], number, samples=number, is_rationalised=True)


def _first(samples: Sequence[Sample]) -> Selection:
    for number, sample in enumerate(samples):
        if sample.failure is None:
            return Selection(sample.turns, number)
    failure = samples[-1].failure
    assert failure is not None, "no sample has an answer"
    raise failure


def _decided(row: Row, spec: RunSpec, samples: Samples, *, all_examples: bool) -> Selection:
    """Return the selection if further samples would not change it. Raises NoAnswer."""
    rule = selection_rule(spec, row)
    rule = replace(rule, max_samples=max(rule.max_samples, len(samples)))

    def fits(answer: Answer) -> bool:
        return length_problem(row, spec, [answer]) is None

    selection = select(samples, rule, fits)
    examples = 1 + len(selection.others) if all_examples else rule.keep
    if next_batch_size(rule, values_of(samples), examples):
        raise nothing_selected(samples, rule)
    return selection


def _without_answer(current: Record, reason: RejectionReason, detail: str) -> Record:
    """Return a record without answers, of a row that may be asked again."""
    return Record(
        line=current.line,
        id=current.id,
        status="rejected",
        reason=reason,
        detail=detail,
        selected=None,
        model=current.model,
        round=current.round,
        key=current.key,
        continued=True,
    )


def _decision(record: Record) -> tuple[object, ...]:
    """Return everything that a recheck may change."""
    return (
        record.status,
        record.answers,
        record.reasoning,
        [other.reasoning for other in record.others],
        record.samples,
        record.agreeing,
        record.rationalised,
        record.agrees,
        record.label,
        record.has_unreadable_reference,
    )
