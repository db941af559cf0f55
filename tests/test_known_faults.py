"""The faults that the original implementation of this workflow had, one test each: what would go
wrong if one came back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from local.emulators.teacher import TeacherOptions, serve
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Message, Row, as_jsonl
from shared.finetuning.base import JobState, JobStatus
from shared.finetuning.outcome import CancelReason, job_outcome
from shared.finetuning.statuses import AZUREML_STATUSES, azureml_status
from shared.generation.ask_row import ask_row
from shared.runs.contracts import SUBMIT_FINETUNING
from shared.runs.gates import after_generation, after_scan
from shared.spec.models import RunSpec
from shared.spec.parse import parse_spec
from shared.tasks import TASKS
from shared.teacher import Completion, NoBudget, RowFailure, open_teacher
from tests.activities.conftest import (
    KEY,
    NewRun,
    OpenWorkspace,
    app,
    azureml_sdk,
    configure,
    environment,
    new_run,
    open_workspace,
    storage,
)
from tests.shared.conftest import RunFolder, folder, question, questions
from tests.support.activity_runs import sums
from tests.support.http_teacher import HELLO, Script, settings, teacher_of
from tests.support.scripted_shards import ScriptedTeacher, plus_one, run_all

__all__ = [
    "app",
    "azureml_sdk",
    "configure",
    "environment",
    "folder",
    "new_run",
    "open_workspace",
    "storage",
]

Reply = tuple[int, Any, dict[str, str]]
THROTTLED: Reply = (429, {"error": {"message": "slow down"}}, {"retry-after-ms": "20"})


def spec_of(task: str = "math", **fields: Any) -> RunSpec:
    return parse_spec({"task": task, "train": f"datasets/{task}/x/train.jsonl", **fields})


def failing(*bad: int, reply: str | Exception) -> ScriptedTeacher:
    """A teacher that gives this reply to the questions of these numbers, and right answers to the
    rest.
    """
    asked = {f"What is {number} + 1?" for number in bad}
    return ScriptedTeacher(lambda text: reply if text in asked else plus_one(text))


async def dataset(run: RunFolder) -> list[list[Message]]:
    """The rows that the student will be trained on."""
    return [
        json.loads(line)["messages"]
        for line in (await run.text(run.paths.dataset("train"))).splitlines()
    ]


async def answers(run: RunFolder) -> list[str]:
    return [messages[-1]["content"] for messages in await dataset(run)]


async def test_history_is_sent_in_later_turns_with_the_teachers_own_answers() -> None:
    users, own = ("one", "two", "three"), "the user's own reply"
    turns: list[Message] = [{"role": "system", "content": "Be kind."}]
    for text in users:
        turns.append({"role": "user", "content": text})
        turns.append({"role": "assistant", "content": own})
    script = Script("uno", "due", "tre")
    async with teacher_of(script) as teacher:
        record = await ask_row(1, Row(tuple(turns)), spec_of("conversation"), teacher)
    assert record.answers == ["uno", "due", "tre"]
    sent = [[message["content"] for message in body["messages"]] for body in script.bodies]
    assert sent == [
        ["Be kind.", "one"],
        ["Be kind.", "one", "uno", "two"],
        ["Be kind.", "one", "uno", "two", "due", "three"],
    ]


@pytest.mark.parametrize(
    "reply", ["", "no idea", "{", "[" * 50_000, "\ud800", "7 or 8", '{"answer": {}}']
)
async def test_one_unreadable_answer_does_not_kill_the_batch(folder: RunFolder, reply: str) -> None:
    await folder.add(questions(5))
    counters = await run_all(folder, failing(2, reply=reply))
    assert (counters.accepted, counters.rejected_rows) == (4, 1)
    assert await answers(folder) == ["1", "2", "4", "5"]


HALF = "\ud800"  # of a surrogate pair, which no file can hold


@pytest.mark.parametrize("field", ["content", "reasoning_content", "refusal"])
async def test_one_reply_that_no_file_can_hold_does_not_kill_the_batch(field: str) -> None:
    message = {"role": "assistant", "content": "5", field: f"5 {HALF}"}
    given: Reply = (
        200,
        {"model": HALF, "choices": [{"finish_reason": "stop", "message": message}]},
        {},
    )
    for task in ("math", "conversation"):
        async with teacher_of(Script(given, given, given)) as teacher:
            record = await ask_row(1, Row(tuple(HELLO)), spec_of(task), teacher)
        assert record.to_json()


async def test_one_error_that_no_file_can_hold_does_not_kill_the_batch() -> None:
    given: Reply = (400, {"error": {"code": HALF, "message": HALF}}, {})
    async with teacher_of(Script(given)) as teacher:
        record = await ask_row(1, Row(tuple(HELLO)), spec_of(), teacher)
    assert (record.status, bool(record.to_json())) == ("rejected", True)


async def test_missing_results_are_not_counted_as_successes(folder: RunFolder) -> None:
    plan = await folder.add(questions(10))
    counters = await run_all(
        folder, failing(1, 2, 3, 4, reply=RowFailure(RejectionReason.TIMEOUT, "no reply", 2))
    )
    assert (counters.accepted, counters.rejected, len(await answers(folder))) == (
        6,
        {"timeout": 4},
        6,
    )
    error = after_generation(
        spec_of(quality={"min_rows": 1}), {"train": counters}, {"train": plan.valid}
    )
    assert error is not None, "6 of 10 is less than the success ratio of 0.7"
    lost = counters.model_copy(update={"rejected": {}, "done": 6})
    lax = spec_of(quality={"min_rows": 1, "min_success_ratio": 0.0})
    error = after_generation(lax, {"train": lost}, {"train": plan.valid})
    assert error is not None
    assert "don't add up" in str(error["details"])


@pytest.mark.parametrize("task", TASKS)
async def test_minimum_rows_are_checked_again_after_drops(folder: RunFolder, task: str) -> None:
    minimum = TASKS[task].min_rows
    spec = spec_of(task, quality={"min_success_ratio": 0.5})
    plan = await folder.add(questions(minimum))
    assert after_scan(spec, {"train": plan}) is None
    counters = await run_all(folder, failing(7, reply="no idea"))
    error = after_generation(spec, {"train": counters}, {"train": plan.valid})
    assert error is not None
    assert f"{minimum - 1} rows accepted, but at least {minimum} are required" in str(
        error["details"]
    )


@pytest.mark.parametrize(
    "bad", [b'{"messages": [', b"\xff\xfe", b"null", b'"', b"[" * 50_000, b"{}", b"\x00"]
)
async def test_a_malformed_line_does_not_drop_the_rest_of_the_file(
    folder: RunFolder, bad: bytes
) -> None:
    lines = questions(9).splitlines()
    await folder.add(b"\n".join([*lines[:4], bad, *lines[4:]]))
    counters = await run_all(folder, ScriptedTeacher())
    assert (counters.rows, counters.accepted, counters.rejected_rows) == (10, 9, 1)
    assert await answers(folder) == [str(number + 1) for number in range(9)]
    (rejected,) = [
        json.loads(line) for line in (await folder.text(folder.paths.rejected)).splitlines()
    ]
    assert (rejected["line"], bool(rejected["reason"])) == (5, True)


class AnswersSystemPrompts(ScriptedTeacher):
    """Answers with the number that the system prompt ends in."""

    def when_none_waits(self, call: Callable[[], None]) -> None:
        for _ in range(100):
            call()

    def stop(self) -> None: ...

    async def complete(self, messages: list[Message], **_: Any) -> Completion:
        return await super().complete([{"role": "user", "content": messages[0]["content"]}])


async def test_system_prompts_are_not_mixed_up_between_rows_with_the_same_user_text(
    folder: RunFolder,
) -> None:
    systems = [f"Whatever is asked, say {number}" for number in range(12)]
    rows = [
        [{"role": "system", "content": text}, {"role": "user", "content": "How many?"}]
        for text in systems
    ]
    await folder.add(as_jsonl([{"messages": messages} for messages in rows]))
    await run_all(folder, AnswersSystemPrompts(lambda text: text.split()[-1]))
    learned = [
        (messages[0]["content"], messages[-1]["content"]) for messages in await dataset(folder)
    ]
    assert learned == [(text, text.split()[-1]) for text in systems]


@pytest.mark.parametrize(
    ("finish_reason", "text", "reason"),
    [
        ("length", "The answer is 12", "truncated"),
        ("stop", "", "empty"),
        ("stop", " \n\u200b", "empty"),
    ],
)
@pytest.mark.parametrize("task", ["math", "conversation", "summarization"])
async def test_truncated_and_empty_answers_are_no_labels(
    task: str, finish_reason: str, text: str, reason: str
) -> None:
    reply = {
        "choices": [
            {"finish_reason": finish_reason, "message": {"role": "assistant", "content": text}}
        ]
    }
    given: Reply = (200, reply, {})
    async with teacher_of(Script(given, given, given)) as teacher:
        record = await ask_row(1, Row(tuple(HELLO)), spec_of(task), teacher)
    assert (record.status, record.reason, record.answers) == ("rejected", reason, [])


async def test_a_429_is_retried() -> None:
    script = Script(THROTTLED, THROTTLED, "5")
    async with teacher_of(script) as teacher:
        completion = await teacher.complete(HELLO)
    assert (completion.text, completion.requests) == ("5", 3)


async def test_a_429_is_not_retried_for_ever() -> None:
    script = Script(*[THROTTLED] * 1000)
    began = time.monotonic()
    async with teacher_of(script, row_deadline_seconds=0.3) as teacher:
        with pytest.raises(RowFailure, match="slow down"):
            await teacher.complete(HELLO)
    assert time.monotonic() - began < 5
    assert len(script.bodies) > 1


async def test_stop_is_not_ignored() -> None:
    script, spec = Script("5"), spec_of(teacher={"stop": ["END", "\n\n"]})
    async with teacher_of(script, **spec.teacher.model_dump(include={"stop"})) as teacher:
        await ask_row(1, Row(tuple(HELLO)), spec, teacher)
    assert script.bodies[0]["stop"] == ["END", "\n\n"]


@pytest.mark.parametrize("suffix", ["", "/", "/chat/completions", "/chat/completions/"])
async def test_chat_completions_is_not_appended_twice(suffix: str) -> None:
    async with serve(TeacherOptions()) as teacher:
        spec = spec_of(teacher={"model": "local-teacher"}).teacher
        async with open_teacher(
            settings(f"{teacher.base_url}{suffix}"), spec, budget=NoBudget()
        ) as client:
            assert (await client.complete(HELLO)).text


async def test_max_tokens_is_sent_under_the_name_that_the_api_has() -> None:
    script, spec = Script("many", "5"), spec_of(teacher={"max_tokens": 77})
    async with teacher_of(script) as teacher:
        await ask_row(1, Row(tuple(HELLO)), spec, teacher)
    assert [body["max_tokens"] for body in script.bodies] == [77, 77]
    assert "max_new_tokens" not in str(script.bodies)


async def test_validation_does_not_stop_at_the_first_bad_row(folder: RunFolder) -> None:
    bad = [b"{", as_jsonl([{"messages": []}]).strip(), as_jsonl([question(" ")]).strip()]
    good = questions(4).splitlines()
    plan = await folder.add(b"\n".join([bad[0], good[0], bad[1], *good[1:], bad[2]]))
    assert (plan.rows, plan.valid) == (7, 4)
    rejected = await folder.storage.read_lines(folder.paths.planned_rejected("train", 0))
    assert [(row["line"], row["reason"]) for row in rejected] == [
        (1, "invalid_json"),
        (3, "missing_messages"),
        (7, "empty_content"),
    ]


async def test_the_teachers_key_is_not_in_the_jobs_properties(
    new_run: NewRun, open_workspace: OpenWorkspace
) -> None:
    workspace = open_workspace(pace=600)
    run = new_run()
    await run.arrive(sums(1))
    await run.prepare()
    await run.storage.write(run.paths.dataset("train"), questions(1))
    submitted = await run.call(SUBMIT_FINETUNING, splits=["train"])
    assert submitted["status"] == "ok", submitted
    status, job = workspace.ask(f"jobs/{run.paths.run_id}")
    assert (status, job["properties"]["tags"]["run_id"]) == (200, run.paths.run_id)
    assert KEY not in json.dumps(job)
    assert KEY not in json.dumps(submitted)
    assert not [name for name, text in (await run.contents()).items() if KEY in text]


@pytest.mark.parametrize("service_status", [*AZUREML_STATUSES, "SomethingNew", None])
@pytest.mark.parametrize("cancelling", [None, CancelReason.USER, CancelReason.DEADLINE])
def test_only_completed_is_a_success(
    service_status: str | None, cancelling: CancelReason | None
) -> None:
    status = azureml_status(service_status)
    assert (status is JobStatus.COMPLETED) == (service_status == "Completed")
    state = JobState(job="math-x-1", status=status, service_status=service_status or "Unknown")
    outcome = job_outcome(state, cancelling)
    assert (outcome is not None and outcome.status == "ok") == (service_status == "Completed")
    if service_status in ("Canceled", "Failed"):
        assert outcome is not None and outcome.status in ("cancelled", "failed")
