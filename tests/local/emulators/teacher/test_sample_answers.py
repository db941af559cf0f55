"""The teacher solves what the samples ask, in the form that is asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.emulators.teacher import serve
from tests.support.teacher import REPOSITORY, Message, ask, rows, sdk

SAMPLES = REPOSITORY / "samples"
REASONED = 'Reply with one JSON object: {"reasoning": "<steps>", "answer": "<answer>"}'
DENSENED = 'Reply with one JSON object: {"steps": [{"missing_entities": ["<entity>"], "summary": "<summary>"}]}'


def question(row: dict[str, Any]) -> tuple[list[Message], str | None]:
    """What the teacher is sent, and the reference."""
    messages: list[Message] = row["messages"]
    if messages[-1]["role"] == "assistant":
        return messages[:-1], messages[-1]["content"]
    return messages, row.get("answer")


def with_instruction(messages: list[Message], instruction: str) -> list[Message]:
    if messages[0]["role"] != "system":
        return [{"role": "system", "content": instruction}, *messages]
    return [
        {"role": "system", "content": f"{messages[0]['content']}\n\n{instruction}"},
        *messages[1:],
    ]


@pytest.mark.parametrize("task", ["nli", "nlu_qa", "math"])
@pytest.mark.parametrize("split", ["train", "validation"])
async def test_references_of_the_samples_are_matched_plainly_and_with_reasoning(
    task: str, split: str
) -> None:
    asked = [question(row) for row in rows(SAMPLES / task / f"{split}.jsonl")]
    referenced = [(messages, reference) for messages, reference in asked if reference is not None]
    plain = reasoned = 0
    async with serve() as teacher, sdk(teacher) as client:
        for messages, reference in referenced:
            plain += await ask(client, messages) == reference
            answer = json.loads(await ask(client, with_instruction(messages, REASONED)))
            assert answer["reasoning"].startswith("Step 1: ")
            reasoned += answer["answer"] == reference
    assert len(referenced) >= 40
    assert plain >= 0.95 * len(referenced)
    assert reasoned == plain


async def test_summaries_of_the_samples_keep_the_word_limit_and_come_from_the_article() -> None:
    async with serve() as teacher, sdk(teacher) as client:
        for row in rows(SAMPLES / "summarization" / "validation.jsonl"):
            messages, _ = question(row)
            summary = await ask(client, messages)
            assert 15 <= len(summary.split()) <= 80
            assert summary.split(". ")[0] in messages[-1]["content"]
            assert "ummarize" not in summary


async def test_a_chain_of_density_grows_and_names_what_it_adds() -> None:
    row = rows(SAMPLES / "summarization" / "train.jsonl")[0]
    messages = with_instruction(question(row)[0], DENSENED)
    async with serve() as teacher, sdk(teacher) as client:
        steps = json.loads(await ask(client, messages, response_format={"type": "json_object"}))[
            "steps"
        ]
    lengths = [len(step["summary"].split()) for step in steps]
    assert len(steps) >= 3
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1] <= 80
    for step in steps:
        assert all(entity in step["summary"] for entity in step["missing_entities"])
    assert any(step["missing_entities"] for step in steps[1:])


async def test_a_smaller_word_limit_gives_a_shorter_summary() -> None:
    text = question(rows(SAMPLES / "summarization" / "train.jsonl")[0])[0][-1]
    async with serve() as teacher, sdk(teacher) as client:
        short = await ask(
            client, [{"role": "system", "content": "Summarize in at most 30 words."}, text]
        )
        tiny = await ask(
            client, [{"role": "system", "content": "Summarize in no more than 7 words."}, text]
        )
    assert 10 <= len(short.split()) <= 30
    assert 1 <= len(tiny.split()) <= 7


async def test_conversations_show_whether_their_history_was_sent() -> None:
    longest = max(
        rows(SAMPLES / "conversation" / "train.jsonl"), key=lambda row: len(row["messages"])
    )
    messages: list[Message] = longest["messages"]
    users = [number for number, message in enumerate(messages) if message["role"] == "user"]
    async with serve() as teacher, sdk(teacher) as client:
        whole = await ask(client, messages[: users[-1] + 1])
        alone = await ask(client, [messages[users[-1]]])
    ordinal = ("second", "third", "fourth")[len(users) - 2]
    assert f"your {ordinal} question" in whole
    assert "You began with" in whole
    assert "You began with" not in alone


async def test_a_follow_up_without_a_topic_of_its_own_is_answered_on_the_topic_before() -> None:
    opening: Message = {"role": "user", "content": "How do I grow basil on a balcony?"}
    reply: Message = {"role": "assistant", "content": "In pots."}
    follow_up: Message = {"role": "user", "content": "Which of those would you choose?"}
    async with serve() as teacher, sdk(teacher) as client:
        assert "water" in await ask(client, [opening, reply, follow_up])
        assert "water" not in await ask(client, [follow_up])


async def test_labels_are_spelled_as_the_prompt_spells_them() -> None:
    pair = "Premise: The tower was built in 1800.\nHypothesis: The tower was built in 1900."
    async with serve() as teacher, sdk(teacher) as client:
        for labels, expected in (
            ("'Entailment', 'Contradiction', 'Neutral'", "Contradiction"),
            ("'supported', 'refuted' or 'unknown'", "refuted"),
            ("'entailment' or 'not_entailment'", "not_entailment"),
        ):
            system = f"Answer with one of the labels {labels}."
            assert (
                await ask(
                    client,
                    [{"role": "system", "content": system}, {"role": "user", "content": pair}],
                )
                == expected
            )
