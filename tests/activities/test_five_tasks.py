"""Every task type from its sample dataset to the student's rows, with the real teacher."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.tasks import TASKS
from shared.tasks.prompts import STUDENT_REASONING
from tests.activities.conftest import NewRun, Teach

SAMPLES = Path(__file__).parents[2] / "samples"
ROWS = 12


def sample(task: str, split: str = "train") -> list[bytes]:
    return (SAMPLES / task / f"{split}.jsonl").read_bytes().splitlines(keepends=True)[:ROWS]


def settings(task: str) -> dict[str, Any]:
    """The sample's own run.json, without what the test sets itself."""
    path = SAMPLES / task / "run.json"
    document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return {
        name: value for name, value in document.items() if name not in ("generation", "quality")
    }


def without_the_sentence(texts: list[str]) -> list[str]:
    """Return a row's texts without what a student that learns the reasoning is told."""
    assert texts[0].endswith(STUDENT_REASONING)
    system = texts[0].removesuffix(STUDENT_REASONING).removesuffix("\n\n")
    return [system, *texts[1:]] if system else texts[1:]


@pytest.mark.parametrize("task", TASKS)
async def test_a_sample_becomes_training_rows_with_the_teachers_answers(
    new_run: NewRun, teach: Teach, task: str
) -> None:
    lines = sample(task)
    run = new_run(task=task, **settings(task))
    scanned = await run.begin(b"".join(lines), b"".join(sample(task, "validation")[:3]))
    assert scanned["splits"]["train"]["valid"] == ROWS
    async with teach():
        await run.finish()
    rows = await run.rows(run.paths.dataset("train"))
    assert len(rows) == ROWS
    learns_reasoning = settings(task).get("prompt", {}).get("student_learns") == "reasoning"
    for row, line in zip(rows, lines, strict=True):
        prompt = [
            message["content"]
            for message in json.loads(line)["messages"]
            if message["role"] != "assistant"
        ]
        trained = [
            message["content"] for message in row["messages"] if message["role"] != "assistant"
        ]
        if learns_reasoning:
            trained = without_the_sentence(trained)
        assert trained == prompt
        assert all(message["content"].strip() for message in row["messages"])
    assert len(await run.rows(run.paths.dataset("validation"))) == 3
    assert (await run.report())["status"] == "ok"


@pytest.mark.parametrize("task", TASKS)
async def test_a_teacher_at_its_worst_never_gets_a_bad_answer_into_the_dataset(
    new_run: NewRun, teach: Teach, task: str
) -> None:
    run = new_run(task=task, **settings(task))
    await run.begin(b"".join(sample(task)))
    rates: dict[str, Any] = {
        "malformed_rate": 0.2,
        "truncated_rate": 0.2,
        "empty_rate": 0.2,
        "refused_rate": 0.2,
    }
    async with teach(seed=4, **rates):
        await run.finish()
    counters = (await run.progress())["train"]
    rows = await run.rows(run.paths.dataset("train"))
    assert counters["done"] == counters["accepted"] + sum(counters["rejected"].values()) == ROWS
    assert len(rows) == counters["accepted"]
    assert counters["requests"] > ROWS
    last = [row["messages"][-1] for row in rows]
    assert all(message["role"] == "assistant" and message["content"].strip() for message in last)
    assert not any("I can't help" in message["content"] for message in last)
    assert (await run.report())["status"] == "ok"


@pytest.mark.parametrize("task", TASKS)
async def test_the_users_own_answers_are_never_shown_to_the_teacher(
    new_run: NewRun, teach: Teach, task: str
) -> None:
    secret = "the heron is on the roof 4711"
    lines = [json.loads(line) for line in sample(task)[:3]]
    for line in lines:
        line["answer"] = secret
        line["messages"] = [
            message for message in line["messages"] if message["role"] != "assistant"
        ][:2]
        line["messages"].append({"role": "assistant", "content": secret})
    run = new_run(task=task, **settings(task))
    await run.begin("\n".join(map(json.dumps, lines)).encode())
    heard: list[str] = []

    def listen(request: Any) -> str:
        heard.append(" ".join(message.text for message in request.messages))
        return ""

    async with teach(listen):
        await run.generate_all()
    assert len(heard) >= 3
    assert not any(secret in text for text in heard)
