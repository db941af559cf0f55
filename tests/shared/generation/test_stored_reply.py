"""Journals keep every reply as it came, and no text twice."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from shared.dataset.rows import Row
from shared.generation.ask_row import ask_row
from shared.generation.record import Record
from shared.spec.models import RunSpec
from shared.spec.parse import parse_spec
from shared.teacher import Completion
from tests.shared.generation.test_ask_row import Reply, Scripted, completion

STEPS = 'Two and three:\n"2 + 3" = 5, as 3 follows 2 – and 2 is né.'
ROW = Row(({"role": "user", "content": "What is 2 + 3?"},))


def spec_of(task: str = "math", **fields: Any) -> RunSpec:
    return parse_spec({"task": task, "train": f"datasets/{task}/x/train.jsonl", **fields})


async def stored(spec: RunSpec, *replies: Reply) -> tuple[Record, dict[str, Any]]:
    """Return the record of these replies, and its line in the journal."""
    record = await ask_row(7, ROW, spec, Scripted(*replies))
    line = record.to_json()
    assert Record.from_json(line) == record
    return record, json.loads(line)


REASONED = {
    "as JSON": completion(json.dumps({"reasoning": STEPS, "answer": "5"}, ensure_ascii=False)),
    "as JSON in ASCII": completion(json.dumps({"reasoning": STEPS, "answer": "5"})),
    "in a fence": completion("```json\n" + json.dumps({"reasoning": STEPS, "answer": 5}) + "\n```"),
    "apart": completion("5", reasoning=STEPS),
    "in tags": completion(f"<think>{STEPS}</think>5"),
    "before a mark": completion(f"{STEPS}\n\nAnswer: 5"),
}


@pytest.mark.parametrize("reply", REASONED.values(), ids=REASONED)
async def test_reasoning_is_in_the_journal_once_and_read_from_there(reply: Completion) -> None:
    record, line = await stored(spec_of(prompt={"chain_of_thought": True}), reply)
    assert (record.answers, record.reasoning) == (["5"], [STEPS])
    assert json.dumps(line).count("follows 2") == 1
    assert line["replies"][0]["text"] == reply.text
    assert line["replies"][0].get("reasoning") == reply.reasoning


async def test_a_plain_answer_takes_no_more_than_its_reply() -> None:
    _, line = await stored(spec_of(), "5")
    assert line["replies"] == [{"text": "5", "answer": {}}]
    assert not {"answers", "finish_reason"} & set(line)


async def test_every_reply_of_every_sample_is_kept_also_those_that_could_not_be_used() -> None:
    spec = spec_of(quality={"samples": 3, "select": "majority"})
    cut = completion("It is", "length")
    record, line = await stored(spec, "5", cut, "6", "5.0")
    assert (record.answers, record.requests) == (["5"], 4)
    assert [(reply.get("sample", 0), reply["text"]) for reply in line["replies"]] == [
        (0, "5"),
        (1, "It is"),
        (1, "6"),
        (2, "5.0"),
    ]
    truncated = line["replies"][1]
    assert (truncated["finish_reason"], "answer" in truncated) == ("length", False)


async def test_each_turn_of_a_conversation_has_its_replies() -> None:
    row = Row(
        (
            {"role": "user", "content": "Hi there, who are you?"},
            {"role": "assistant", "content": "hello"},
            {"role": "user", "content": "How old is the oldest tree?"},
        )
    )
    teacher = Scripted("I am a guide to the forest.", "", "About five thousand years old.")
    record = await ask_row(1, row, spec_of("conversation"), teacher)
    line = json.loads(record.to_json())
    assert [(reply.get("turn", 0), reply.get("text", "")) for reply in line["replies"]] == [
        (0, "I am a guide to the forest."),
        (1, ""),
        (1, "About five thousand years old."),
    ]
    assert Record.from_json(record.to_json()).answers == [
        "I am a guide to the forest.",
        "About five thousand years old.",
    ]


async def test_a_reply_with_a_secret_of_the_app_is_never_used() -> None:
    reply = replace(completion("The key is ***. The answer is 5."), is_redacted=True)
    record, line = await stored(spec_of(), reply, reply, reply)
    assert (record.status, record.reason, record.requests) == ("rejected", "secret", 3)
    assert line["replies"][0]["text"] == "The key is ***. The answer is 5."
