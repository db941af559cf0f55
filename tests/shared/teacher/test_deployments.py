"""Several deployments: rows go where there is room, and one that fails ends nothing."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from shared.core.settings import load
from shared.spec.models import TeacherSpec
from shared.teacher import (
    Budget,
    Completion,
    NoBudget,
    RowFailure,
    TeacherClient,
    TeacherDown,
    open_teacher,
)
from shared.teacher.budget import Tokens
from shared.teacher.rate.concurrency_window import START
from shared.teacher.rate.gate import MAX_REJECTIONS
from tests.support.http_teacher import (
    HELLO,
    Script,
    SelectiveTeacher,
    completion,
    serving,
    teacher_of,
)

KEYS = {"KEY_0": "key-of-the-first", "KEY_1": "key-of-the-second"}
WRONG_KEY: tuple[int, Any, dict[str, str]] = (401, {"error": {"message": "wrong key"}}, {})
NO_QUOTA: tuple[int, Any, dict[str, str]] = (
    429,
    {"error": {"code": "insufficient_quota", "message": "quota used up"}},
    {},
)


class Refusing(Script):
    """A deployment that always gives the same reply."""

    def __init__(self, reply: tuple[int, Any, dict[str, str]]) -> None:
        super().__init__()
        self.reply = reply

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.replies = [self.reply]
        return await super().answer(request)


def nobody() -> str:
    """The URL of a deployment that no one serves."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


@asynccontextmanager
async def teacher_at(urls: Sequence[str], **spec: Any) -> AsyncGenerator[TeacherClient]:
    entries = [
        {"base_url": url, "model": f"m-{number}", "api_key_setting": f"KEY_{number}"}
        for number, url in enumerate(urls)
    ]
    settings = load(
        {
            "DISTILLATION_STORAGE": "UseDevelopmentStorage=true",
            "TEACHER_MODEL": "m",
            "TEACHER_ENDPOINTS": json.dumps(entries),
            **KEYS,
        }
    )
    async with open_teacher(settings, TeacherSpec(model="m", **spec), budget=NoBudget()) as teacher:
        yield teacher


@asynccontextmanager
async def deployments(
    *servers: Script | SelectiveTeacher, **spec: Any
) -> AsyncGenerator[TeacherClient]:
    async with AsyncExitStack() as served:
        urls = [await served.enter_async_context(serving(server.answer)) for server in servers]
        yield await served.enter_async_context(teacher_at(urls, **spec))


async def ask(teacher: TeacherClient, rows: int) -> list[Completion]:
    return await asyncio.gather(*[teacher.complete(HELLO) for _ in range(rows)])


async def test_rows_go_to_all_deployments_each_by_its_own_name_and_key() -> None:
    servers = [Script(), Script()]
    async with deployments(*servers) as teacher:
        replies = await ask(teacher, 40)
        assert teacher.problems == {}
    assert sum(reply.requests for reply in replies) == 40
    for number, server in enumerate(servers):
        assert 10 <= len(server.bodies) <= 30
        assert {body["model"] for body in server.bodies} == {f"m-{number}"}
        keys = {headers["Authorization"] for headers in server.headers}
        assert keys == {f"Bearer {KEYS[f'KEY_{number}']}"}


async def test_the_concurrency_of_a_run_holds_for_all_deployments_together() -> None:
    servers = [Script(*["hi"] * 20), Script(*["hi"] * 20)]
    async with deployments(*servers, concurrency=3) as teacher:
        await ask(teacher, 30)
    assert sum(server.most_in_flight for server in servers) <= 4
    assert all(server.most_in_flight <= 3 for server in servers)


@pytest.mark.parametrize("refusal", [WRONG_KEY, NO_QUOTA], ids=["key", "quota"])
async def test_a_deployment_that_refuses_every_request_costs_no_row_and_no_attempt(
    refusal: Any,
) -> None:
    refusing = Refusing(refusal)
    working = Script()
    async with deployments(refusing, working, max_attempts=1) as teacher:
        replies = await ask(teacher, 50)
        problems = teacher.problems
    assert [reply.text for reply in replies] == ["hi"] * 50
    assert sum(reply.requests for reply in replies) == 50 + len(refusing.bodies)
    assert len(refusing.bodies) <= 8, "at most the first requests in flight"
    assert list(problems) == ["TEACHER_ENDPOINTS.0"]
    assert "refuses every request" in problems["TEACHER_ENDPOINTS.0"]


