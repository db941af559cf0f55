"""Requests and tokens a minute: counted as Azure documents it, told in headers, and over when they
say so.
"""

from __future__ import annotations

import openai
import pytest

from local.emulators.openai_errors import ApiError
from local.emulators.teacher import TeacherOptions, serve
from local.emulators.teacher.limits import ANSWER_TOKENS_ASSUMED, RateLimits
from local.emulators.teacher.tokens import count_prompt
from tests.support.teacher import ask, body, http, post, sdk, user


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def admitted(limits: RateLimits, tokens: int = 1) -> bool:
    try:
        limits.admit(tokens)
    except ApiError as error:
        assert error.status == 429
        return False
    return True


def test_requests_are_shared_out_over_ten_seconds() -> None:
    clock = Clock()
    limits = RateLimits(60, None, clock)
    assert [admitted(limits) for _ in range(11)] == [True] * 10 + [False]
    clock.now += 9.9
    assert not admitted(limits)
    clock.now += 0.1
    assert admitted(limits)


@pytest.mark.parametrize("rpm", [1, 5, 7, 60, 100, 600, 999])
def test_a_whole_minute_admits_exactly_the_limit(rpm: int) -> None:
    clock = Clock()
    limits = RateLimits(rpm, None, clock)
    served = 0
    for _ in range(60):
        while admitted(limits):
            served += 1
        clock.now += 1
    assert served == rpm


def test_a_refused_request_may_come_back_when_retry_after_has_passed() -> None:
    clock = Clock()
    limits = RateLimits(2, None, clock)
    refusals = 0
    for _ in range(4):
        try:
            limits.admit(1)
        except ApiError as error:
            refusals += 1
            clock.now += int(error.headers["retry-after-ms"]) / 1000
            assert admitted(limits)
    assert refusals >= 2


def test_tokens_are_refused_from_the_limit_on_until_the_minute_is_over() -> None:
    clock = Clock()
    limits = RateLimits(None, 1000, clock)
    assert [admitted(limits, 400) for _ in range(4)] == [True, True, True, False]
    clock.now += 59
    with pytest.raises(ApiError) as refused:
        limits.admit(1)
    assert refused.value.headers["retry-after"] == "1"
    assert refused.value.headers["x-ratelimit-remaining-tokens"] == "0"
    clock.now += 1
    assert admitted(limits, 400)


async def test_headers_count_down_and_a_refusal_is_a_rate_limit_error() -> None:
    clock = Clock()
    async with serve(TeacherOptions(rpm=18), clock=clock) as teacher, http(teacher) as session:
        remaining = [(await post(session, body(str(number))))[2] for number in range(3)]
        assert [headers["x-ratelimit-remaining-requests"] for headers in remaining] == [
            "2",
            "1",
            "0",
        ]
        assert remaining[0]["x-ratelimit-limit-requests"] == "18"
        assert remaining[0]["x-ratelimit-reset-requests"] == "10"
        async with sdk(teacher) as client:
            with pytest.raises(openai.RateLimitError) as refused:
                await ask(client, user("one more"))
            assert refused.value.response.headers["retry-after"] == "10"
            assert refused.value.response.headers["retry-after-ms"] == "10000"
            clock.now += 10
            assert await ask(client, user("one more"))


async def test_tokens_are_charged_on_arrival_by_prompt_and_limit() -> None:
    prompt = count_prompt(["Hello"])
    async with (
        serve(TeacherOptions(tpm=10_000), clock=Clock()) as teacher,
        http(teacher) as session,
    ):
        _, _, first = await post(session, body("Hello", max_tokens=100))
        _, _, second = await post(session, body("Hello"))
    assert first["x-ratelimit-limit-tokens"] == "10000"
    assert int(first["x-ratelimit-remaining-tokens"]) == 10_000 - prompt - 100
    spent = prompt + ANSWER_TOKENS_ASSUMED
    assert (
        int(second["x-ratelimit-remaining-tokens"])
        == int(first["x-ratelimit-remaining-tokens"]) - spent
    )


async def test_without_limits_there_are_no_limit_headers() -> None:
    async with serve() as teacher, http(teacher) as session:
        _, _, headers = await post(session, body())
    assert not [name for name in headers if name.startswith("x-ratelimit")]


async def test_the_log_tells_when_a_request_arrived_and_what_it_was_charged() -> None:
    clock = Clock()
    async with serve(TeacherOptions(rpm=6), clock=clock) as teacher, http(teacher) as session:
        clock.now += 3
        for _ in range(2):
            await post(session, body("Hello", max_tokens=100))
        entries = [(record.arrived, record.charged, record.status) for record in teacher.records]
    assert entries == [(3, count_prompt(["Hello"]) + 100, 200), (3, 0, 429)]
