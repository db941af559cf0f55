"""What was not real about runs on one machine, and which settings make it real."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from local.cli.run_text import jobs_of
from local.runtime.client import View
from local.runtime.endpoints import TEACHER
from shared.spec.parse import parse_spec

CANNED = """\
The answers are canned: a local stand-in for the teacher gave them, which knows the samples and
little else. A real teacher: --teacher-url URL --teacher-model NAME, with its key in TEACHER_API_KEY
(in Azure, the app settings TEACHER_BASE_URL and TEACHER_MODEL)."""

UNTRAINED = """\
No model was trained: emulators stand in for the fine-tuning services, losses included. A real
student: `python3 -m local demo --train` trains a tiny one on this machine; --openai-url with
"student": {"backend": "azure_openai"} in run.json fine-tunes at Azure OpenAI;
docs/train-your-own.md and docs/deploy.md have the other ways."""


def stand_in_lines(stand_ins: Sequence[str], runs: Iterable[tuple[View, Path]]) -> list[str]:
    """Return what was not real about runs, by their views and the folders of their files.

    `stand_ins` are those of the cloud that made them (`Endpoints`).
    """
    paragraphs: list[str] = []
    shown = list(runs)
    if TEACHER in stand_ins and any(view["requests"] for view, _ in shown):
        paragraphs.append(CANNED)
    if any(jobs_of(view) and backends_of(folder) & set(stand_ins) for view, folder in shown):
        paragraphs.append(UNTRAINED)
    return paragraphs


def backends_of(folder: Path) -> set[str]:
    """Return the fine-tuning backends of a run's students, by its specification in this folder."""
    path = folder / "run.json"
    if not path.exists():
        return set()
    spec = parse_spec(json.loads(path.read_text(encoding="utf-8")))
    return {str(student.backend) for student in spec.students}
