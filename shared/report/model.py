"""The report of a run and its dataset card: what went in, what came out, why rows were rejected, what it cost. Pure functions.

`report.json` is written last of all: its existence means that everything it names is complete.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from shared.core.counters import Counters, total
from shared.core.errors import ErrorData, NotFound
from shared.core.paths import RunPaths
from shared.dataset.file_facts import FileFacts
from shared.finetuning.record import Trained
from shared.report.statistics import Description
from shared.report.suggested_fixes import ReasonLine
from shared.spec.models import RunSpec
from shared.tasks import PROMPT_VERSION

if TYPE_CHECKING:
    from shared.core.storage import Storage

REPORT_VERSION = 3
MAX_EXAMPLE_CHARACTERS = 600  # of a message on the card


class Report(BaseModel):
    """`report.json`. Its JSON Schema is docs/report.schema.json."""

    version: int = Field(default=REPORT_VERSION, description="of this schema")
    run: str
    status: str = Field(description="completed, failed or cancelled")
    task: str
    round: int = Field(default=0, description="how often the run was resumed")
    finished: datetime
    inputs: dict[str, FileFacts] = Field(description="the datasets as they were uploaded, by split")
    outputs: dict[str, FileFacts] = Field(description="what the run made, by name")
    counts: dict[str, Counters] = Field(description="rows and what they took, by split")
    reasons: list[ReasonLine] = Field(
        default_factory=list[ReasonLine], description="why rows were rejected"
    )
    datasets: dict[str, Description] = Field(
        default_factory=dict[str, Description],
        description="what the student's datasets are like, by split",
    )
    cost: float | None = Field(
        default=None, description="in the currency of the specification's prices"
    )
    estimate: dict[str, float | int | None] | None = Field(
        default=None, description="what the scan expected"
    )
    prompt_version: str = Field(
        default=PROMPT_VERSION, description="of the instructions that were added"
    )
    specification: RunSpec
    finetune: dict[str, Any] | None = Field(
        default=None, description="job of the student, or of the first of several"
    )
    training: list[Trained] = Field(
        default_factory=list[Trained], description="each student whose training began"
    )
    error: ErrorData | None = None
    warnings: list[str] = Field(default_factory=list[str])


async def report_of(storage: Storage, run_id: str) -> dict[str, Any] | None:
    """What a run's report says beyond its status: reasons with remedies, datasets, files. None where it has none."""
    try:
        data: dict[str, Any] = await storage.read_json(RunPaths(run_id).report)
    except NotFound:
        return None
    told = (
        "round",
        "finished",
        "reasons",
        "datasets",
        "inputs",
        "outputs",
        "prompt_version",
        "training",
    )
    return {key: data[key] for key in told if key in data}  # those of earlier versions have fewer


