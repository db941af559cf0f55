"""Several answers to one row: requested in batches until one of them can be selected."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Message, Row
from shared.generation.ask_row import ask_row
from shared.generation.ask_turn import MAX_REPLIES
from shared.generation.record import Record
from shared.spec.models import RunSpec
from shared.spec.parse import parse_spec
from shared.teacher import Completion, RowFailure, TeacherDown

PHI_4K = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/15"


def spec_of(samples: int = 5, select: str = "majority", **fields: Any) -> RunSpec:
    sections = {"quality": {"samples": samples, "select": select}, **fields}
    return parse_spec({"task": "math", "train": "datasets/math/x/train.jsonl", **sections})


def row(reference: str | None = None, text: str = "What is 2 + 3?") -> Row:
    return Row(({"role": "user", "content": text},), "a", reference)


class Sampled:
    """A teacher that gives these replies in turn, and records how many are requested at a time."""

    def __init__(self, *replies: str | Exception) -> None:
        self.replies = list(replies)
        self.seeds: list[int | None] = []
        self.waves: list[int] = []
        self._waiting = 0

    def when_none_waits(self, call: Callable[[], None]) -> None:
        for _ in range(100):
            call()

    def stop(self) -> None: ...

    async def complete(
        self, messages: list[Message], *, seed: int | None = None, **_: Any
    ) -> Completion:
        reply = self.replies.pop(0)
        self.seeds.append(seed)
        self._waiting += 1
        await asyncio.sleep(0.01)  # all of a wave arrive before the first is answered
        if self._waiting:
            self.waves.append(self._waiting)
        self._waiting = 0
        if isinstance(reply, Exception):
            raise reply
        return Completion(reply, "stop", None, None, 10, 2, "m-1")


async def answer(teacher: Sampled, asked: Row | None = None, spec: RunSpec | None = None) -> Record:
    return await ask_row(7, asked or row(), spec or spec_of(), teacher)


async def test_the_most_frequent_answer_is_kept_with_how_many_agree_and_what_all_cost() -> None:
    record = await answer(Sampled("5", "six", "5.0", "5"))
    assert (record.status, record.answers, record.samples, record.agreeing) == (
        "accepted",
        ["5"],
        4,
        3,
    )
    assert (record.requests, record.prompt_tokens, record.completion_tokens) == (4, 40, 8)


async def test_a_clear_row_costs_no_more_samples_than_decide_it() -> None:
    clear = Sampled("5", "5", "5")
    await answer(clear)
    assert clear.waves == [3]
    split = Sampled("5", "6", "7", "5", "5")
    assert (await answer(split)).answers == ["5"]
    assert split.waves == [3, 2]


async def test_samples_that_cannot_be_used_have_no_vote_and_count_as_asked() -> None:
    unusable = RowFailure(RejectionReason.TIMEOUT, "no reply", 2)
    replies = ("5", unusable, unusable, "5", "6")
    record = await answer(Sampled(*replies))
    assert (record.status, record.reason) == ("rejected", "no_majority")
    assert record.detail == "2 of 5 answers agree, but 3 of 5 must: 5, 6; 2 could not be used"
    assert record.requests == 3 + 2 * 2
    quality = {"samples": 5, "select": "majority", "min_agreement": 0.4}
    fewer = await answer(Sampled(*replies), spec=spec_of(quality=quality))
    assert (fewer.status, fewer.answers, fewer.samples, fewer.agreeing) == ("accepted", ["5"], 4, 2)


async def test_a_row_without_a_majority_is_rejected_and_no_sample_is_asked_for_in_vain() -> None:
    teacher = Sampled("5", "6", "7", "8", "9")
    record = await answer(teacher, spec=spec_of(4))
    assert (record.status, record.reason, record.answers) == ("rejected", "no_majority", [])
    assert (record.detail, record.requests) == (
        "1 of 3 answers agree, but 3 of 4 must: 5, 6, 7",
        3,
    )


async def test_a_row_of_which_no_sample_can_be_used_is_rejected_under_the_reason_of_a_sample() -> (
    None
):
    failures = [RowFailure(RejectionReason.TIMEOUT, "no reply within 5 s", 1) for _ in range(5)]
    record = await answer(Sampled(*failures))
    assert (record.status, record.reason, record.detail) == (
        "rejected",
        "timeout",
        "no reply within 5 s",
    )
    assert record.requests == 3  # the other two could decide nothing
    unreadable = await answer(Sampled(*["many"] * 2 * MAX_REPLIES), spec=spec_of(2))
    assert (unreadable.status, unreadable.reason, unreadable.requests) == (
        "rejected",
        "no_number",
        2 * MAX_REPLIES,
    )


async def test_the_reason_does_not_depend_on_which_sample_came_first() -> None:
    timeout, filtered = (
        RowFailure(RejectionReason.TIMEOUT, "no reply", 1),
        RowFailure(RejectionReason.CONTENT_FILTER, "HTTP 400", 1),
    )
    assert (await answer(Sampled(timeout, filtered), spec=spec_of(2))).reason == "content_filter"
    assert (await answer(Sampled(filtered, timeout), spec=spec_of(2))).reason == "content_filter"


async def test_the_reasoning_that_is_kept_is_of_the_first_sample_with_the_answer() -> None:
    spec = spec_of(3, prompt={"chain_of_thought": True})
    replies = [
        f'{{"reasoning": "{why}", "answer": "{what}"}}'
        for why, what in (("b", 5), ("c", 6), ("a", 5))
    ]
    for order, first in ((replies, "b"), (replies[::-1], "a")):
        record = await answer(Sampled(*order), spec=spec)
        assert (record.answers, record.reasoning) == (["5"], [first])


def keeping(keep: int, samples: int = 5, select: str = "majority", **fields: Any) -> RunSpec:
    quality = {"samples": samples, "select": select, "keep": keep}
    prompt = {"chain_of_thought": True, "student_learns": "reasoning"}
    return spec_of(quality=quality, prompt=prompt, **fields)


def reasoned(*pairs: tuple[str, int]) -> Sampled:
    return Sampled(*(json.dumps({"reasoning": why, "answer": str(what)}) for why, what in pairs))


def kept_reasonings(record: Record) -> list[str | None]:
    return [example.reasoning[0] for example in record.each_example()]


async def test_different_reasonings_of_the_majority_are_kept_and_no_other() -> None:
    teacher = reasoned(("a", 5), ("b", 6), ("c", 5), ("d", 5), ("e", 5))
    record = await answer(teacher, spec=keeping(4))
    assert (record.answers, kept_reasonings(record)) == (["5"], ["a", "c", "d", "e"])
    assert [example.selected for example in record.each_example()] == [0, 2, 3, 4]
    assert (record.samples, record.agreeing, record.examples) == (5, 4, 4)


async def test_no_more_reasonings_are_asked_for_than_are_kept() -> None:
    teacher = reasoned(("a", 5), ("b", 5), ("c", 5), ("d", 5), ("e", 5))
    record = await answer(teacher, spec=keeping(2))
    assert (kept_reasonings(record), record.requests) == (["a", "b"], 3)
    by_reference = reasoned(("a", 6), ("b", 5), ("c", 5), ("d", 5))
    record = await answer(by_reference, row("5"), keeping(2, select="reference"))
    assert (kept_reasonings(record), record.requests) == (["b", "c"], 3)
    assert by_reference.waves == [2, 1]


async def test_reasonings_that_differ_in_case_space_and_forms_of_letters_are_one() -> None:
    teacher = reasoned(("2 + 3", 5), (" 2  +\n3 ", 5), ("２ + ３", 5), ("Add", 5), ("ADD", 5))
    record = await answer(teacher, spec=keeping(3))
    assert (kept_reasonings(record), record.requests) == (["2 + 3", "Add"], 5)


async def test_a_row_with_fewer_reasonings_than_are_kept_is_accepted_with_those_it_has() -> None:
    unusable = RowFailure(RejectionReason.TIMEOUT, "no reply", 1)
    teacher = reasoned(("a", 5), ("a", 5))
    teacher.replies.append(unusable)
    record = await answer(teacher, row("5"), keeping(3, 3, "reference"))
    assert (record.status, kept_reasonings(record), record.requests) == ("accepted", ["a"], 3)


async def test_all_examples_of_a_row_teach_the_same_answer() -> None:
    exact = json.dumps({"reasoning": "c", "answer": "2/3"})
    rounded = json.dumps({"reasoning": "d", "answer": "0.667"})
    teacher = Sampled(rounded, exact, rounded, exact, exact.replace("c", "e"))
    record = await answer(teacher, spec=keeping(5))
    assert (record.answers, kept_reasonings(record)) == (["2/3"], ["c", "e"])
    assert record.agreeing == 5


async def test_a_reasoning_that_is_too_long_for_the_student_is_left_out() -> None:
    long = "word " * 4200
    teacher = reasoned((long, 5), ("b", 5), (f"{long}!", 5), ("d", 5))
    spec = keeping(2, 5, "reference", student={"model": PHI_4K})
    record = await answer(teacher, row("5"), spec)
    assert (record.status, kept_reasonings(record), record.requests) == ("accepted", ["b", "d"], 4)
    hopeless = reasoned((long, 5), (f"{long}?", 5))
    record = await answer(hopeless, row("5"), keeping(2, 2, "reference", student={"model": PHI_4K}))
    assert (record.reason, record.answers, record.examples) == ("too_long", ["5"], 0)


async def test_an_answer_that_agrees_with_the_reference_is_kept_at_the_first_sample() -> None:
    teacher = Sampled("5")
    record = await answer(teacher, row("5.0"), spec_of(4, "reference"))
    assert (record.status, record.answers, record.samples, record.agreeing) == (
        "accepted",
        ["5"],
        1,
        1,
    )
    later = Sampled("6", "7", "5", "6")
    assert (await answer(later, row("5"), spec_of(4, "reference"))).agreeing == 1
    assert later.waves == [1, 1, 1]


async def test_a_row_whose_samples_all_contradict_the_reference_is_rejected_with_them() -> None:
    record = await answer(
        Sampled("6", "7", "6", "many", "many", "many"), row("5"), spec_of(4, "reference")
    )
    assert (record.status, record.reason, record.answers) == ("rejected", "disagrees", [])
    assert record.detail == "none of 4 answers agrees with the reference 5: 6, 7"
    assert record.requests == 6


async def test_the_reference_is_never_sent_to_the_teacher() -> None:
    heard: list[str] = []

    class Listener(Sampled):
        async def complete(self, messages: list[Message], **options: Any) -> Completion:
            heard.append(str(messages))
            return await super().complete(messages, **options)

    await answer(Listener("12", "12"), row("918273"), spec_of(2, "reference"))
    assert len(heard) == 2
    assert "918273" not in "".join(heard)


async def test_a_teacher_that_is_down_in_one_sample_ends_the_run_in_its_own_words() -> None:
    with pytest.raises(TeacherDown, match="wrong key"):
        await answer(Sampled("5", TeacherDown("wrong key"), "5"))


async def test_each_sample_has_a_seed_of_its_own_where_the_user_gave_one() -> None:
    seeded, free = Sampled("5", "5", "5"), Sampled("5", "5", "5")
    await answer(seeded, spec=spec_of(teacher={"seed": 40}))
    await answer(free)
    assert (seeded.seeds, free.seeds) == ([40, 41, 42], [None, None, None])


async def test_asking_a_sample_again_keeps_its_seed() -> None:
    teacher = Sampled("many", "5")
    await answer(teacher, row("5"), spec_of(3, "reference", teacher={"seed": 9}))
    assert teacher.seeds == [9, 9]


async def test_an_example_that_the_student_cannot_take_in_is_rejected_with_its_length() -> None:
    spec = spec_of(
        1,
        "first",
        prompt={"chain_of_thought": True, "student_learns": "reasoning"},
        student={"model": PHI_4K},
    )
    record = await answer(Sampled(f'{{"reasoning": "{"word " * 4200}", "answer": 5}}'), spec=spec)
    assert (record.status, record.reason) == ("rejected", "too_long")
    assert record.answers == ["5"]  # another run may reuse it
    assert record.detail is not None
    assert "about 4,2" in record.detail
    assert "takes 4,096" in record.detail
    fits = await answer(Sampled(f'{{"reasoning": "{"word " * 4000}", "answer": 5}}'), spec=spec)
    assert fits.status == "accepted"


async def test_numbers_that_differ_by_rounding_agree_and_the_exact_one_is_kept() -> None:
    record = await answer(Sampled("0.67", "0.667", "2/3"), spec=spec_of(3))
    assert (record.answers, record.samples, record.agreeing) == (["2/3"], 3, 2)
    apart = await answer(Sampled("0.67", "0.7", "2/3"), spec=spec_of(3))
    assert (apart.status, apart.reason) == ("rejected", "no_majority")


async def test_a_tolerance_decides_which_numbers_agree() -> None:
    quality = {"samples": 3, "select": "majority", "tolerance": 0.02}
    record = await answer(Sampled("101", "100", "55"), spec=spec_of(quality=quality))
    assert (record.answers, record.agreeing) == (["101"], 2)
    quality = {"samples": 2, "select": "reference", "tolerance": 0.02}
    near = await answer(Sampled("90", "98.5"), row("100"), spec_of(quality=quality))
    assert (near.status, near.answers) == ("accepted", ["98.5"])
