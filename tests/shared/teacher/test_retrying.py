"""When the teacher is asked again."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.teacher.retrying import MAX_BACKOFF_SECONDS, MAX_RETRY_AFTER_SECONDS, backoff, is_retried, retry_after

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
def test_retry_after_is_honoured_in_each_of_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("status", "retried"), [(400, False), (404, False), (408, True), (409, True), (429, True), (500, True), (529, True)]
)
def test_only_what_may_pass_is_retried(status: int, retried: bool) -> None:
    assert is_retried(status) is retried


@given(failures=st.integers(1, 1000), seed=st.integers())
def test_the_wait_is_jittered_and_bounded(failures: int, seed: int) -> None:
    assert 0 <= backoff(failures, random.Random(seed)) <= MAX_BACKOFF_SECONDS
