"""A teacher's capabilities are learned once a process, without losing a row."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.core.counters import Counters, total
from shared.teacher import NoBudget, open_teacher
from shared.teacher.rate.concurrency_window import START
from tests.shared.conftest import RunFolder, questions
from tests.support.http_teacher import SelectiveTeacher, serving, settings
from tests.support.scripted_shards import plus_one, shard_run

CONCURRENCY = 32


def wants_max_completion_tokens(body: dict[str, Any]) -> dict[str, Any] | None:
    """OpenAI's answer to `max_tokens` for its newer models."""
    if "max_tokens" not in body:
        return None
    return {
        "message": "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
        "type": "invalid_request_error",
        "param": "max_tokens",
        "code": "unsupported_parameter",
    }


def wants_no_schema(body: dict[str, Any]) -> dict[str, Any] | None:
    """OpenAI's answer to a JSON schema for its older models."""
    if body.get("response_format", {}).get("type") != "json_schema":
        return None
    return {
        "message": "Invalid parameter: 'response_format' of type 'json_schema' is not supported "
        "with this model. Learn more about supported models at the Structured Outputs guide: "
        "https://platform.openai.com/docs/guides/structured-outputs",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


async def run_shards(folder: RunFolder, base_url: str, *indices: int) -> Counters:
    """Run these shards at the same time, each with a client of its own, as activities do."""

    async def run(index: int) -> Counters:
        async with open_teacher(
            settings(base_url), folder.spec.teacher, "run", budget=NoBudget()
        ) as teacher:
            return await shard_run(folder, teacher, index).run()

    return total(await asyncio.gather(*map(run, indices)))


@pytest.fixture
async def planned(folder: RunFolder) -> RunFolder:
    """Eight shards of 40 rows, reasoned so that a schema is sent."""
    prompt = folder.spec.prompt.model_copy(update={"chain_of_thought": True})
    spec_changes = {
        "prompt": prompt,
        "teacher": folder.spec.teacher.model_copy(
            update={"model": "m", "concurrency": CONCURRENCY, "max_attempts": 1}
        ),
        "generation": folder.spec.generation.model_copy(update={"rows_per_shard": 40}),
    }
    folder.spec = folder.spec.model_copy(update=spec_changes)
    await folder.add(questions(340))
    assert len(folder.plans["train"].shards) == 9
    return folder


@pytest.mark.parametrize("error_for", [wants_max_completion_tokens, wants_no_schema])
async def test_requests_in_flight_when_a_capability_is_learned_are_sent_again(
    planned: RunFolder, error_for: Any
) -> None:
    server = SelectiveTeacher(error_for, answer=reasoned_answer, together=START)
    async with serving(server.answer) as base_url:
        first = await run_shards(planned, base_url, 1, 2, 3, 4)
        rejected = len(server.rejected)
        second = await run_shards(planned, base_url, 5, 6, 7, 8)
    assert (first.accepted, first.rejected) == (160, {})
    assert (second.accepted, second.rejected) == (160, {})
    assert START <= rejected <= CONCURRENCY
    assert len(server.rejected) == rejected, "a capability is learned once a process"
    assert first.requests + second.requests == len(server.bodies)


def reasoned_answer(text: str) -> str:
    return f'{{"reasoning": "counting", "answer": "{plus_one(text)}"}}'
