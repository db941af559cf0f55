"""From one row to one record: bounded requests, all counted, and a reason for each rejection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.dataset.rejection import Rejection, RejectionReason
from shared.dataset.rows import Message, Row
from shared.generation.ask_row import ask_row
from shared.generation.ask_turn import MAX_REPLIES
from shared.generation.record import Record, rejected_record
from shared.spec.models import RunSpec
from shared.spec.parse import parse_spec
from shared.tasks import TASKS, Schema
from shared.teacher import Completion, RowFailure, TeacherDown

Reply = str | Completion | Exception


def spec_of(task: str = "math", **fields: Any) -> RunSpec:
    return parse_spec({"task": task, "train": f"datasets/{task}/x/train.jsonl", **fields})


def completion(text: str = "", finish_reason: str = "stop", **fields: Any) -> Completion:
    usual: dict[str, Any] = {
        "refusal": None,
        "reasoning": None,
        "prompt_tokens": 10,
        "completion_tokens": 2,
    }
    return Completion(text=text, finish_reason=finish_reason, model="m-1", **{**usual, **fields})


class Scripted:
    """A teacher that gives these replies in turn, and keeps what it was asked."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.heard: list[list[Message]] = []
        self.limits: list[int | None] = []
        self.schemas: list[Schema | None] = []
        self.unformatted: list[list[Message] | None] = []

    def when_none_waits(self, call: Callable[[], None]) -> None:
        for _ in range(100):
            call()

    def stop(self) -> None: ...

    async def complete(
        self,
        messages: list[Message],
        *,
        max_tokens: int | None = None,
        schema: Schema | None = None,
        unformatted: list[Message] | None = None,
        **_: Any,
    ) -> Completion:
        self.heard.append(list(messages))
        self.limits.append(max_tokens)
        self.schemas.append(schema)
        self.unformatted.append(unformatted)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return completion(reply) if isinstance(reply, str) else reply


def row(*turns: str, **fields: Any) -> Row:
    messages: list[Message] = []
    for position, turn in enumerate(turns):
        messages.append({"role": "assistant" if position % 2 else "user", "content": turn})
    return Row(tuple(messages), **fields)


async def answer(
    teacher: Scripted, asked: Row | None = None, spec: RunSpec | None = None
) -> Record:
    return await ask_row(7, asked or row("What is 2 + 3?", id="a"), spec or spec_of(), teacher)


async def test_an_answer_is_recorded_with_what_it_cost() -> None:
    record = await answer(Scripted(completion("5", requests=3)))
    assert (record.line, record.id, record.status, record.answers) == (7, "a", "accepted", ["5"])
    assert (record.requests, record.prompt_tokens, record.completion_tokens) == (3, 10, 2)
    assert (record.model, record.finish_reason, record.reason) == ("m-1", "stop", None)


async def test_an_unreadable_reply_is_asked_again_with_the_reason_and_paid_for() -> None:
    teacher = Scripted("many", "5")
    record = await answer(teacher)
    assert (record.status, record.answers, record.requests, record.prompt_tokens) == (
        "accepted",
        ["5"],
        2,
        20,
    )
    assert "no number" in str(teacher.heard[1])
    assert "no number" not in str(teacher.heard[0])


async def test_a_row_that_is_never_answered_readably_is_given_up_with_the_last_reason() -> None:
    teacher = Scripted("many", "3 and 4", "several")
    record = await answer(teacher)
    assert (record.status, record.reason, record.answers) == ("rejected", "no_number", [])
    assert len(teacher.heard) == MAX_REPLIES == record.requests


QUESTION_OF_TASK = {
    "math": ("How many legs have two crabs?", {"type": "string"}),
    "nlu_qa": (
        "Which one flies?\n(A) a spade\n(B) a swift\n(C) a sofa",
        {"type": "string", "enum": ["A", "B", "C"]},
    ),
    "nli": (
        "Reply with one of the labels 'follows' or 'unclear'.\n\nPremise: A cup fell.\n"
        "Hypothesis: A cup broke.",
        {"type": "string", "enum": ["follows", "unclear"]},
    ),
}