def card(report: Report) -> str:
    """The dataset card, as Markdown."""
    spec = report.specification
    parts = [
        f"# {spec.name or report.run}",
        f"Training data for the student, made by distillation: run `{report.run}`, task `{report.task}`, "
        f"ended as **{report.status}** on {report.finished:%Y-%m-%d %H:%M} UTC.",
        _error(report.error),
        "## Rows",
        _table(("split", "rows", "accepted", "rejected"), _count_rows(report.counts)),
        _reused(report),
        _reasons(report.reasons),
        *(part for split, dataset in report.datasets.items() for part in _dataset(split, dataset)),
        "## Teacher",
        f"`{spec.teacher.model}`, prompt version {report.prompt_version}; {_settings(spec)}. {_usage(report)}",
        "## Student",
        _student(report),
        "## Files",
        _table(("file", "bytes", "lines", "SHA-256"), _file_rows(report)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _error(error: ErrorData | None) -> str:
    if error is None:
        return ""
    details = [f"\n- `{problem['where']}` {problem['problem']}" for problem in error["details"]]
    return f"> {error['message']} (`{error['code']}`){''.join(details)}"


def _count_rows(counts: Mapping[str, Counters]) -> list[tuple[object, ...]]:
    return [
        (split, counters.rows, counters.accepted, counters.rejected_rows)
        for split, counters in counts.items()
    ]


def _reused(report: Report) -> str:
    reused = total(report.counts.values()).reused
    if not reused:
        return ""
    earlier = report.specification.reuse
    return f"{reused:,} of the accepted rows have their answer from run `{earlier}`: this run paid nothing for them."


def _reasons(reasons: Sequence[ReasonLine]) -> str:
    if not reasons:
        return "No row was rejected."
    rows: list[tuple[object, ...]] = [
        (
            one.split,
            one.reason,
            one.rows,
            one.remedy,
            "–" if one.tokens is None else f"about {one.tokens:,} tokens",
        )
        for one in reasons
    ]
    table = _table(("split", "reason", "rows", "what would mend it", "at the price of"), rows)
    return f"{table}\n\nEach rejected row is in `rejected.jsonl`, with its line."


def _dataset(split: str, dataset: Description) -> list[str]:
    """What a student's dataset is like."""
    parts = [f"## Dataset `{split}.jsonl`"]
    if dataset.answers:
        answers: list[tuple[object, ...]] = [
            (f"`{answer}`", rows) for answer, rows in dataset.answers.items()
        ]
        if dataset.other_answers:
            answers.append(("others", dataset.other_answers))
        parts.append(_table(("answer", "rows"), answers))
    lengths: list[tuple[object, ...]] = [
        (f"≤ {bucket.tokens:,}", bucket.rows) for bucket in dataset.lengths
    ]
    parts.append(_table(("tokens of a row, about", "rows"), lengths))
    return [*parts, *map(_example, dataset.examples)]


def _example(messages: Sequence[Mapping[str, Any]]) -> str:
    shown = [f"**{message['role']}**: {_one_line(str(message['content']))}" for message in messages]
    return "> " + "\n>\n> ".join(shown)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_EXAMPLE_CHARACTERS else f"{line[: MAX_EXAMPLE_CHARACTERS - 1]}…"


def _settings(spec: RunSpec) -> str:
    given = spec.teacher.model_dump(
        exclude_defaults=True, exclude={"model"}
    ) | spec.prompt.model_dump(exclude_defaults=True)
    return ", ".join(f"{name} {value}" for name, value in given.items()) or "default settings"


def _usage(report: Report) -> str:
    used = total(report.counts.values())
    parts = [
        f"{used.requests:,} requests, {used.prompt_tokens:,} prompt tokens, {used.completion_tokens:,} completion tokens"
    ]
    if report.cost is not None:
        parts.append(f"cost {report.cost:,.4f}")
    if used.samples:
        parts.append(
            f"{used.agreeing / used.samples:.0%} of {used.samples:,} samples agree with the answer that was kept"
        )
    return f"{'; '.join(parts)}."


def _student(report: Report) -> str:
    jobs = {
        trained.student: trained.job.model_dump(mode="json")
        for trained in report.training
        if trained.job is not None
    }
    students = report.specification.students
    if len(students) == 1:
        return _job(students[0].model, report.finetune or jobs.get(students[0].model or ""))
    return "\n".join(
        f"- {_job(student.model, jobs.get(student.model or ''))}" for student in students
    )


def _job(student: str | None, job: Mapping[str, Any] | None) -> str:
    if job is None:
        return f"`{student}`; no fine-tuning job was submitted."
    link = f" ([job]({job['url']}))" if job.get("url") else ""
    registered = f", registered as `{job['model']}`" if job.get("model") else ""
    metrics: Mapping[str, float] = job.get("metrics") or {}
    told = "".join(
        f", {name.replace('_', ' ')} {value:.4g}"
        for name, value in metrics.items()
        if name != "step"
    )
    return f"`{student}`; job `{job['job']}` {job['status']}{link}{registered}{told}."


def _file_rows(report: Report) -> list[tuple[object, ...]]:
    return [
        (f"`{facts.path}`", facts.bytes, facts.lines, f"`{facts.sha256}`")
        for facts in [*report.inputs.values(), *report.outputs.values()]
    ]


def _table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
