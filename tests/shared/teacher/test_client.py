"""The teacher client against a scripted server over real HTTP: what is retried, what is not, and what is sent."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from shared.core.settings import Settings, load
from shared.dataset.rows import Message
from shared.spec.models import TeacherSpec
from shared.teacher import RowFailure, Teacher, TeacherDown, open_teacher

HELLO: list[Message] = [{"role": "user", "content": "hello"}]
Reply = Callable[[web.Request, int], Awaitable[web.StreamResponse]]


def settings(base_url: str) -> Settings:
    return load(
        {
            "DISTILLATION_STORAGE": "UseDevelopmentStorage=true",
            "TEACHER_BASE_URL": base_url,
            "TEACHER_MODEL": "m",
            "TEACHER_API_KEY": "sesame",
            "AZUREML_SUBSCRIPTION_ID": "s",
            "AZUREML_RESOURCE_GROUP": "g",
            "AZUREML_WORKSPACE": "w",
        }
    )


def completion(text: str = "hi", **message: Any) -> dict[str, Any]:
    return {
        "model": "m-1",
        "choices": [
            {"finish_reason": "stop", "message": {"role": "assistant", "content": text, **message}}
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }


class Script:
    """A teacher that answers its n-th request as told, and remembers what it was sent."""

    def __init__(self, *replies: tuple[int, Any, dict[str, str]] | str) -> None:
        self.replies = list(replies)
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.in_flight = self.most_in_flight = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        self.headers.append(dict(request.headers))
        self.paths.append(request.path)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._reply(request)
        finally:
            self.in_flight -= 1

    async def _reply(self, request: web.Request) -> web.StreamResponse:
        reply: Any = self.replies.pop(0) if self.replies else (200, completion(), {})
        if reply == "hang":
            await asyncio.sleep(30)
        if reply == "reset":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if isinstance(reply, str):
            await asyncio.sleep(0.02)
            return web.json_response(completion(reply))
        status, body, headers = reply
        return web.Response(
            status=status,
            body=body if isinstance(body, bytes) else json.dumps(body),
            headers=headers,
        )


@asynccontextmanager
async def teacher_of(script: Script, **spec: Any) -> AsyncGenerator[Teacher]:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", script.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        async with open_teacher(
            settings(f"http://{host}:{port}/v1"), TeacherSpec(model="m", **spec)
        ) as teacher:
            yield teacher
    finally:
        await runner.cleanup()


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
        "model": "m", "messages": HELLO, "max_tokens": 9, "temperature": 0.5, "stop": ["END"], "seed": 7,
    }  # fmt: skip


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
