"""Rows all of whose samples miss their reference: shown it, the teacher reasons towards it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.core.errors import PermanentError
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Message, Row
from shared.generation.ask_row import ask_row
from shared.generation.ask_turn import MAX_REPLIES
from shared.generation.record import Record
from shared.spec.models import RunSpec
from shared.spec.parse import parse_spec
from shared.tasks import TASKS
from shared.tasks.answers_spec import AnswersSpec
from shared.teacher.completion import Completion, RowFailure

REFERENCE = "918273"


def reasoned(reasoning: str, answer: str) -> str:
    return json.dumps({"reasoning": reasoning, "answer": answer})


MISS = reasoned("I guess.", "7")
HIT = reasoned("Add them.", REFERENCE)


def spec_of(task: str = "math", *, samples: int = 2, **fields: Any) -> RunSpec:
    spec = {
        "task": task,
        "train": f"datasets/{task}/x/train.jsonl",
        "prompt": {
            "chain_of_thought": True,
            "student_learns": "reasoning",
            **fields.pop("prompt", {}),
        },
        "quality": {
            "samples": samples,
            "select": "reference",
            "rationalise": True,
            **fields.pop("quality", {}),
        },
    }
    return parse_spec({**spec, **fields})


class Heard:
    """A teacher that gives these replies in turn, and keeps what it is asked."""

    def __init__(self, *replies: str | Exception) -> None:
        self.replies = list(replies)
        self.requests: list[str] = []
        self.seeds: list[int | None] = []

    def when_none_waits(self, call: Any) -> None:
        pass

    def stop(self) -> None: ...

    async def complete(
        self, messages: list[Message], *, seed: int | None = None, **_: Any
    ) -> Completion:
        self.requests.append("\n".join(message["content"] for message in messages))
        self.seeds.append(seed)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return Completion(reply, "stop", None, None, 10, 2, "m-1")


def row(reference: str = REFERENCE) -> Row:
    return Row(({"role": "user", "content": "What is 2 + 3?"},), "a", reference)


async def answered(teacher: Heard, spec: RunSpec | None = None, asked: Row | None = None) -> Record:
    return await ask_row(7, asked or row(), spec or spec_of(), teacher)


async def test_the_teacher_is_shown_the_reference_once_all_samples_have_missed_it() -> None:
    teacher = Heard(MISS, MISS, HIT)
    record = await answered(teacher)
    assert (record.status, record.rationalised) == ("accepted", True)
    assert (record.answers, record.reasoning) == ([REFERENCE], ["Add them."])
    assert (record.samples, record.agreeing, record.requests) == (2, 0, 3)
    assert [REFERENCE in request for request in teacher.requests] == [False, False, True]


async def test_a_row_with_a_sample_that_agrees_is_not_rationalised() -> None:
    teacher = Heard(MISS, HIT)
    record = await answered(teacher)
    assert (record.status, record.rationalised, record.agreeing) == ("accepted", False, 1)
    assert REFERENCE not in "".join(teacher.requests)


async def test_nothing_is_shown_unless_the_run_says_so() -> None:
    record = await answered(Heard(MISS, MISS), spec_of(quality={"rationalise": False}))
    assert (record.status, record.reason, record.requests) == ("rejected", "disagrees", 2)


async def test_a_rationalised_row_counts_as_one_that_disagrees_with_its_reference() -> None:
    record = await answered(Heard(MISS, MISS, HIT))
    assert record.agrees is False
    assert (await answered(Heard(HIT))).agrees is True


async def test_the_student_is_not_told_what_the_teacher_was() -> None:
    spec = spec_of()
    record = await answered(Heard(MISS, MISS, reasoned("Add.", REFERENCE)), spec)
    example = TASKS["math"].student_messages(row(), spec.prompt, record.turns, system_role=True)
    assert "known" not in str(example)
    assert str(example).count(REFERENCE) == 1  # the answer


async def test_the_hint_also_reaches_a_teacher_whose_system_prompt_is_replaced() -> None:
    prompt = {"teacher_system": "You are an accountant.", "teacher_system_mode": "replace"}
    teacher = Heard(MISS, MISS, HIT)
    record = await answered(teacher, spec_of(prompt=prompt))
    assert record.rationalised
    assert teacher.requests[2].startswith("You are an accountant.")
    assert REFERENCE in teacher.requests[2]


async def test_an_answer_that_is_not_the_reference_even_then_rejects_the_row() -> None:
    record = await answered(Heard(MISS, MISS, reasoned("No.", "8")))
    assert (record.status, record.reason, record.requests) == ("rejected", "disagrees", 3)
    assert record.detail == (
        f"none of 2 answers agrees with the reference {REFERENCE}: 7; a teacher that is shown it: "
        "it answers 8"
    )
    assert record.agrees is False


async def test_within_the_tolerance_is_not_the_answer_that_was_shown() -> None:
    near = str(int(REFERENCE) + 1)
    spec = spec_of(quality={"tolerance": 0.01})
    assert (await answered(Heard(reasoned("a", near)), spec)).status == "accepted"
    record = await answered(Heard(MISS, MISS, reasoned("a", near)), spec)
    assert (record.status, record.reason) == ("rejected", "disagrees")


async def test_a_reasoning_that_mentions_the_hint_is_asked_for_again_with_the_reason() -> None:
    telling = reasoned("The given answer is right.", REFERENCE)
    teacher = Heard(MISS, MISS, telling, HIT)
    record = await answered(teacher)
    assert (record.rationalised, record.reasoning, record.requests) == (True, ["Add them."], 4)
    assert 'mentions that the answer was given ("given answer")' in teacher.requests[3]
    record = await answered(Heard(MISS, MISS, *[telling] * MAX_REPLIES))
    assert (record.status, record.reason, record.answers) == ("rejected", "disagrees", [])
    assert record.detail is not None
    assert "the reasoning mentions that the answer was given" in record.detail
    assert record.reply == telling


async def test_samples_that_mention_a_hint_of_their_own_are_not_affected() -> None:
    record = await answered(Heard(reasoned("The given answer is right.", REFERENCE)))
    assert (record.status, record.rationalised) == ("accepted", False)


async def test_rows_without_any_usable_sample_are_not_asked_once_more() -> None:
    timeout = RowFailure(RejectionReason.TIMEOUT, "no reply", 1)
    record = await answered(Heard(timeout, timeout))
    assert (record.reason, record.requests) == ("timeout", 2)


async def test_a_request_that_fails_leaves_the_row_rejected_and_retryable() -> None:
    record = await answered(Heard(MISS, MISS, RowFailure(RejectionReason.TIMEOUT, "no reply", 3)))
    assert (record.status, record.reason, record.requests) == ("rejected", "disagrees", 5)
    assert record.is_retryable


async def test_a_teacher_that_is_down_then_ends_the_run() -> None:
    with pytest.raises(PermanentError, match="down"):
        await answered(Heard(MISS, MISS, PermanentError("down")))


async def test_the_request_has_a_seed_of_its_own() -> None:
    teacher = Heard(MISS, MISS, HIT)
    await answered(teacher, spec_of(teacher={"seed": 40}))
    assert teacher.seeds == [40, 41, 42]


async def test_a_reference_that_is_an_alias_is_shown_as_the_label_that_it_means() -> None:
    labels = ["entailment", "neutral"]
    content = "Premise: A dog runs.\nHypothesis: An animal moves.\nIs it entailment or neutral?"
    declared = {"labels": labels, "aliases": {"0": "entailment", "1": "neutral"}}
    asked = TASKS["nli"].check(
        Row(({"role": "user", "content": content},), "a", "0"),
        AnswersSpec.model_validate(declared),
    )
    assert isinstance(asked, Row)
    teacher = Heard(reasoned("a", "neutral"), reasoned("b", "entailment"))
    spec = spec_of("nli", samples=1, answers=declared)
    record = await answered(teacher, spec, asked)
    assert (record.rationalised, record.answers) == (True, ["entailment"])
    assert "The right answer here is: entailment." in teacher.requests[1]


async def test_a_rationalised_record_survives_the_journal() -> None:
    record = await answered(Heard(MISS, MISS, HIT), spec_of(quality={"keep": 2}))
    read = Record.from_json(record.to_json())
    assert (read.rationalised, read.examples) == (True, 1)
    assert [reply.saw_reference for reply in read.replies] == [False, False, True]
    assert (read.answers, read.reasoning) == ([REFERENCE], ["Add them."])
