"""Models that reason get the tokens that they need, and later rows begin with them."""

from __future__ import annotations

import pytest

from shared.dataset.rejection import RejectionReason
from shared.generation.answer_size import AnswerSize
from shared.generation.ask_row import ask_row
from shared.generation.record import Record
from shared.spec.models import TeacherSpec
from shared.teacher import RowFailure
from tests.shared.generation.test_ask_row import Reply, Scripted, completion, row, spec_of

LIMITS = {"max_tokens": 100, "max_tokens_ceiling": 800}


def thinking(text: str = "", reasoning: str | None = "Let me see") -> Reply:
    """A reply whose reasoning has used up all tokens."""
    return completion(text, "length", reasoning=reasoning, completion_tokens=100)


async def ask(teacher: Scripted, size: AnswerSize | None = None, **limits: int) -> Record:
    spec = spec_of(teacher={**LIMITS, **limits})
    return await ask_row(1, row("What is 2 + 3?"), spec, teacher, size=size)


@pytest.mark.parametrize("text", ["", "  \n", "<think>Two and three"])
async def test_reasoning_without_an_answer_gets_twice_the_tokens_until_they_suffice(
    text: str,
) -> None:
    teacher = Scripted(thinking(text), thinking(text), thinking(text), "5")
    record = await ask(teacher)
    assert (record.answers, record.requests) == (["5"], 4)
    assert record.completion_tokens == 3 * 100 + 2
    assert teacher.limits == [100, 200, 400, 800]


async def test_no_answer_is_given_more_than_the_ceiling() -> None:
    teacher = Scripted(thinking(), thinking(), thinking())
    record = await ask(teacher, max_tokens_ceiling=300)
    assert (record.status, record.reason, record.requests) == ("rejected", "truncated", 3)
    assert teacher.limits == [100, 200, 300]
    assert "teacher.max_tokens_ceiling" in (record.detail or "")


async def test_an_answer_that_is_cut_off_gets_more_once_after_the_reasoning_fits() -> None:
    teacher = Scripted(thinking(), thinking("The ans"), thinking("The answ"))
    record = await ask(teacher)
    assert (record.reason, teacher.limits) == ("truncated", [100, 200, 400])


async def test_a_ceiling_that_is_reached_costs_no_further_request() -> None:
    teacher = Scripted(completion("The ans", "length"))
    record = await ask(teacher, max_tokens_ceiling=100)
    assert (record.reason, teacher.limits) == ("truncated", [100])


def too_large(words: str = "max_tokens is too large") -> RowFailure:
    return RowFailure(RejectionReason.TEACHER_REJECTED, words, 1)


async def test_limits_that_the_teacher_rejects_leave_the_row_cut_off() -> None:
    teacher = Scripted(thinking(), too_large(), too_large(), too_large())
    record = await ask(teacher)
    assert (record.reason, record.requests) == ("truncated", 4)
    assert teacher.limits == [100, 200, 150, 125]
    assert "125 tokens are rejected: max_tokens is too large" in (record.detail or "")


@pytest.mark.parametrize(
    ("words", "tried"),
    [
        ("400 is too large: this model supports at most 350 completion tokens", 350),
        ("max_tokens: 400 > 399, the maximum for this model of 1,000,000 parameters", 399),
        ("invalid value", 300),
    ],
)
async def test_a_limit_that_is_raised_too_far_is_lowered_to_what_is_named_or_the_middle(
    words: str, tried: int
) -> None:
    teacher = Scripted(thinking(), thinking(), too_large(words), "5")
    record = await ask(teacher)
    assert (record.answers, teacher.limits) == (["5"], [100, 200, 400, tried])


async def test_no_limit_is_tried_beyond_one_that_was_rejected() -> None:
    teacher = Scripted(thinking(), thinking(), too_large(), thinking())
    record = await ask(teacher)
    assert (record.reason, teacher.limits) == ("truncated", [100, 200, 400, 300])


async def test_a_row_for_which_too_many_tokens_were_learned_begins_with_the_users() -> None:
    teacher = Scripted(too_large(), thinking(), "5")
    record = await ask(teacher, AnswerSize(learned=400))
    assert (record.answers, teacher.limits) == (["5"], [400, 100, 200])


async def test_a_first_request_that_is_rejected_is_not_called_cut_off() -> None:
    rejected = RowFailure(RejectionReason.TEACHER_REJECTED, "no", 1)
    assert (await ask(Scripted(rejected))).reason == "teacher_rejected"


async def test_the_next_rows_begin_with_the_tokens_that_sufficed() -> None:
    size = AnswerSize()
    await ask(Scripted(thinking(), thinking(), "5"), size)
    teacher = Scripted("5")
    assert (await ask(teacher, size)).requests == 1
    assert teacher.limits == [400]


async def test_rows_in_flight_when_it_is_learned_go_on_with_it() -> None:
    size = AnswerSize(learned=400)
    assert size.next_limit(100, TeacherSpec(max_tokens=100)) == 400


def test_one_row_in_a_hundred_raises_the_tokens_of_no_other() -> None:
    spec = TeacherSpec(max_tokens=100)
    size = AnswerSize()
    for number in range(1000):
        size.record(100, 3200 if number % 100 == 50 else 100)
    assert size.first_limit(spec) == 100
    for _ in range(200):
        size.record(100, 200)
    assert size.first_limit(spec) == 200


def test_a_row_that_began_before_the_tokens_were_raised_raises_them_no_further() -> None:
    size = AnswerSize()
    for needed in (200, 400, 800):
        size.record(100, needed)
    assert size.first_limit(TeacherSpec(max_tokens=100)) == 200


async def test_rows_that_never_suffice_let_the_others_begin_with_the_ceiling() -> None:
    size = AnswerSize()
    await ask(Scripted(*[thinking()] * 4), size)
    teacher = Scripted(thinking())
    await ask(teacher, size)
    assert teacher.limits == [800]


def test_what_was_learned_stays_within_a_ceiling_that_is_lowered() -> None:
    assert AnswerSize(learned=800).first_limit(TeacherSpec(max_tokens_ceiling=1024)) == 1024
    assert AnswerSize(learned=8000).first_limit(TeacherSpec(max_tokens_ceiling=2000)) == 2000