async def test_a_deployment_that_cannot_be_reached_costs_no_row_and_no_attempt() -> None:
    working = Script()
    async with (
        serving(working.answer) as url,
        teacher_at([nobody(), url], max_attempts=1) as teacher,
    ):
        replies = await ask(teacher, 50)
        assert list(teacher.problems) == ["TEACHER_ENDPOINTS.0"]
    assert [reply.text for reply in replies] == ["hi"] * 50
    assert len(working.bodies) == 50


async def test_the_last_deployment_that_refuses_ends_the_run_with_what_is_wrong_with_all() -> None:
    async with deployments(Refusing(WRONG_KEY), Refusing(NO_QUOTA)) as teacher:
        with pytest.raises(TeacherDown) as down:
            await teacher.complete(HELLO)
    assert "wrong key" in str(down.value)
    assert "quota used up" in str(down.value)
    named = re.findall(r"TEACHER_ENDPOINTS\.[01]|KEY_0", str(down.value))
    assert named


async def test_deployments_that_all_cannot_be_reached_fail_the_row_after_its_attempts() -> None:
    async with teacher_at([nobody(), nobody()], max_attempts=2) as teacher:
        with pytest.raises(RowFailure) as failure:
            await teacher.complete(HELLO)
    assert failure.value.reason == "connection"


@pytest.mark.parametrize("status", [200, 502])
async def test_a_web_page_instead_of_json_names_the_entry_of_its_address(status: int) -> None:
    page = Refusing((status, b"<html><title>Sign in</title></html>", {}))
    async with deployments(page, max_attempts=1) as teacher:
        with pytest.raises(RowFailure, match=r"Sign in .* check TEACHER_ENDPOINTS\.0\)"):
            await teacher.complete(HELLO)


async def test_a_deployment_that_is_asked_too_fast_holds_up_no_row() -> None:
    throttled = Refusing((429, {"error": {"message": "slow down"}}, {"Retry-After": "300"}))
    working = Script()
    async with deployments(throttled, working, row_deadline_seconds=60) as teacher:
        replies = await ask(teacher, 30)
    assert [reply.text for reply in replies] == ["hi"] * 30
    # 13 refusals in a row are no strays, and as many as the window has may be on their way then
    assert len(throttled.bodies) <= 13 + START


async def test_a_deployment_that_fails_often_is_left_out_and_the_rows_are_not_lost() -> None:
    failing = Refusing((500, {"error": {"message": "broken"}}, {"Retry-After": "0"}))
    working = Script()
    async with deployments(failing, working) as teacher:
        for _ in range(30):
            await ask(teacher, 8)
        assert list(teacher.problems) == ["TEACHER_ENDPOINTS.0"]
    assert len(failing.bodies) < 60


async def test_each_deployment_has_capabilities_of_its_own() -> None:
    def wants_the_newer_name(body: dict[str, Any]) -> dict[str, Any] | None:
        if "max_completion_tokens" in body:
            return None
        return {"message": "Use 'max_completion_tokens' instead of 'max_tokens'."}

    newer = SelectiveTeacher(wants_the_newer_name)
    older = Script()
    async with deployments(newer, older, max_attempts=1) as teacher:
        await ask(teacher, 30)
        learned = len(newer.rejected)
        await ask(teacher, 30)
    assert 1 <= learned == len(newer.rejected) <= 8
    assert all("max_tokens" in body for body in older.bodies)


async def test_a_refusal_ends_no_run_while_another_deployment_may_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.teacher.client.UNREACHABLE_SECONDS", 0.05)
    blinking = Script("reset")
    async with deployments(blinking, Refusing(WRONG_KEY), max_attempts=1) as teacher:
        assert (await teacher.complete(HELLO)).text == "hi"
        assert "wrong key" in teacher.problems["TEACHER_ENDPOINTS.1"]
    assert len(blinking.bodies) == 2


class TurnedAway(Script):
    """A deployment that answers some requests, and from then on rejects all, or only the rows."""

    def __init__(self, healthy: int, *, accepts_minimal: bool = False) -> None:
        super().__init__()
        self._healthy = healthy
        self._accepts_minimal = accepts_minimal

    async def _reply(self, request: web.Request) -> web.StreamResponse:
        is_minimal = self.bodies[-1]["messages"] != HELLO
        if len(self.bodies) > self._healthy and not (is_minimal and self._accepts_minimal):
            return web.json_response({"error": {"message": "no longer served"}}, status=400)
        return await super()._reply(request)


