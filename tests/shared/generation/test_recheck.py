"""A resumed run checks the stored replies by its settings, and asks only for what is missing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from shared.core.counters import Counters
from shared.core.paths import Split
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Message, Row, as_jsonl
from shared.generation import recheck as module
from shared.generation.record import Record
from shared.generation.shard import ShardRun
from shared.spec.parse import parse_spec
from shared.tasks import Answer, Reply, Unreadable
from shared.tasks.math import Math
from shared.teacher import Completion, TeacherDown
from tests.shared.conftest import RunFolder, question
from tests.shared.generation.test_rounds import run_round
from tests.support.scripted_shards import ScriptedTeacher, plus_one, shard_run

REFERENCE = {"select": "reference", "samples": 3}
FIRST = {"select": "first", "samples": 1}
MAJORITY = {"select": "majority", "samples": 3}


def referenced(count: int) -> bytes:
    """Rows whose references are right."""
    return as_jsonl([question(f"What is {n} + 1?", answer=n + 1) for n in range(count)])


class InTurn(ScriptedTeacher):
    """Gives each row these replies, one after another and from the first again."""

    def __init__(self, *replies: str) -> None:
        super().__init__()
        self.replies = replies

    async def complete(self, messages: list[Message], **_: Any) -> Completion:
        text = messages[-1]["content"]
        reply = self.replies[self.asked[text] % len(self.replies)]
        self.asked[text] += 1
        return Completion(reply, "stop", None, None, 10, 2, "scripted-1")


def off_by_one(*numbers: int) -> Callable[[str], str]:
    """Answers wrongly for these rows."""

    def reply(text: str) -> str:
        right = int(plus_one(text))
        return str(right + (right - 1 in numbers))

    return reply


async def lines_of(folder: RunFolder, split: Split = "train") -> dict[int, str]:
    """Return the answers in the dataset by the number in their question."""
    answers: dict[int, str] = {}
    for line in (await folder.text(folder.paths.dataset(split))).splitlines():
        user, assistant = json.loads(line)["messages"][-2:]
        answers[int(user["content"].split()[2])] = assistant["content"]
    return answers


async def journal_text(folder: RunFolder) -> str:
    return await folder.text(folder.paths.journal("train", 0))


async def test_rows_that_contradict_their_reference_are_asked_again_and_no_others(
    folder: RunFolder,
) -> None:
    await folder.add(referenced(5))
    first = await run_round(folder, ScriptedTeacher(off_by_one(1, 3)), 0)
    assert (first.accepted, first.matching) == (5, 3)
    again = ScriptedTeacher(off_by_one(3))
    second = await run_round(folder, again, 1, quality=REFERENCE)
    # the first sample of each was stored: two more for the row that never agrees
    assert again.asked == Counter({"What is 1 + 1?": 1, "What is 3 + 1?": 2})
    assert (second.accepted, second.rejected, second.adds_up) == (4, {"disagrees": 1}, True)
    assert (second.with_reference, second.matching, second.requests) == (5, 4, 8)
    assert await lines_of(folder) == {0: "1", 1: "2", 2: "3", 4: "5"}


async def test_a_row_without_a_majority_is_accepted_by_another_rule_without_a_request(
    folder: RunFolder,
) -> None:
    folder.spec = folder.spec.model_copy(update={"quality": parse_quality(**MAJORITY)})
    await folder.add(referenced(2))
    assert (await run_round(folder, InTurn("7", "2", "1"), 0)).rejected == {"no_majority": 2}
    silent = ScriptedTeacher()
    second = await run_round(folder, silent, 1, quality={"select": "reference"})
    assert (second.accepted, second.rejected, silent.asked) == (2, {}, Counter())
    assert await lines_of(folder) == {0: "1", 1: "2"}
    third = await run_round(folder, silent, 2, quality=FIRST)
    assert (third.accepted, third.matching, silent.asked) == (2, 0, Counter())
    assert await lines_of(folder) == {0: "7", 1: "7"}
    assert third.requests == 6


def parse_quality(**settings: Any) -> Any:
    path = "datasets/math/x/train.jsonl"
    return parse_spec({"task": "math", "train": path, "quality": settings}).quality


async def test_further_samples_follow_those_that_are_stored(folder: RunFolder) -> None:
    await folder.add(referenced(2))
    await run_round(folder, ScriptedTeacher(), 0)
    more = InTurn("9", "1")
    second = await run_round(folder, more, 1, quality=MAJORITY)
    assert more.asked == Counter({"What is 0 + 1?": 2, "What is 1 + 1?": 2})
    assert (second.accepted, second.rejected, second.samples) == (1, {"no_majority": 1}, 3)
    assert await lines_of(folder) == {0: "1"}
    # samples of all rounds count together: one more each makes three of four that agree
    last = ScriptedTeacher()
    third = await run_round(folder, last, 2, quality={"samples": 5})
    assert last.asked == Counter({"What is 0 + 1?": 1, "What is 1 + 1?": 2})
    assert (third.accepted, third.samples, third.agreeing) == (2, 4 + 5, 3 + 3)
    assert third.requests == 2 + 4 + 3
    assert await lines_of(folder) == {0: "1", 1: "2"}


async def test_a_resumed_round_without_changes_writes_and_asks_nothing(folder: RunFolder) -> None:
    await folder.add(referenced(3))
    await run_round(folder, ScriptedTeacher(off_by_one(1)), 0, quality=REFERENCE)
    before = await journal_text(folder)
    accepted = await run_round(folder, ScriptedTeacher(), 0)
    silent = ScriptedTeacher(lambda _: "many")
    again = await run_round(folder, silent, 1)
    assert silent.asked.keys() == {"What is 1 + 1?"}
    assert (again.accepted, accepted.accepted) == (2, 2)
    new_records = (await journal_text(folder)).removeprefix(before).splitlines()
    assert [json.loads(record)["line"] for record in new_records] == [2]


async def test_shards_that_were_decided_by_the_same_settings_are_not_read_again(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    rechecked: list[int] = []
    record = module.Recheck.record

    def noted(self: module.Recheck, current: Record, *rest: Any) -> Record | None:
        rechecked.append(current.line)
        return record(self, current, *rest)

    monkeypatch.setattr(module.Recheck, "record", noted)
    await folder.add(referenced(2))
    await run_round(folder, ScriptedTeacher(), 0)
    await run_round(folder, ScriptedTeacher(), 1, quality={"min_rows": 1})
    assert rechecked == []
    await run_round(folder, ScriptedTeacher(), 2, quality=REFERENCE)
    assert sorted(rechecked) == [1, 2]


async def test_rows_that_no_longer_pass_are_not_accepted_if_the_run_ends_before_they_are_asked(
    folder: RunFolder,
) -> None:
    await folder.add(referenced(4))
    await run_round(folder, ScriptedTeacher(off_by_one(2)), 0)
    folder.spec = folder.spec.model_copy(update={"quality": parse_quality(**REFERENCE)})
    down = ScriptedTeacher(lambda _: TeacherDown("no key"))
    run: ShardRun = shard_run(folder, down)
    run.round = 1
    with pytest.raises(TeacherDown):
        await run.run()
    listed = folder.storage.metadata_under(folder.paths.journals("train"))
    [counters] = [Counters.from_metadata(metadata) async for _, metadata in listed]
    assert (counters.accepted, counters.rejected) == (3, {"disagrees": 1})
    assert (counters.done, counters.requests, counters.failed) == (4, 4, {})


async def test_rows_without_a_reference_come_back_when_references_are_not_needed_any_more(
    folder: RunFolder,
) -> None:
    await folder.add(as_jsonl([question("What is 1 + 1?"), question("What is 2 + 1?", answer=3)]))
    silent = ScriptedTeacher()
    await run_round(folder, ScriptedTeacher(), 0)
    by_reference = await run_round(folder, silent, 1, quality={"select": "reference"})
    assert (by_reference.accepted, by_reference.rejected) == (1, {"no_reference": 1})
    assert by_reference.adds_up
    back = await run_round(folder, silent, 2, quality={"select": "first"})
    assert (back.accepted, back.rejected, back.requests, silent.asked) == (2, {}, 2, Counter())


async def test_a_teacher_that_changed_is_asked_for_what_the_other_failed_to_answer(
    folder: RunFolder,
) -> None:
    await folder.add(referenced(3))
    await run_round(folder, ScriptedTeacher(off_by_one(1)), 0, quality=REFERENCE)
    other = ScriptedTeacher(off_by_one(1))
    changes: dict[str, Any] = {"teacher": {"model": "another"}, "quality": FIRST}
    second = await run_round(folder, other, 1, **changes)
    assert (second.accepted, other.asked) == (3, Counter({"What is 1 + 1?": 1}))


async def test_stored_replies_are_read_by_the_readers_of_now(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = {0: "1", 1: "two", 2: "3!!"}
    await folder.add(referenced(3))
    read = Math.read

    def older(self: Math, row: Row, prompt: Any, reply: Reply) -> Answer | Unreadable:
        if reply.text == "two":
            return Unreadable(RejectionReason.NO_NUMBER, "no number")
        return Answer(reply.text.strip("!"))

    def newer(self: Math, row: Row, prompt: Any, reply: Reply) -> Answer | Unreadable:
        if reply.text == "3!!":
            return Unreadable(RejectionReason.NO_NUMBER, "no number")
        return Answer("2") if reply.text == "two" else read(self, row, prompt, reply)

    monkeypatch.setattr(Math, "read", older)
    first = await run_round(folder, ScriptedTeacher(lambda text: replies[int(text.split()[2])]), 0)
    assert (first.accepted, first.rejected) == (2, {"no_number": 1})
    monkeypatch.setattr(Math, "read", newer)
    monkeypatch.setattr(module, "code_version", lambda: "newer")
    again = ScriptedTeacher()
    second = await run_round(folder, again, 1)
    assert (second.accepted, again.asked) == (3, Counter(["What is 2 + 1?"]))
    assert await lines_of(folder) == {0: "1", 1: "2", 2: "3"}


async def test_a_text_that_a_check_rejected_is_accepted_once_the_check_is_left_out(
    folder: RunFolder,
) -> None:
    path = "datasets/conversation/x/train.jsonl"
    fields: dict[str, Any] = {"task": "conversation", "train": path, "validation": None}
    folder.spec = parse_spec({**folder.spec.model_dump(exclude_none=True), **fields})
    turns = ["Good morning, who are you?", "hello", "How old is the oldest tree of all?"]
    roles = ["user", "assistant", "user"]
    messages = [{"role": role, "content": text} for role, text in zip(roles, turns, strict=True)]
    await folder.add(as_jsonl([{"messages": messages}]))
    said = {turns[0]: "I am a guide to this forest.", turns[2]: turns[2]}
    first = await run_round(folder, ScriptedTeacher(said.__getitem__), 0)
    assert first.rejected == {"echo": 1}
    silent = ScriptedTeacher()
    second = await run_round(folder, silent, 1, quality={"skip_checks": ["echo"]})
    assert (second.accepted, second.rejected, silent.asked) == (1, {}, Counter())
    third = await run_round(
        folder, ScriptedTeacher(said.__getitem__), 2, quality={"skip_checks": []}
    )
    assert (third.accepted, third.rejected, third.adds_up) == (0, {"echo": 1}, True)


async def test_a_reply_without_its_secret_is_not_accepted_when_it_is_read_again(
    folder: RunFolder,
) -> None:
    await folder.add(referenced(1))
    for number in (0, 1):
        teacher = ScriptedTeacher(lambda _: "With ***.\n\nAnswer: 1", is_redacted=True)
        run: ShardRun = shard_run(folder, teacher)
        run.round = number
        counters = await run.run()
        assert counters.rejected == {"secret": 1}
    assert "is_redacted" in await journal_text(folder)


async def test_provenance_names_the_round_that_asked_not_the_one_that_checked(
    folder: RunFolder,
) -> None:
    await folder.add(referenced(2))
    await run_round(folder, ScriptedTeacher(off_by_one(0)), 0)
    await run_round(folder, ScriptedTeacher(), 1, quality=REFERENCE)
    text = await folder.text(folder.paths.provenance("train"))
    provenance = [json.loads(line) for line in text.splitlines()]
    assert [line["round"] for line in provenance] == [1, 0]
    assert [line["samples"] for line in provenance] == [2, 1]
    assert [line["agrees"] for line in provenance] == [True, True]
