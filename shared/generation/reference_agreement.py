"""Compares the teacher's answer with the row's reference, whatever selects the answer.

It costs no request, and about 1 µs a row where both are written alike.
"""

from __future__ import annotations

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.generation.record import Record
from shared.spec.models import RunSpec
from shared.tasks import TASKS, Unreadable
from shared.tasks.short_answers import final_part


def compare_with_reference(record: Record, row: Row, spec: RunSpec) -> None:
    """Record whether a row's answer agrees with its reference, if it has a readable one.

    A row that was rejected because no sample agrees does not agree, nor does one whose teacher was
    shown the reference for that reason. Of a row without any answer, nothing is recorded.
    """
    task = TASKS[spec.task]
    if row.reference is None or not task.has_values:
        return
    answer = record.answers[-1] if record.answers else None
    # An answer is in canonical form: a reference in the same form needs no reading.
    reference = answer
    if answer != final_part(row.reference):
        reference = task.reference_value(row)
    if isinstance(reference, Unreadable):
        record.has_unreadable_reference = True
        return
    if reference is None:
        return
    if record.rationalised:
        record.agrees = False
    elif answer is not None:
        tolerance = spec.quality.tolerance
        record.agrees = answer == reference or task.same_value(answer, reference, tolerance)
    elif record.reason == RejectionReason.DISAGREES:
        record.agrees = False
    if record.agrees is not None and row.answers is not None:
        record.label = reference
