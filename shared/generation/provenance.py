"""Where each example of a dataset comes from: one line an example, in the dataset's order."""

from __future__ import annotations

from typing import TypedDict

from shared.core.paths import Split
from shared.dataset.rows import as_jsonl
from shared.generation.record import Record
from shared.spec.models import RunSpec


class Provenance(TypedDict, total=False):
    """The origin of one example. Fields without a value are left out."""

    file: str  # path of the uploaded dataset
    line: int  # 1-based, in that file
    id: str
    model: str  # of the teacher, as its reply names it
    finish_reason: str
    round: int  # of the run that asked for the row: 0, or the number of the resumption
    requests: int  # that the row took in that round; 0 where the answer is reused
    samples: int
    agreeing: int  # samples that agree with the selected one
    sample: int  # the number of the example's own, from 1
    agrees: bool  # with the row's reference
    rationalised: bool  # whether the teacher was shown the reference; left out if not
    key: str  # of the request: the same in every run that asks the teacher the same
    reused: bool  # the answer comes from the run that `reuse` names


def source_file(spec: RunSpec, split: Split) -> str:
    """Return the path of the dataset that a split was uploaded as."""
    return spec.inputs[split]


def provenance_line(file: str, record: Record) -> bytes:
    """Return the line of an example that an accepted row of this file makes."""
    provenance: Provenance = {"file": file, "line": record.line}
    if record.id is not None:
        provenance["id"] = record.id
    if record.model:
        provenance["model"] = record.model
    if record.finish_reason:
        provenance["finish_reason"] = record.finish_reason
    provenance["round"] = record.round
    provenance["requests"] = record.requests
    if record.samples:
        provenance["samples"] = record.samples
        provenance["agreeing"] = record.agreeing
        if record.selected is not None:
            provenance["sample"] = record.selected + 1
    if record.agrees is not None:
        provenance["agrees"] = record.agrees
    if record.rationalised:
        provenance["rationalised"] = True
    if record.key is not None:
        provenance["key"] = record.key
    provenance["reused"] = record.reused
    return as_jsonl([provenance])
