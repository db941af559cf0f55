"""When the teacher is asked again."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.teacher.retry import (
    MAX_BACKOFF_SECONDS,
    MAX_RETRY_AFTER_SECONDS,
    RateLimit,
    backoff,
    is_retried,
    rate_limits,
    retry_after,
    throttle_seconds,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=12), usegmt=True)}, 12),
        ({"retry-after": format_datetime(NOW - timedelta(seconds=12), usegmt=True)}, 0),
        ({"retry-after": "99999"}, MAX_RETRY_AFTER_SECONDS),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_honoured_in_each_of_its_forms(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("status", "retried"),
    [(400, False), (404, False), (408, True), (409, True), (429, True), (500, True), (529, True)],
)
def test_only_what_may_pass_is_retried(status: int, retried: bool) -> None:
    assert is_retried(status) is retried


@given(failures=st.integers(1, 1000), seed=st.integers())
def test_the_wait_is_jittered_and_bounded(failures: int, seed: int) -> None:
    assert 0 <= backoff(failures, random.Random(seed)) <= MAX_BACKOFF_SECONDS


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("55", 55), ("0.5", 0.5), ("6ms", 0.006), ("1m2.5s", 62.5), ("1h0m1s", 3601), ("soon", None)],
)
def test_times_until_a_limit_is_whole_are_read_in_every_spelling(
    text: str, seconds: float | None
) -> None:
    told = rate_limits({"x-ratelimit-remaining-tokens": "7", "x-ratelimit-reset-tokens": text})[
        "tokens"
    ]
    assert told.remaining == 7
    assert told.reset == (None if seconds is None else pytest.approx(seconds))


def test_a_limit_of_minus_one_is_none() -> None:
    assert rate_limits({"x-ratelimit-remaining-tokens": "-1"}) == {}
    unlimited = {"x-ratelimit-remaining-tokens": "-1", "x-ratelimit-reset-tokens": "55"}
    assert rate_limits(unlimited)["tokens"].remaining == -1
    assert throttle_seconds(unlimited) is None


def test_a_refusal_without_retry_after_waits_for_the_limit_that_is_used_up() -> None:
    assert rate_limits({"x-rate-limit-reset-tokens": "55"}) == {"tokens": RateLimit(None, 55)}
    assert (
        throttle_seconds(
            {"x-rate-limit-reset-tokens": "55", "x-ratelimit-remaining-requests": "12"}
        )
        == 55
    )
    assert throttle_seconds({"x-rate-limit-reset-tokens": "55", "retry-after": "3"}) == 3
    assert throttle_seconds({"x-ratelimit-remaining-requests": "0"}) is None


def test_a_refusal_waits_for_the_last_of_the_limits_that_are_used_up() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "6ms",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "1m2.5s",
    }
    assert throttle_seconds(headers) == pytest.approx(62.5)
    assert throttle_seconds(headers | {"x-ratelimit-remaining-tokens": "9"}) == pytest.approx(0.006)
    assert throttle_seconds(headers | {"x-ratelimit-reset-tokens": "9h"}) == MAX_RETRY_AFTER_SECONDS
    assert throttle_seconds(headers | {"retry-after-ms": "20"}) == 0.02
    assert throttle_seconds({}) is None
