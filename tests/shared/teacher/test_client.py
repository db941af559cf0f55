"""The teacher client against a scripted server over real HTTP: what is sent, and retried."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from shared.teacher import RowFailure, TeacherDown
from tests.support.http_teacher import HELLO, Script, completion, settings, teacher_of


async def test_a_reply_comes_with_its_text_and_usage() -> None:
    async with teacher_of(Script()) as teacher:
        reply = await teacher.complete(HELLO)
    assert (
        reply.text,
        reply.prompt_tokens,
        reply.completion_tokens,
        reply.model,
        reply.requests,
    ) == (
        "hi",
        3,
        2,
        "m-1",
        1,
    )


async def test_the_key_is_sent_as_bearer_and_every_given_parameter_is_sent() -> None:
    script = Script()
    async with teacher_of(script, temperature=0.5, stop=["END"], seed=7, max_tokens=9) as teacher:
        await teacher.complete(HELLO)
    assert script.headers[0]["Authorization"] == "Bearer sesame"
    assert script.bodies[0] == {
        "model": "m",
        "messages": HELLO,
        "max_tokens": 9,
        "temperature": 0.5,
        "stop": ["END"],
        "seed": 7,
    }


async def test_the_endpoints_path_is_not_appended_twice() -> None:
    assert settings("http://x/v1/chat/completions/").teacher_base_url == "http://x/v1"


@pytest.mark.parametrize(
    "failure",
    [
        (500, {}, {}),
        (503, b"busy", {}),
        (408, {}, {}),
        (409, {}, {}),
        "reset",
        (200, b"<html>", {}),
    ],
)
async def test_passing_failures_are_asked_again(failure: Any) -> None:
    async with teacher_of(Script(failure)) as teacher:
        reply = await teacher.complete(HELLO)
    assert (reply.text, reply.requests) == ("hi", 2)


async def test_a_request_that_hangs_is_given_up_and_asked_again() -> None:
    async with teacher_of(Script("hang"), timeout_seconds=0.2) as teacher:
        assert (await teacher.complete(HELLO)).requests == 2


@pytest.mark.parametrize("header", [{"retry-after-ms": "300"}, {"Retry-After": "0.3"}])
async def test_a_throttled_teacher_is_left_alone_for_as_long_as_it_asks(
    header: dict[str, str],
) -> None:
    async with teacher_of(Script((429, {"error": {"message": "slow down"}}, header))) as teacher:
        began = time.monotonic()
        reply = await teacher.complete(HELLO)
    assert reply.requests == 2
    assert time.monotonic() - began >= 0.3


async def test_throttling_does_not_use_up_the_attempts_of_a_row() -> None:
    refusals: list[Any] = [(429, {}, {"retry-after-ms": "1"})] * 12
    async with teacher_of(Script(*refusals), max_attempts=2) as teacher:
        assert (await teacher.complete(HELLO)).requests == 13


async def test_attempts_are_bounded_and_counted() -> None:
    failures: list[Any] = [(500, {}, {"retry-after-ms": "1"})] * 5
    async with teacher_of(Script(*failures), max_attempts=3) as teacher:
        with pytest.raises(RowFailure) as failure:
            await teacher.complete(HELLO)
    assert (failure.value.reason, failure.value.requests) == ("teacher_error", 3)


async def test_a_row_has_a_deadline_also_when_throttled_for_ever() -> None:
    refusals: list[Any] = [(429, {}, {"retry-after-ms": "100"})] * 100
    async with teacher_of(Script(*refusals), row_deadline_seconds=0.5) as teacher:
        with pytest.raises(RowFailure, match="no answer in time") as failure:
            await teacher.complete(HELLO)
    assert failure.value.reason == "deadline"


async def test_the_text_parts_of_a_reply_are_its_answer() -> None:
    parts = [{"type": "text", "text": "the "}, {"type": "text", "text": "answer"}]
    async with teacher_of(Script((200, completion(parts), {}))) as teacher:
        assert (await teacher.complete(HELLO)).text == "the answer"


async def test_a_reply_of_another_kind_is_asked_for_again_and_never_used() -> None:
    image = [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]
    async with teacher_of(Script((200, completion(image), {})), max_attempts=1) as teacher:
        with pytest.raises(RowFailure, match="unknown type 'image_url'") as failure:
            await teacher.complete(HELLO)
    assert failure.value.reason == "bad_response"


async def test_a_bad_request_costs_one_row_and_one_request() -> None:
    script = Script((400, {"error": {"code": "invalid_prompt", "message": "no"}}, {}))
    async with teacher_of(script) as teacher:
        with pytest.raises(RowFailure, match="no") as failure:
            await teacher.complete(HELLO)
    assert (failure.value.reason, len(script.bodies)) == ("teacher_rejected", 1)


async def test_the_content_filter_is_named() -> None:
    async with teacher_of(
        Script((400, {"error": {"code": "content_filter", "message": "filtered"}}, {}))
    ) as teacher:
        with pytest.raises(RowFailure) as failure:
            await teacher.complete(HELLO)
    assert failure.value.reason == "content_filter"


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "invalid_api_key"), (403, "x"), (404, "model_not_found"), (429, "insufficient_quota")],
)
async def test_what_no_row_can_survive_ends_the_run_with_the_teachers_own_message(
    status: int, code: str
) -> None:
    script = Script((status, {"error": {"code": code, "message": "the teacher's own words"}}, {}))
    async with teacher_of(script) as teacher:
        with pytest.raises(TeacherDown, match="the teacher's own words"):
            await teacher.complete(HELLO)
    assert len(script.bodies) == 1


async def test_models_that_want_max_completion_tokens_are_asked_so_and_it_is_remembered() -> None:
    message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    script = Script((400, {"error": {"code": "unsupported_parameter", "message": message}}, {}))
    async with teacher_of(script) as teacher:
        await teacher.complete(HELLO)
        await teacher.complete(HELLO)
    assert ["max_tokens" in body for body in script.bodies] == [True, False, False]


async def test_requests_in_flight_never_exceed_the_concurrency() -> None:
    script = Script(*["ok"] * 20)
    async with teacher_of(script, concurrency=3) as teacher:
        await asyncio.gather(*(teacher.complete(HELLO) for _ in range(20)))
    assert script.most_in_flight == 3


async def test_an_error_under_200_is_final_or_retried_as_its_code_says() -> None:
    too_long = {"error": {"code": 413, "message": "The prompt is too long."}}
    script = Script((200, too_long, {}), (200, too_long, {}))
    async with teacher_of(script, max_attempts=2) as teacher:
        with pytest.raises(RowFailure, match="The prompt is too long") as failure:
            await teacher.complete(HELLO)
    assert (failure.value.reason, failure.value.requests) == ("teacher_rejected", 1)
    busy = {"error": {"code": 502, "message": "upstream"}}
    async with teacher_of(Script((200, busy, {}))) as teacher:
        assert (await teacher.complete(HELLO)).requests == 2
    denied = {"error": {"type": "authentication_error", "message": "wrong key"}}
    async with teacher_of(Script((200, denied, {}))) as teacher:
        with pytest.raises(TeacherDown, match="wrong key"):
            await teacher.complete(HELLO)
