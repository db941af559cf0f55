"""The report of a run and its dataset card: what went in, what came out, why rows were rejected, what it cost. Pure functions.

`report.json` is written last of all: its existence means that everything it names is complete.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from shared.errors import ErrorData
from shared.spec import RunSpec
from shared.tally import Tally
from shared.tasks import PROMPT_VERSION

REPORT_VERSION = 1


class FileFacts(BaseModel):
    """A file of a run, by content."""

    path: str
    bytes: int
    lines: int
    sha256: str


class Report(BaseModel):
    """`report.json`."""

    version: int = REPORT_VERSION
    run: str
    status: str
    task: str
    finished: datetime
    inputs: dict[str, FileFacts]
    outputs: dict[str, FileFacts]
    counts: dict[str, Tally]
    prompt_version: str = PROMPT_VERSION
    specification: RunSpec
    finetune: dict[str, Any] | None = None
    error: ErrorData | None = None
    warnings: list[str] = Field(default_factory=list[str])


async def file_facts(path: str, chunks: AsyncIterable[bytes]) -> FileFacts:
    """Size, lines and SHA-256 of a stream; memory is one chunk."""
    digest, size, newlines, last = hashlib.sha256(), 0, 0, b""
    async for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        newlines += chunk.count(b"\n")
        last = chunk[-1:] or last
    lines = newlines + (last not in (b"", b"\n"))
    return FileFacts(path=path, bytes=size, lines=lines, sha256=digest.hexdigest())


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
        _reasons(report.counts),
        "## Teacher",
        f"`{spec.teacher.model}`, prompt version {report.prompt_version}; {_settings(spec)}. {_usage(report.counts)}",
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


def _count_rows(counts: Mapping[str, Tally]) -> list[tuple[object, ...]]:
    return [(split, tally.rows, tally.accepted, tally.rejected_rows) for split, tally in counts.items()]


def _reasons(counts: Mapping[str, Tally]) -> str:
    rows: list[tuple[object, ...]] = [
        (split, reason, number) for split, tally in counts.items() for reason, number in tally.rejected.items()
    ]
    if not rows:
        return "No row was rejected."
    return f"{_table(('split', 'reason', 'rows'), rows)}\n\nEach rejected row is in `rejected.jsonl`, with its line."


def _settings(spec: RunSpec) -> str:
    given = spec.teacher.model_dump(exclude_defaults=True, exclude={"model"}) | spec.prompt.model_dump(
        exclude_defaults=True
    )
    return ", ".join(f"{name} {value}" for name, value in given.items()) or "default settings"


def _usage(counts: Mapping[str, Tally]) -> str:
    prompt = sum(tally.prompt_tokens for tally in counts.values())
    completion = sum(tally.completion_tokens for tally in counts.values())
    requests = sum(tally.requests for tally in counts.values())
    return f"{requests:,} requests, {prompt:,} prompt tokens, {completion:,} completion tokens."


def _student(report: Report) -> str:
    job = report.finetune
    if job is None:
        return f"`{report.specification.student.model}`; no fine-tuning job was submitted."
    link = f" ([job]({job['url']}))" if job.get("url") else ""
    registered = f", registered as `{job['model']}`" if job.get("model") else ""
    return f"`{report.specification.student.model}`; job `{job['job']}` {job['status']}{link}{registered}."


def _file_rows(report: Report) -> list[tuple[object, ...]]:
    return [
        (f"`{facts.path}`", facts.bytes, facts.lines, f"`{facts.sha256}`")
        for facts in [*report.inputs.values(), *report.outputs.values()]
    ]


def _table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
