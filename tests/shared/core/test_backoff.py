"""How often a waiting run looks: soon at first, and seldom enough for a history that stays
small.
"""

from __future__ import annotations

from shared.core.backoff import (
    FIRST_LOOK_SECONDS,
    FIRST_RETRY_SECONDS,
    MAX_POLL_SECONDS,
    MAX_RETRY_SECONDS,
    MAX_SHARD_ATTEMPTS,
    poll_interval,
    progress_interval,
    retry_interval,
)

DAY = 24 * 3600.0


def test_ten_days_of_progress_are_under_two_hundred_looks() -> None:
    elapsed, looks = 0.0, 0
    while elapsed < 10 * DAY:
        elapsed += progress_interval(elapsed)
        looks += 1
    assert 100 < looks < 200


def test_progress_is_looked_at_every_moment_at_first() -> None:
    assert [progress_interval(elapsed) for elapsed in (0, 5, 20)] == [FIRST_LOOK_SECONDS] * 3


def test_polls_grow_apart_up_to_a_limit_however_many_there_were() -> None:
    pauses = [poll_interval(polls) for polls in range(5000)]
    assert pauses == sorted(pauses)
    assert (pauses[0] < 5, pauses[-1]) == (True, MAX_POLL_SECONDS)


def test_retries_of_a_shard_wait_ever_longer_and_last_out_a_restart_of_the_service() -> None:
    pauses = [retry_interval(attempt) for attempt in range(1, MAX_SHARD_ATTEMPTS)]
    assert pauses == sorted(pauses)
    assert (pauses[0], max(pauses)) == (FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS)
    assert sum(pauses) > 120
