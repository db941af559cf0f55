"""Resumed shards: only failed rows are asked for again, and the cost of both rounds is counted."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

from shared.assembly.commit import commit_rejected, sealed
from shared.core.counters import Counters, total
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import as_jsonl
from shared.generation.journal import Journal
from shared.generation.shard import ShardRun
from shared.runs.resume import changed
from shared.teacher import RowFailure
from tests.shared.conftest import RunFolder, commit_split, question, questions
from tests.support.scripted_shards import (
    Answer,
    ScriptedTeacher,
    plus_one,
    shard_run,
    user_texts,
)

BAD = b"{\n" + as_jsonl([question("What is 0 + 1?")])  # no JSON, and a duplicate


def failing(*numbers: int) -> Answer:
    """Answers, but for these rows, which time out at the second request."""

    def reply(text: str) -> str | Exception:
        number = int(text.split()[2])
        return (
            RowFailure(RejectionReason.TIMEOUT, "no reply", 2)
            if number in numbers
            else str(number + 1)
        )

    return reply


async def run_round(
    folder: RunFolder, scripted: ScriptedTeacher, number: int, **changes: Any
) -> Counters:
    folder.spec = changed(folder.spec, changes)
    for index in range(len(folder.plans["train"].shards)):
        work: ShardRun = replace(shard_run(folder, scripted, index), round=number)
        await work.run()
    await commit_split(folder, "train")
    await commit_rejected(folder.storage, folder.spec, folder.paths, ["train"])
    return total([counters async for _, counters in sealed(folder.storage, folder.paths, "train")])


async def test_a_second_round_asks_for_what_failed_and_for_nothing_else(folder: RunFolder) -> None:
    await folder.add(questions(7) + BAD)
    first = await run_round(folder, ScriptedTeacher(failing(2, 6)), 0)
    assert (first.accepted, first.rejected) == (
        5,
        {"duplicate": 1, "invalid_json": 1, "timeout": 2},
    )
    again = ScriptedTeacher(failing(6))
    second = await run_round(folder, again, 1)
    assert again.asked == Counter(["What is 2 + 1?", "What is 6 + 1?"])
    assert (second.accepted, second.rejected) == (
        6,
        {"duplicate": 1, "invalid_json": 1, "timeout": 1},
    )
    assert second.adds_up


async def test_usage_is_that_of_all_rounds(folder: RunFolder) -> None:
    await folder.add(questions(3))
    first = await run_round(folder, ScriptedTeacher(lambda _: "many"), 0)
    assert (first.requests, first.prompt_tokens, first.completion_tokens) == (9, 90, 18)
    second = await run_round(folder, ScriptedTeacher(), 1)
    assert (second.accepted, second.rejected) == (3, {})
    assert (second.requests, second.prompt_tokens, second.completion_tokens) == (12, 120, 24)


async def test_accepted_rows_keep_their_bytes_and_new_ones_come_to_their_place(
    folder: RunFolder,
) -> None:
    await folder.add(questions(7))
    await run_round(folder, ScriptedTeacher(failing(1, 5)), 0)
    before = (await folder.text(folder.paths.dataset("train"))).splitlines()
    await run_round(folder, ScriptedTeacher(lambda _: "99"), 1, teacher={"max_tokens": 2048})
    after = (await folder.text(folder.paths.dataset("train"))).splitlines()
    assert user_texts("\n".join(after)) == [f"What is {number} + 1?" for number in range(7)]
    assert [line for line in after if '"99"' not in line] == before
    assert await folder.text(folder.paths.rejected) == ""


async def test_a_round_that_is_repeated_asks_for_nothing_more(folder: RunFolder) -> None:
    await folder.add(questions(5))
    await run_round(folder, ScriptedTeacher(failing(1, 2)), 0)
    counters = await run_round(folder, ScriptedTeacher(failing(2)), 1)
    repeated = ScriptedTeacher()
    assert await run_round(folder, repeated, 1) == counters
    assert repeated.asked == Counter()
    assert (await run_round(folder, repeated, 2)).accepted == 5
    assert repeated.asked == Counter(["What is 2 + 1?"])


async def test_a_resumed_shard_does_not_hold_the_rounds_before_against_the_success_ratio(
    folder: RunFolder,
) -> None:
    await folder.add(questions(5))
    await run_round(folder, ScriptedTeacher(failing(0, 1, 2)), 0)
    work = replace(shard_run(folder, ScriptedTeacher(failing(2)), max_rejected=1), round=1)
    assert (await work.run()).accepted == 4


async def test_records_without_a_round_are_of_the_first(folder: RunFolder) -> None:
    await folder.add(questions(2))
    lines = [
        {"line": 1, "status": "rejected", "reason": "timeout", "requests": 8},
        {"line": 2, "status": "rejected"},
    ]
    name = folder.paths.journal("train", 0)
    await folder.storage.journal_position(name)
    await folder.storage.append(name, as_jsonl(lines), 0)
    journal = await Journal.open(folder.storage, name, 2)
    assert not journal.needs_answer(1, 0)
    assert journal.needs_answer(1, 1)
    assert not journal.needs_answer(2, 1)


async def test_of_equal_rows_the_first_that_changed_settings_admit_is_the_one_accepted(
    folder: RunFolder,
) -> None:
    rows = as_jsonl([question("What is 1 + 1?"), question("What is 1 + 1?", answer=2)])
    accepted: list[int] = []
    for round_, select in enumerate(("reference", "first", "reference")):
        folder.spec = changed(folder.spec, {"quality": {"select": select}})
        await folder.add(rows)
        counters = await run_round(folder, ScriptedTeacher(plus_one), round_)
        assert (counters.accepted, counters.rejected_rows) == (1, 1)
        provenance = json.loads(await folder.text(folder.paths.provenance("train")))
        accepted.append(provenance["line"])
    assert accepted == [2, 1, 2]


async def test_rows_that_settings_excluded_are_asked_once_changed_settings_admit_them(
    folder: RunFolder,
) -> None:
    folder.spec = changed(folder.spec, {"quality": {"select": "reference"}})
    rows = as_jsonl([question("What is 1 + 1?"), question("What is 2 + 1?", answer=3)])
    await folder.add(rows)
    first = await run_round(folder, ScriptedTeacher(plus_one), 0)
    assert (first.accepted, first.rejected) == (1, {"no_reference": 1})
    folder.spec = changed(folder.spec, {"quality": {"select": "first"}})
    await folder.add(rows)
    teacher = ScriptedTeacher(plus_one)
    second = await run_round(folder, teacher, 1)
    assert (second.accepted, second.rejected) == (2, {})
    assert teacher.asked == Counter(["What is 1 + 1?"])


async def test_rows_that_changed_settings_exclude_are_rejected_for_their_reason(
    folder: RunFolder,
) -> None:
    await folder.add(questions(2))
    await run_round(folder, ScriptedTeacher(failing(1)), 0)
    silent = ScriptedTeacher()
    counters = await run_round(folder, silent, 1, quality={"select": "reference"})
    assert (counters.accepted, counters.rejected, silent.asked) == (
        0,
        {"no_reference": 2},
        Counter(),
    )
    assert counters.requests == 1 + 2