@pytest.mark.parametrize("task", QUESTION_OF_TASK)
async def test_the_last_request_holds_the_teacher_to_the_values_that_the_row_allows(
    task: str,
) -> None:
    question, allowed = QUESTION_OF_TASK[task]
    teacher = Scripted("hmm", "hmm", "hmm")
    checked = TASKS[task].check(row(question))
    assert isinstance(checked, Row)
    await answer(teacher, checked, spec_of(task))
    assert teacher.schemas[:2] == [None, None]
    schema = teacher.schemas[2]
    assert schema is not None
    assert schema["properties"] == {"answer": allowed}
    assert '{"answer":' in teacher.heard[2][0]["content"]
    in_words = teacher.unformatted[2]
    assert in_words is not None
    assert "Answer: <" in in_words[0]["content"]
    assert "JSON" not in in_words[0]["content"]
    assert teacher.unformatted[:2] == [None, None]


async def test_the_last_request_with_chain_of_thought_still_asks_for_the_reasoning() -> None:
    spec = spec_of(prompt={"chain_of_thought": True})
    unclear = '{"reasoning": "It depends.", "answer": "several"}'
    teacher = Scripted(unclear, unclear, '{"reasoning": "two and three", "answer": "5"}')
    record = await answer(teacher, row("What is 2 + 3?", id="a"), spec)
    assert (record.answers, record.reasoning) == (["5"], ["two and three"])
    assert [list((schema or {})["properties"]) for schema in teacher.schemas] == [
        ["reasoning", "answer"]
    ] * 3
    in_words = str(teacher.unformatted[2])
    assert "step by step" in in_words
    assert "Answer: <" in in_words
    assert "JSON" not in in_words


async def test_a_reply_to_the_last_request_is_read_in_either_form() -> None:
    for reply in ('{"answer": "5"}', "I add them.\nAnswer: 5"):
        record = await answer(Scripted("many", "several", reply))
        assert (record.status, record.answers, record.requests) == ("accepted", ["5"], 3)


async def test_free_text_is_never_held_to_a_form() -> None:
    teacher = Scripted("", "", "")
    await answer(teacher, row("How are you?"), spec_of("conversation"))
    assert teacher.schemas == [None] * len(teacher.schemas)
    assert teacher.unformatted == [None] * len(teacher.schemas)


@pytest.mark.parametrize("reason", ["length", "MAX_TOKENS", "model_length"])
async def test_a_reply_that_was_cut_off_gets_twice_the_tokens_once(reason: str) -> None:
    spec = spec_of(teacher={"max_tokens": 50})
    teacher = Scripted(completion("The ans", reason), "5")
    assert (await answer(teacher, spec=spec)).answers == ["5"]
    assert teacher.limits == [50, 100]


async def test_a_reply_that_is_cut_off_twice_is_never_used_though_it_could_be_read() -> None:
    teacher = Scripted(completion("5", "length"), completion("5", "length"))
    record = await answer(teacher, spec=spec_of(teacher={"max_tokens": 50}))
    assert (record.status, record.reason, record.requests) == ("rejected", "truncated", 2)
    assert "teacher.max_tokens" in (record.detail or "")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (completion("5", "content_filter"), "content_filter"),
        (completion("5", refusal="I would rather not."), "refused"),
        (RowFailure(RejectionReason.TIMEOUT, "no reply within 5 s", 4), RejectionReason.TIMEOUT),
    ],
)
async def test_what_asking_again_cannot_mend_is_rejected_at_once_under_its_name(
    reply: Reply, reason: str
) -> None:
    teacher = Scripted(reply)
    record = await answer(teacher)
    assert (record.status, record.reason, len(teacher.heard)) == ("rejected", reason, 1)
    assert record.detail
    assert record.requests == (4 if reason == "timeout" else 1)


