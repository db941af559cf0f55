"""The report of a run: what went in, what came out, why rows were rejected, what it cost.

`report.json` is written last of all: its existence means that everything it names is complete.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from shared.core.counters import Counters
from shared.core.errors import ErrorData, NotFound
from shared.core.paths import RunPaths
from shared.core.run_actions import RunAction
from shared.dataset.file_facts import FileFacts
from shared.finetuning.base import JobState
from shared.finetuning.record import Trained
from shared.report.agreement import Agreement
from shared.report.statistics import Description
from shared.report.suggested_fixes import ReasonLine
from shared.report.teachers import TeacherRows
from shared.scan.answer_sets import AnswerSets
from shared.scan.findings import Findings
from shared.spec.budget import Estimate, Usage
from shared.spec.models import RunSpec
from shared.spec.quote import Quote
from shared.tasks import PROMPT_VERSION
from shared.teacher.budget import Unrecorded

if TYPE_CHECKING:
    from shared.core.storage import Storage

REPORT_VERSION = 3


class ReportExcerpt(BaseModel):
    """The parts of a report that `GET /api/runs/{id}` adds to the status."""

    round: int = Field(default=0, description="how often the run was resumed")
    finished: datetime
    inputs: dict[str, FileFacts] = Field(description="the datasets as they were uploaded, by split")
    outputs: dict[str, FileFacts] = Field(description="what the run made, by name")
    reasons: list[ReasonLine] = Field(
        default_factory=list[ReasonLine], description="why rows were rejected"
    )
    answers: dict[str, AnswerSets] = Field(
        default_factory=dict[str, AnswerSets],
        description="the labels or choices that rows offered, by split",
    )
    conflicts: dict[str, Findings] = Field(
        default_factory=dict[str, Findings],
        description="rows that repeat an earlier question with a different reference, by split",
    )
    near_duplicates: dict[str, Findings] = Field(
        default_factory=dict[str, Findings],
        description="rows that nearly repeat a row of an earlier split, by split",
    )
    agreement: dict[str, Agreement] = Field(
        default_factory=dict[str, Agreement],
        description="of answers with the references of their rows, by split",
    )
    datasets: dict[str, Description] = Field(
        default_factory=dict[str, Description],
        description="what the student's datasets are like, by split",
    )
    prompt_version: str = Field(
        default=PROMPT_VERSION, description="of the instructions that were added"
    )
    teachers: list[TeacherRows] = Field(
        default_factory=list[TeacherRows],
        description="who answered the accepted rows, of all rounds; empty if answers were provided",
    )
    training: list[Trained] = Field(
        default_factory=list[Trained], description="each student whose training began"
    )


class _Head(BaseModel):
    version: int = Field(default=REPORT_VERSION, description="of this schema")
    run: str
    status: str = Field(description="completed, failed or cancelled")
    task: str


class Report(ReportExcerpt, _Head):
    """`report.json`. Its JSON Schema is docs/report.schema.json."""

    counts: dict[str, Counters] = Field(
        description="rows and what they took, by split; empty if the run ended before its scan"
    )
    totals: dict[str, int] = Field(
        default_factory=dict[str, int],
        description="rows of all splits: accepted + rejected + not_needed + not_asked",
    )
    preflight: Usage = Field(
        default_factory=Usage, description="what preflight used of the teacher, in all rounds"
    )
    unrecorded: Unrecorded = Field(
        default_factory=Unrecorded, description="requests that are in no count of rows"
    )
    cost: float | None = Field(
        default=None,
        description="of rows and preflight, in the currency of the specification's prices",
    )
    estimate: Estimate | None = Field(default=None, description="what the scan expected")
    quote: Quote | None = Field(
        default=None,
        description="of a dry run without a probe, at the prices of the report's day",
    )
    specification: RunSpec
    finetune: JobState | None = Field(
        default=None, description="job of the student, or of the first of several"
    )
    error: ErrorData | None = None
    warnings: list[str] = Field(default_factory=list[str])
    actions: list[RunAction] = Field(
        default_factory=list[RunAction], description="who started and steered the run"
    )

    @property
    def is_complete(self) -> bool:
        """Return whether the run came to its end."""
        return self.status == "completed"


async def report_of(storage: Storage, run_id: str) -> ReportExcerpt | None:
    """Return the parts of a run's report that its status lacks, or None without a report."""
    try:
        report = await storage.read_json(RunPaths(run_id).report)
    except NotFound:
        return None
    return ReportExcerpt.model_validate(report)