async def rows_of(teacher: TeacherClient, rows: int) -> list[Completion | BaseException]:
    outcomes: list[Completion | BaseException] = []
    for _ in range(rows // 10):
        requests = [teacher.complete(HELLO) for _ in range(10)]
        outcomes += await asyncio.gather(*requests, return_exceptions=True)
    return outcomes


async def test_a_deployment_that_begins_to_reject_everything_is_left_out_and_costs_few_rows() -> (
    None
):
    turned = TurnedAway(20)
    async with deployments(turned, Script()) as teacher:
        outcomes = await rows_of(teacher, 100)
        assert "no longer served" in teacher.problems["TEACHER_ENDPOINTS.0"]
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert len(failures) < MAX_REJECTIONS
    assert len(turned.bodies) < 40


class ShortBudget(NoBudget):
    """A budget for which every request has to wait."""

    def try_reserve(self, most: Tokens) -> bool:
        return False


@pytest.mark.parametrize("budget", [NoBudget(), ShortBudget()], ids=["any", "short"])
async def test_the_only_deployment_that_begins_to_reject_everything_ends_the_run(
    budget: Budget,
) -> None:
    async with teacher_of(TurnedAway(20), budget=budget) as teacher:
        outcomes = await rows_of(teacher, 50)
    lost = [outcome for outcome in outcomes if isinstance(outcome, RowFailure)]
    down = [outcome for outcome in outcomes if isinstance(outcome, TeacherDown)]
    assert len(lost) < MAX_REJECTIONS
    assert len(lost) + len(down) == 30, "each row is asked again on resume"
    assert down[0].code == "teacher_400"
    assert "no longer served. Check the deployment at the app setting" in str(down[0])


async def test_rows_that_are_rejected_one_after_the_other_end_nothing_if_they_are_at_fault() -> (
    None
):
    server = TurnedAway(20, accepts_minimal=True)
    async with deployments(server) as teacher:
        outcomes = await rows_of(teacher, 50)
    assert [type(outcome) for outcome in outcomes[20:]] == [RowFailure] * 30
    assert len(server.bodies) <= 50 + 30 // MAX_REJECTIONS


class Identity:
    """An identity whose service gives no tokens at first."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    async def get_token(self, scope: str) -> AccessToken:
        if self.failures:
            self.failures -= 1
            raise ClientAuthenticationError(f"no identity\nfor {scope}")
        return AccessToken("token-of-the-identity", 0)

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("failures", [1, 100])
async def test_a_token_that_is_late_costs_an_attempt_and_one_that_never_comes_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    identity = Identity(failures)
    monkeypatch.setattr("shared.teacher.client._identity", lambda: identity)
    script = Script()
    async with serving(script.answer) as url:
        environ = {"DISTILLATION_STORAGE": "x", "TEACHER_MODEL": "m", "TEACHER_BASE_URL": url}
        spec = TeacherSpec(model="m", max_attempts=2)
        async with open_teacher(load(environ), spec, budget=NoBudget()) as teacher:
            if failures == 1:
                assert (await teacher.complete(HELLO)).requests == 2
                assert script.headers[0]["Authorization"] == "Bearer token-of-the-identity"
                return
            with pytest.raises(RowFailure, match="no identity for https://") as failure:
                await teacher.complete(HELLO)
    assert failure.value.reason == "connection"
    assert "Set the app setting TEACHER_API_KEY, or check the identity" in failure.value.detail
    assert script.bodies == []


async def test_a_deployment_that_recovers_is_asked_again() -> None:
    class Recovering(Script):
        async def _reply(self, request: web.Request) -> web.StreamResponse:
            if len(self.bodies) == 1:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            return web.json_response(completion())

    recovering = Recovering()
    working = Script()
    async with deployments(recovering, working) as teacher:
        await teacher.complete(HELLO)
        gate = next(iter(teacher._deployments))  # pyright: ignore[reportPrivateUsage]
        assert teacher.problems
        gate._closed_until = 0.0  # pyright: ignore[reportPrivateUsage]
        await ask(teacher, 20)
    assert len(recovering.bodies) > 2