async def test_a_teacher_that_is_down_is_no_affair_of_one_row() -> None:
    with pytest.raises(TeacherDown):
        await answer(Scripted(TeacherDown("wrong key")))


async def test_reasoning_comes_from_the_reply_or_from_the_field_that_models_send_it_in() -> None:
    spec = spec_of(prompt={"chain_of_thought": True})
    written = Scripted('{"reasoning": "two and three", "answer": "5"}')
    assert (await answer(written, spec=spec)).reasoning == ["two and three"]
    both = Scripted(completion('{"reasoning": "two and three", "answer": "5"}', reasoning="hidden"))
    assert (await answer(both, spec=spec)).reasoning == ["two and three"]
    hidden = Scripted(completion("5", reasoning="hidden"))
    assert (await answer(hidden)).reasoning == []


async def test_a_conversation_is_asked_turn_by_turn_and_lost_when_one_turn_is() -> None:
    spec = spec_of("conversation")
    asked = row("one", "own words", "two", "own words", "three")
    teacher = Scripted("uno", "due", "tre")
    record = await answer(teacher, asked, spec)
    assert (record.answers, record.requests) == (["uno", "due", "tre"], 3)
    assert [message["content"] for message in teacher.heard[-1]] == [
        "one",
        "uno",
        "two",
        "due",
        "three",
    ]
    lost = await answer(
        Scripted("uno", RowFailure(RejectionReason.TIMEOUT, "no reply", 2)), asked, spec
    )
    assert (lost.status, lost.reason, lost.answers, lost.requests) == ("rejected", "timeout", [], 3)


def test_a_row_that_was_bad_from_the_start_has_a_record_that_cost_nothing() -> None:
    record = rejected_record(3, Rejection(RejectionReason.INVALID_JSON, "column 1", "x"))
    assert (record.line, record.id, record.status, record.reason, record.requests) == (
        3,
        "x",
        "rejected",
        "invalid_json",
        0,
    )


async def test_a_record_survives_its_line_in_the_journal() -> None:
    record = await answer(Scripted(completion("5")))
    assert Record.from_json(record.to_json()) == record


@pytest.mark.parametrize("reason", ["error", "abort", "a_new_reason", "tool_calls", "null"])
async def test_a_reply_that_is_not_finished_is_asked_for_once_more_and_never_used(
    reason: str,
) -> None:
    teacher = Scripted(completion("5", reason), completion("5", reason))
    record = await answer(teacher)
    assert (record.status, record.reason, record.requests) == ("rejected", "unfinished", 2)
    assert reason in (record.detail or "")
    mended = await answer(Scripted(completion("4", reason), "5"))
    assert (mended.answers, mended.requests) == (["5"], 2)


@pytest.mark.parametrize(
    ("reason", "rejection"), [("SAFETY", "content_filter"), ("refusal", "refused")]
)
async def test_a_filtered_or_refused_reply_is_rejected_at_once(reason: str, rejection: str) -> None:
    record = await answer(Scripted(completion("5", reason)))
    assert (record.status, record.reason, record.requests) == ("rejected", rejection, 1)


@pytest.mark.parametrize(
    ("task", "question", "value"),
    [
        ("math", "What is 2 + 3?", "5"),
        ("nli", "Reply with entailment, neutral or contradiction.\n\nPremise: a", "neutral"),
        ("nlu_qa", "Which is warmer?\n(A) snow\n(B) sand", "B"),
    ],
)
async def test_a_model_that_reasons_apart_needs_one_request_for_its_chain_of_thought(
    task: str, question: str, value: str
) -> None:
    checked = TASKS[task].check(row(question))
    assert isinstance(checked, Row)
    teacher = Scripted(completion(value, reasoning="I compare what is there."))
    record = await ask_row(1, checked, spec_of(task, prompt={"chain_of_thought": True}), teacher)
    assert (record.status, record.answers, record.requests) == ("accepted", [value], 1)
    assert record.reasoning == ["I compare what is there."]
