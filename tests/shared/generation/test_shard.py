"""Shards on real storage: each row is asked for once, and is in the right file in input order."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from shared.assembly.commit import sealed
from shared.core.counters import Counters
from shared.core.errors import ShardContended, Unfinished
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Message, as_jsonl
from shared.generation.journal import Journal
from shared.generation.shard import NothingAnswered, Stopped, TooManyRejected
from shared.teacher import Completion, RowFailure, TeacherDown
from tests.shared.conftest import RunFolder, commit_split, question, questions
from tests.support.scripted_shards import ScriptedTeacher, plus_one, run_all, shard_run, user_texts


async def test_rows_come_out_in_input_order_with_the_teachers_answers(folder: RunFolder) -> None:
    await folder.add(questions(13))
    counters = await run_all(folder, ScriptedTeacher())
    rows = [
        json.loads(line)["messages"]
        for line in (await folder.text(folder.paths.dataset("train"))).splitlines()
    ]
    assert rows == [
        [
            {"role": "user", "content": f"What is {n} + 1?"},
            {"role": "assistant", "content": str(n + 1)},
        ]
        for n in range(13)
    ]
    assert (
        counters.accepted,
        counters.prompt_tokens,
        counters.completion_tokens,
        counters.requests,
    ) == (
        13,
        130,
        26,
        13,
    )


async def test_counts_add_up_and_every_rejected_row_is_named(folder: RunFolder) -> None:
    bad = [
        b"{\n",
        as_jsonl([question("What is 3 + 1?")]),
        b"\n",
        as_jsonl([question("odd", id="x7")]),
    ]
    await folder.add(questions(7) + b"".join(bad))
    counters = await run_all(
        folder, ScriptedTeacher(lambda text: "no idea" if text == "odd" else plus_one(text))
    )
    assert counters.adds_up
    assert (counters.rows, counters.accepted, counters.rejected) == (
        10,
        7,
        {"duplicate": 1, "invalid_json": 1, "no_number": 1},
    )
    rejected = [
        json.loads(line) for line in (await folder.text(folder.paths.rejected)).splitlines()
    ]
    assert [(row["line"], row["id"], row["reason"]) for row in rejected] == [
        (8, None, "invalid_json"),
        (9, None, "duplicate"),
        (11, "x7", "no_number"),
    ]
    assert rejected[1]["detail"] == "the same as line 4 of train"


HALF_SURROGATES: list[dict[str, Any]] = [
    {"id": "a\ud83d"},
    {"answer": "4\udc00"},
    {"id": "a\ud83d", "messages": []},
    {"messages": [{"role": "user", "content": "\udfff"}]},
]


async def test_half_a_surrogate_pair_harms_its_row_at_most(folder: RunFolder) -> None:
    rows = [question(f"What is {n} + 90?") | fields for n, fields in enumerate(HALF_SURROGATES)]
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    await folder.add(lines + questions(6))
    tally = await run_all(folder, ScriptedTeacher())
    assert tally.adds_up
    assert tally.rejected == {"missing_messages": 1, "invalid_content": 1}
    assert tally.accepted == 8
    rejected = (await folder.text(folder.paths.rejected)).splitlines()
    assert [(row["line"], row["id"]) for row in map(json.loads, rejected)] == [(3, "a?"), (4, None)]


async def test_duplicates_are_never_asked(folder: RunFolder) -> None:
    await folder.add(questions(3) + questions(3))
    teacher = ScriptedTeacher()
    await run_all(folder, teacher)
    assert set(teacher.asked.values()) == {1}


async def test_validation_rows_that_stand_in_the_training_set_are_rejected(
    folder: RunFolder,
) -> None:
    await folder.add(questions(3))
    plan = await folder.add(questions(5), "validation")
    assert (plan.valid, plan.rejected) == (2, {"overlap": 3})
    assert (await run_all(folder, ScriptedTeacher(), "validation")).rejected == {"overlap": 3}


async def test_one_bad_answer_harms_no_other_row(folder: RunFolder) -> None:
    await folder.add(questions(5))
    failures = {"What is 2 + 1?": RowFailure(RejectionReason.TEACHER_ERROR, "HTTP 500", 8)}
    counters = await run_all(
        folder, ScriptedTeacher(lambda text: failures.get(text) or plus_one(text))
    )
    assert (counters.accepted, counters.rejected, counters.requests) == (
        4,
        {"teacher_error": 1},
        12,
    )


async def test_an_unreadable_answer_is_asked_again_with_the_reason_then_rejected(
    folder: RunFolder,
) -> None:
    await folder.add(as_jsonl([question("hopeless")]))
    teacher = ScriptedTeacher(lambda _: "many")
    assert (await run_all(folder, teacher)).rejected == {"no_number": 1}
    assert teacher.asked["hopeless"] == 3


async def test_a_cut_off_answer_is_asked_once_more_and_never_used(folder: RunFolder) -> None:
    await folder.add(as_jsonl([question("long")]))
    teacher = ScriptedTeacher(lambda _: "cut")
    assert (await run_all(folder, teacher)).rejected == {"truncated": 1}
    assert teacher.asked["long"] == 2


async def test_a_second_execution_asks_for_nothing_and_changes_nothing(folder: RunFolder) -> None:
    await folder.add(questions(12))
    first = await run_all(folder, ScriptedTeacher())
    before = await folder.text(folder.paths.dataset("train"))
    again = ScriptedTeacher()
    assert await run_all(folder, again) == first
    assert await folder.text(folder.paths.dataset("train")) == before
    assert again.asked == Counter()


async def test_a_killed_execution_is_continued_from_its_journal(folder: RunFolder) -> None:
    await folder.add(questions(5))
    slow = ScriptedTeacher(wait=0.05)
    work = asyncio.create_task(shard_run(folder, slow).run())
    while len(slow.asked) < 5:
        await asyncio.sleep(0.01)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    journal = await Journal.open(folder.storage, folder.paths.journal("train", 0), 5)
    assert 0 < len(journal.records) < 5
    rest = ScriptedTeacher()
    assert (await run_all(folder, rest)).accepted == 5
    assert sum(rest.asked.values()) == 5 - len(journal.records)


async def test_an_execution_whose_time_is_up_leaves_the_rest_to_another(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.generation.shard.WORK_SECONDS", 0.2)
    await folder.add(questions(5))
    teacher = ScriptedTeacher(wait=0.15)
    for _ in range(2):
        with pytest.raises(Unfinished):
            await shard_run(folder, teacher).run()
    [(_, metadata)] = [
        pair async for pair in folder.storage.metadata_under(folder.paths.journals("train"))
    ]
    assert 0 < Counters.from_metadata(metadata).done < 5
    monkeypatch.setattr("shared.generation.shard.WORK_SECONDS", 60)
    assert (await shard_run(folder, teacher).run()).accepted == 5
    assert set(teacher.asked.values()) == {1}


async def test_rows_that_take_too_long_for_the_host_are_left_to_another_execution(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.generation.shard.ABANDON_SECONDS", 0.3)
    await folder.add(questions(5))
    teacher = ScriptedTeacher()
    waits = iter([0, 0, 0, 60])

    async def complete(messages: list[Message], **given: Any) -> Completion:
        await asyncio.sleep(next(waits, 0))
        return await ScriptedTeacher.complete(teacher, messages, **given)

    monkeypatch.setattr(teacher, "complete", complete)
    with pytest.raises(Unfinished):
        await shard_run(folder, teacher).run()
    assert sum(teacher.asked.values()) == 3
    assert (await shard_run(folder, teacher).run()).accepted == 5
    assert set(teacher.asked.values()) == {1}


async def test_an_execution_in_which_no_row_is_answered_is_no_progress(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.generation.shard.ABANDON_SECONDS", 0.1)
    await folder.add(questions(5))
    with pytest.raises(NothingAnswered, match="no row of the shard was answered"):
        await shard_run(folder, ScriptedTeacher(wait=60)).run()


async def test_two_executions_of_one_shard_cannot_double_a_row(folder: RunFolder) -> None:
    await folder.add(questions(5))
    outcomes = await asyncio.gather(
        shard_run(folder, ScriptedTeacher(wait=0.01)).run(),
        shard_run(folder, ScriptedTeacher(wait=0.02)).run(),
        return_exceptions=True,
    )
    assert any(isinstance(outcome, Counters) for outcome in outcomes)
    assert all(isinstance(outcome, Counters | ShardContended) for outcome in outcomes)
    lines = (await folder.text(folder.paths.journal("train", 0))).splitlines()
    assert sorted(json.loads(line)["line"] for line in lines) == [1, 2, 3, 4, 5]


async def test_a_teacher_that_is_down_ends_the_shard_and_keeps_what_was_answered(
    folder: RunFolder,
) -> None:
    await folder.add(questions(5))
    down = TeacherDown("the key was revoked")

    def revoked(text: str) -> str | Exception:
        return down if text.startswith("What is 4") else plus_one(text)

    with pytest.raises(TeacherDown, match="revoked"):
        await shard_run(folder, ScriptedTeacher(revoked)).run()
    journal = await Journal.open(folder.storage, folder.paths.journal("train", 0), 5)
    assert sorted(journal.records) == [1, 2, 3, 4]


async def test_a_shard_gives_up_once_the_success_ratio_is_out_of_reach(folder: RunFolder) -> None:
    await folder.add(questions(5))
    teacher = ScriptedTeacher(lambda _: RowFailure(RejectionReason.TIMEOUT, "no reply", 1))
    with pytest.raises(TooManyRejected, match="timeout: no reply"):
        await shard_run(folder, teacher, max_rejected=1).run()
    assert sum(teacher.asked.values()) < 5


async def test_a_stopped_run_stops_asking(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.generation.shard.STOP_CHECK_SECONDS", 0.01)
    await folder.add(questions(5))

    async def stopped() -> bool:
        return True

    with pytest.raises(Stopped):
        await shard_run(folder, ScriptedTeacher(wait=30), is_stopped=stopped).run()


async def test_progress_is_read_from_the_journals_while_shards_run(folder: RunFolder) -> None:
    await folder.add(questions(7))
    await shard_run(folder, ScriptedTeacher(), 0).run()
    counted = dict([one async for one in sealed(folder.storage, folder.paths, "train")])
    assert (list(counted), counted[0].done, counted[0].shards_done) == ([0], 5, 1)


async def test_blocks_that_the_service_dropped_are_staged_again_from_the_journals(
    folder: RunFolder,
) -> None:
    await folder.add(questions(7))
    await run_all(folder, ScriptedTeacher())
    before = await folder.text(folder.paths.dataset("train"))
    await folder.storage.blob(folder.paths.dataset("train")).delete_blob()
    await commit_split(folder, "train")
    assert await folder.text(folder.paths.dataset("train")) == before


async def test_a_run_without_rejected_rows_has_an_empty_list_of_them(folder: RunFolder) -> None:
    await folder.add(questions(5))
    await run_all(folder, ScriptedTeacher())
    assert await folder.text(folder.paths.rejected) == ""


async def test_conversations_are_asked_turn_by_turn_with_the_teachers_own_history(
    folder: RunFolder,
) -> None:
    folder.spec = folder.spec.model_copy(update={"task": "conversation"})
    turns: list[Any] = [
        ("system", "be kind"),
        ("user", "one"),
        ("assistant", "not this"),
        ("user", "two"),
    ]
    await folder.add(
        as_jsonl([{"messages": [{"role": role, "content": text} for role, text in turns]}])
    )
    heard: list[list[str]] = []

    class Listener(ScriptedTeacher):
        async def complete(self, messages: list[Message], **_: Any) -> Completion:
            heard.append([message["content"] for message in messages])
            return await super().complete(messages)

    await run_all(folder, Listener(lambda text: f"reply to {text}"))
    assert heard == [["be kind", "one"], ["be kind", "one", "reply to one", "two"]]
    [line] = (await folder.text(folder.paths.dataset("train"))).splitlines()
    contents = [message["content"] for message in json.loads(line)["messages"]]
    assert contents == ["be kind", "one", "reply to one", "two", "reply to two"]


async def test_a_student_without_system_role_gets_it_in_the_first_user_turn(
    folder: RunFolder,
) -> None:
    model = "azureml://registries/azureml/models/Phi-3-medium-4k-instruct/versions/1"
    student = folder.spec.students[0].model_copy(update={"model": model})
    folder.spec = folder.spec.model_copy(update={"student": student})
    row = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is 1 + 1?"},
        ]
    }
    await folder.add(as_jsonl([row]))
    await run_all(folder, ScriptedTeacher())
    [line] = (await folder.text(folder.paths.dataset("train"))).splitlines()
    assert user_texts(line) == ["Be brief.\n\nWhat is 1 + 1?"]
    assert [message["role"] for message in json.loads(line)["messages"]] == ["user", "assistant"]
