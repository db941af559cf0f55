"""Runs whose rows bring their answers: no teacher is needed, and every row is accounted for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.dataset.rows import as_jsonl
from shared.runs.contracts import PREFLIGHT
from tests.activities.conftest import Configure, NewRun, OpenWorkspace
from tests.support.activity_runs import AppRun

PROVIDED = {"source": "provided"}
LENIENT = {"min_success_ratio": 0.5}


def row(number: int, text: str | None, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"What is {number} + 1?"}]
    if text is not None:
        messages.append({"role": "assistant", "content": text})
    return {"id": f"r{number}", "messages": messages, **fields}


@pytest.fixture
def no_teacher(app: Configure) -> None:
    app(TEACHER_BASE_URL=None, TEACHER_MODEL=None, TEACHER_API_KEY=None)


async def provided_run(new_run: NewRun, rows: list[dict[str, Any]], **spec: Any) -> AppRun:
    run = new_run(answers=PROVIDED, quality=LENIENT, **spec)
    scanned = await run.begin(as_jsonl(rows))
    assert scanned["status"] == "ok", scanned
    await run.finish()
    return run


async def taught(run: AppRun) -> list[str]:
    """What the student learns to say, by row."""
    return [row["messages"][-1]["content"] for row in await run.rows(run.paths.dataset("train"))]


@pytest.mark.usefixtures("no_teacher")
async def test_answers_are_read_and_checked_as_a_teachers_without_a_teacher(
    new_run: NewRun,
) -> None:
    rows = [
        row(1, "The answer is 2.", answer=2),
        row(2, "That is 3 or 4."),
        row(3, None),
        row(4, "**5**", answer=6),
        row(5, "I'm sorry, but I can't help with that."),
        row(6, "<think>6 and 1</think>7"),
    ]
    run = await provided_run(new_run, rows)
    assert await taught(run) == ["2", "5", "7"]
    assert (await run.report())["status"] == "ok"
    rejected = {line["id"]: line for line in await run.rows(run.paths.rejected)}
    reasons = {name: line["reason"] for name, line in rejected.items()}
    assert reasons == {"r2": "no_number", "r3": "no_answer", "r5": "refused"}
    assert rejected["r2"]["reply"] == "That is 3 or 4."
    report = await run.storage.read_json(run.paths.report)
    counts = report["counts"]["train"]
    assert (counts["accepted"], counts["requests"], counts["prompt_tokens"]) == (3, 0, 0)
    assert (counts["with_reference"], counts["matching"]) == (2, 1)
    assert all(line["tokens"] is None for line in report["reasons"])
    assert "teacher.model" not in json.dumps(report["reasons"])
    card = await run.text(run.paths.card)
    assert "the answers were provided with the dataset" in card


@pytest.mark.usefixtures("no_teacher")
async def test_provenance_names_no_model_and_no_request(new_run: NewRun) -> None:
    run = await provided_run(new_run, [row(1, "2"), row(2, "3")])
    origins = await run.rows(run.paths.provenance("train"))
    assert [(origin["line"], origin["model"], origin["requests"]) for origin in origins] == [
        (1, "provided", 0),
        (2, "provided", 0),
    ]
    assert not any("key" in origin for origin in origins)


async def test_preflight_asks_no_teacher(
    new_run: NewRun, open_workspace: OpenWorkspace, app: Configure
) -> None:
    open_workspace()
    app(TEACHER_BASE_URL=None, TEACHER_MODEL=None, TEACHER_API_KEY=None)
    run = new_run(answers=PROVIDED)
    await run.begin(as_jsonl([row(1, "2")]))
    assert (await run.call(PREFLIGHT))["status"] == "ok"


@pytest.mark.usefixtures("no_teacher")
async def test_a_run_that_asks_a_teacher_fails_without_one_and_names_its_settings(
    new_run: NewRun,
) -> None:
    run = new_run()
    await run.arrive(as_jsonl([row(1, "2")]))
    prepared = await run.prepare()
    assert prepared["error"]["code"] == "settings"
    places = [problem["where"] for problem in prepared["error"]["details"]]
    assert places == ["TEACHER_BASE_URL", "TEACHER_MODEL"]


@pytest.mark.usefixtures("no_teacher")
async def test_the_student_learns_the_provided_reasoning(new_run: NewRun) -> None:
    reasoned = json.dumps({"reasoning": "Three and one make 4.", "answer": "4"})
    rows = [
        row(1, "One and one make 2.\n\nAnswer: 2"),
        row(2, "<think>Two and one make 3.</think>3"),
        row(3, reasoned),
        row(4, "5"),
    ]
    prompt = {"chain_of_thought": True, "student_learns": "reasoning"}
    run = await provided_run(new_run, rows, prompt=prompt)
    assert await taught(run) == [
        "One and one make 2.\n\nAnswer: 2",
        "Two and one make 3.\n\nAnswer: 3",
        "Three and one make 4.\n\nAnswer: 4",
    ]


@pytest.mark.usefixtures("no_teacher")
async def test_of_several_answers_to_a_question_the_first_usable_one_is_taught(
    new_run: NewRun,
) -> None:
    rows = [row(1, "two or three"), row(1, "2"), row(1, "3"), row(2, "3")]
    run = await provided_run(new_run, rows)
    assert await taught(run) == ["2", "3"]
    assert (await run.report())["status"] == "ok"
    rejected = await run.rows(run.paths.rejected)
    assert [(line["line"], line["reason"]) for line in rejected] == [
        (1, "no_number"),
        (3, "duplicate"),
    ]


@pytest.mark.usefixtures("no_teacher")
async def test_of_several_answers_the_first_that_agrees_with_the_reference_is_taught(
    new_run: NewRun,
) -> None:
    run = new_run(answers=PROVIDED, quality={"select": "reference", **LENIENT})
    rows = [row(1, "3", answer=2), row(1, "2.0", answer=2), row(2, "4", answer=3), row(3, "4")]
    await run.begin(as_jsonl(rows))
    await run.finish()
    assert await taught(run) == ["2"]
    assert (await run.report())["status"] == "ok"
    rejected = await run.rows(run.paths.rejected)
    reasons = [line["reason"] for line in rejected]
    assert reasons == ["disagrees", "disagrees", "no_reference"]


@pytest.mark.usefixtures("no_teacher")
async def test_a_resumed_run_reads_rejected_answers_again_with_its_new_settings(
    new_run: NewRun,
) -> None:
    question = {"role": "user", "content": "Is the shop open today?"}
    refusal = {"role": "assistant", "content": "I'm sorry, but I can't help with that."}
    run = new_run(task="conversation", answers=PROVIDED, quality=LENIENT)
    await run.begin(as_jsonl([{"messages": [question, refusal]}]))
    await run.generate_all()
    assert [record["reason"] for record in await run.records()] == ["refused"]
    await run.resume(quality={"skip_checks": ["refusal"]})
    await run.finish()
    assert await taught(run) == [refusal["content"]]


@pytest.mark.usefixtures("no_teacher")
async def test_a_resumed_run_teaches_the_answers_that_its_new_settings_prefer(
    new_run: NewRun,
) -> None:
    rows = [row(1, "3", answer=2), row(1, "2", answer=2), row(2, "3", answer=3), row(3, "4")]
    run = await provided_run(new_run, rows)
    assert await taught(run) == ["3", "3", "4"]
    await run.resume(quality={"select": "reference"})
    await run.finish()
    assert await taught(run) == ["2", "3"]
    await run.resume(quality={"select": "first"})
    await run.finish()
    assert await taught(run) == ["3", "3", "4"]


@pytest.mark.usefixtures("no_teacher")
async def test_of_a_rejected_conversation_the_answer_at_fault_is_shown(new_run: NewRun) -> None:
    texts = ("Hello?", "I'm sorry, but I can't help with that.", "Why?", "Rules forbid it today.")
    roles = ("user", "assistant") * 2
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]
    run = new_run(task="conversation", answers=PROVIDED, quality=LENIENT)
    await run.begin(as_jsonl([{"messages": messages}]))
    await run.generate_all()
    assert [record["reply"] for record in await run.records()] == [texts[1]]
