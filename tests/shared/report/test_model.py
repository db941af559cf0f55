"""The report and the dataset card: facts about files, and a page that tells people how the data
came to be.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.counters import Counters, LabelCounts
from shared.dataset.file_facts import FileFacts, file_facts
from shared.finetuning.base import JobState, JobStatus
from shared.report.agreement import agreement_by_split
from shared.report.card import card
from shared.report.model import Report
from shared.report.suggested_fixes import reason_lines
from shared.spec.parse import parse_spec
from shared.tasks.prompts import STUDENT_REASONING

FACTS = FileFacts(path="runs/r/train.jsonl", bytes=120, lines=3, sha256="ab" * 32)
ERROR: Any = {
    "code": "teacher_401",
    "message": "the teacher refuses every request",
    "details": [{"where": "teacher", "problem": "HTTP 401"}],
}


def report(**changes: Any) -> Report:
    counters = Counters(
        rows=5, done=5, accepted=3, rejected={"empty": 2}, requests=1234, prompt_tokens=9
    )
    spec = {
        "task": "nli",
        "train": "datasets/nli/x/train.jsonl",
        "teacher": {"model": "gpt-x", "temperature": 0.5},
    }
    usual: dict[str, Any] = {
        "run": "nli-x-1",
        "status": "completed",
        "task": "nli",
        "finished": datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
        "inputs": {"train": FACTS},
        "outputs": {"train": FACTS},
        "counts": {"train": counters},
        "specification": parse_spec({**spec, **changes.pop("spec", {})}),
    }
    usual["reasons"] = reason_lines("train", counters, usual["specification"])
    return Report(**{**usual, **changes})


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@given(parts=st.lists(st.sampled_from([b"{}\n", b"\n", b"x", b"", "é\n".encode()])))
def test_files_are_measured_alike_however_they_arrive(parts: list[bytes]) -> None:
    content = b"".join(parts)
    facts = asyncio.run(file_facts("p", chunks(*parts)))
    assert facts == asyncio.run(file_facts("p", chunks(content)))
    assert (facts.bytes, facts.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert facts.lines == len(content.split(b"\n")) - (content.endswith(b"\n") or not content)


def test_the_card_tells_rows_reasons_teacher_usage_and_files() -> None:
    text = card(report())
    assert text.startswith("# nli-x-1\n")
    for told in (
        "**completed** on 2026-03-04 05:06 UTC",
        "| train | 5 | 3 | 2 |",
        "| train | empty | 2 | resume to retry",
        "`gpt-x`",
        "temperature 0.5",
        "1,234 requests",
        f"| `runs/r/train.jsonl` | 120 | 3 | `{'ab' * 32}` |",
    ):
        assert told in text


def test_the_card_tells_which_answers_were_paid_for_by_another_run() -> None:
    counters = Counters(rows=3000, done=3000, accepted=3000, reused=1200)
    text = card(report(counts={"train": counters}, reasons=[], spec={"reuse": "nli-before-1"}))
    assert "1,200 accepted rows reuse answers of run `nli-before-1`" in text
    assert "have their answer" not in card(report())


def test_the_card_tells_how_many_answers_agree_with_the_references_by_split_and_label() -> None:
    counters = Counters(rows=110, with_reference=100, matching=50, unreadable_references=10)
    counters.labels = {"open": LabelCounts(rows=60, matching=45)}
    text = card(report(agreement=agreement_by_split({"train": counters})))
    assert "| train | all | 100 | 50 | 50.0% | 40.4% to 59.6% |" in text
    assert "| train | `open` | 60 | 45 | 75.0% |" in text
    assert "The references of 10 train rows can't be read." in text
    assert "Agreement with references" not in card(report())


def test_the_card_quotes_the_prompt_to_use_at_inference() -> None:
    reasoned = {"chain_of_thought": True, "student_learns": "reasoning"}
    text = card(report(spec={"prompt": reasoned}))
    assert "### Prompt at inference" in text
    assert "as its last paragraph" in text
    assert f"\n    {STUDENT_REASONING}\n" in text
    replaced = {"student_system": "You are Ada.\nBe kind.", "student_system_mode": "replace"}
    text = card(report(spec={"prompt": {**reasoned, **replaced}}))
    assert "use exactly this text as the system prompt:\n\n    You are Ada.\n    Be kind." in text
    assert STUDENT_REASONING not in text
    assert "Prompt at inference" not in card(report())


def test_a_run_with_a_name_has_it_as_its_title() -> None:
    assert card(report(spec={"name": "My rows"})).startswith("# My rows\n")


def test_default_settings_are_not_listed() -> None:
    text = card(report(spec={"teacher": {"model": "gpt-x"}}))
    assert "default settings" in text
    assert "max_attempts" not in text


def test_a_failure_stands_at_the_top_with_every_problem() -> None:
    text = card(report(status="failed", error=ERROR))
    assert text.index("the teacher refuses every request") < text.index("## Rows")
    assert "- `teacher` HTTP 401" in text


def job_of(status: JobStatus, **fields: Any) -> JobState:
    return JobState(job="j", status=status, service_status=status, **fields)


@pytest.mark.parametrize(
    ("job", "told"),
    [
        (None, "no fine-tuning job was submitted"),
        (job_of(JobStatus.FAILED), "job `j` failed."),
        (
            job_of(JobStatus.COMPLETED, url="https://studio/j", model="student:2"),
            "job `j` completed ([job](https://studio/j)), registered as `student:2`",
        ),
    ],
)
def test_the_card_tells_what_became_of_the_student(job: JobState | None, told: str) -> None:
    assert told in card(report(finetune=job))


def test_a_run_without_rejected_rows_says_so() -> None:
    assert "No row was rejected." in card(
        report(counts={"train": Counters(rows=1, done=1, accepted=1)}, reasons=[])
    )


def test_a_report_is_read_back_as_it_was() -> None:
    made = report(error=ERROR, warnings=["mind"])
    assert Report.model_validate_json(made.model_dump_json()) == made
