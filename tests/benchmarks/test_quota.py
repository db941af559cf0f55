"""The quota's benchmark: a log from which every share can be worked out by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from benchmarks.quota import SCENARIOS, Quota, analysed, broken, summary
from local.emulators.openai_errors import ApiError
from local.emulators.teacher.limits import RateLimits

EVERY_SECOND = Quota("requests", 600, 1)  # 10 a second
EVERY_TEN_SECONDS = Quota("requests", 60, 10)  # 10 in ten seconds
EVERY_MINUTE = Quota("tokens", 6000, 60)
KEPT: dict[str, Any] = {
    "who": "ours",
    "scenario": "600 requests a minute",
    "workers": 3,
    "rows": 100,
    "delivered": 100,
    "failure": "",
    "used": 0.95,
    "refused": 0.02,
    "time_by_bound": 1.1,
    "ramp": 12,
    "peak_mb": 101.4,
    "asked_twice": 0,
    "other_errors": 0,
}


def admitted(moments: Iterable[float], charged: int = 100) -> list[dict[str, Any]]:
    """A record for each arrival, answered half a second later, on a clock that was 1,000 when the
    teacher started.
    """
    return [
        {
            "time": 1000.5 + at,
            "arrived": at,
            "charged": charged,
            "status": 200,
            "request": f"asked at {at}",
        }
        for at in moments
    ]


def refused(moments: Iterable[float]) -> list[dict[str, Any]]:
    return [
        {
            "time": 1000.0 + at,
            "arrived": at,
            "charged": 0,
            "status": 429,
            "request": f"refused at {at}",
        }
        for at in moments
    ]


def evenly(rate: float, begin: float, end: float) -> list[float]:
    return [begin + number / rate for number in range(round((end - begin) * rate))]


@pytest.mark.parametrize("rate", [10.0, 9.0, 5.0])
def test_the_used_share_is_what_was_admitted_by_what_the_quota_allows(rate: float) -> None:
    assert analysed(admitted(evenly(rate, 0, 60)), EVERY_SECOND, 61)["used"] == pytest.approx(
        rate / 10
    )


def test_what_was_admitted_before_the_tenth_second_does_not_count() -> None:
    slow_start = admitted([0.0, *evenly(10, 10, 60)])
    assert analysed(slow_start, EVERY_SECOND, 61)["used"] == pytest.approx(1)


def test_the_tenth_second_is_counted_from_the_first_request_and_not_from_the_teachers_start() -> (
    None
):
    late = admitted([30.0, *evenly(5, 32, 40), *evenly(10, 40, 90)])
    assert analysed(late, EVERY_SECOND, 61)["used"] == pytest.approx(1)


def test_what_was_admitted_after_a_worker_had_no_row_left_does_not_count() -> None:
    two_of_three_left = admitted([*evenly(10, 0, 40), *evenly(5, 40, 60)])
    assert analysed(two_of_three_left, EVERY_SECOND, 41)["used"] == pytest.approx(1)


def test_a_period_in_which_the_rows_ended_does_not_count() -> None:
    ended_in_the_last_period = admitted(evenly(1, 0, 43))
    assert analysed(ended_in_the_last_period, EVERY_TEN_SECONDS, 45)["used"] == pytest.approx(1)


def test_a_period_that_was_used_up_before_the_tenth_second_has_nothing_left_to_use() -> None:
    at_once = admitted([*evenly(10, 0, 6), *evenly(2, 60, 90), *evenly(2, 120, 150), 180.0])
    assert analysed(at_once, EVERY_MINUTE, 181)["used"] == pytest.approx(1)


def test_what_a_period_still_allowed_in_the_tenth_second_is_to_be_used() -> None:
    half_used = admitted([*evenly(3, 0, 10), *evenly(2, 60, 90), 120.0])
    assert analysed(half_used, EVERY_MINUTE, 121)["used"] == pytest.approx(60 / (30 + 60))


def test_the_ramp_ends_when_the_quota_is_used_for_five_seconds() -> None:
    slow_start = admitted([*evenly(4, 0, 7), *evenly(9.6, 7, 60)])
    assert analysed(slow_start, EVERY_SECOND, 61)["ramp"] == 7
    assert analysed(admitted(evenly(9, 0, 60)), EVERY_SECOND, 61)["ramp"] is None


def test_tokens_count_as_they_were_charged() -> None:
    large_and_small = [
        *admitted(evenly(1, 0, 60), 25),
        *admitted(evenly(1, 60, 120), 75),
        *admitted([120.0]),
    ]
    allowed = 2 * 6000 - 10 * 25  # the first ten are admitted before
    assert analysed(large_and_small, EVERY_MINUTE, 121)["used"] == pytest.approx(
        (50 * 25 + 60 * 75) / allowed
    )


def test_refusals_are_counted_by_accepted_requests_from_the_tenth_second_on() -> None:
    requests = [
        *admitted(evenly(10, 0, 60)),
        *refused(evenly(10, 0, 10)),
        *refused(evenly(1, 10, 35)),
    ]
    assert analysed(requests, EVERY_SECOND, 61)["refused"] == pytest.approx(25 / 500)


def test_moments_are_those_of_arrival_and_not_of_the_answer() -> None:
    long_answers = [
        record | {"time": record["time"] + 30} for record in admitted(evenly(10, 0, 60))
    ]
    found = analysed([*long_answers, *refused([5.0])], EVERY_SECOND, 61)
    assert (found["used"], found["refused"]) == (pytest.approx(1), 0)


def test_the_time_ends_with_the_last_answer() -> None:
    requests = [*admitted(evenly(10, 0, 60)), *refused([5.0])]
    requests[-2]["time"] = 1072.0
    assert analysed(requests, EVERY_SECOND, 61)["time_by_bound"] == pytest.approx(72 / 59)


@pytest.mark.parametrize(
    ("quota", "rows", "begin", "bound"),
    [
        (EVERY_SECOND, 600, 0.0, 59),
        (EVERY_SECOND, 601, 0.0, 60),
        (EVERY_TEN_SECONDS, 31, 2.0, 28),
        (EVERY_MINUTE, 121, 5.0, 55),  # the last request of each minute may take of the next one
        (EVERY_MINUTE, 122, 5.0, 115),
        (EVERY_MINUTE, 184, 65.0, 175),
    ],
)
def test_the_bound_is_when_the_periods_before_are_used_up(
    quota: Quota, rows: int, begin: float, bound: float
) -> None:
    requests = [*admitted([begin] * rows), *refused([begin])]
    requests[0]["time"] = 1000 + begin + 2 * bound
    assert analysed(requests, quota, 100)["time_by_bound"] == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize("name", SCENARIOS)
def test_nobody_is_faster_than_the_bound_at_the_local_teacher(name: str) -> None:
    """Asked all the time, it admits the scenario's rows in just the bound's time: periods and
    shares are the teacher's own.
    """
    quota, rows = SCENARIOS[name].quota, SCENARIOS[name].rows
    now, step = 0.0, 0.02
    limits = RateLimits(
        *((None, quota.minute) if quota.unit == "tokens" else (quota.minute, None)), lambda: now
    )
    moments: list[float] = []
    now = 2.0
    while len(moments) < rows:
        try:
            limits.admit(340)
            moments.append(now)
        except ApiError:
            now += step
    requests = [record | {"time": 1000 + record["arrived"]} for record in admitted(moments, 340)]
    found = analysed(requests, quota, 1000)
    assert 1 <= found["time_by_bound"] <= 1.01
    assert found["used"] == pytest.approx(1, abs=0.002)


def test_a_request_that_is_admitted_again_was_asked_twice() -> None:
    requests = [*admitted(evenly(10, 0, 60)), *admitted([7.0]), *refused([8.0, 8.0])]
    assert analysed(requests, EVERY_SECOND, 61)["asked_twice"] == 1


@pytest.mark.parametrize("requests", [[], refused([0.0, 0.1]), admitted(evenly(10, 0, 5))])
def test_a_run_that_is_too_short_to_tell_has_no_shares(requests: list[dict[str, Any]]) -> None:
    found = analysed(requests, EVERY_MINUTE, 5)
    assert (found["used"], found["refused"], found["time_by_bound"]) == (None, None, None)


def test_a_run_just_within_the_bounds_is_not_broken() -> None:
    assert broken(KEPT) == []


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"delivered": 99}, "99 of 100 rows"),
        ({"delivered": 101}, "101 of 100 rows"),
        ({"asked_twice": 1}, "1 requests"),
        ({"used": 0.949}, "94.9%"),
        ({"used": None}, "unknown of the quota"),
        ({"refused": 0.0201}, "2.01%"),
        ({"refused": None}, "unknown refused"),
        ({"time_by_bound": 1.101}, "1.101 times"),
        ({"time_by_bound": None}, "unknown times"),
        ({"failure": "killed after 500 s"}, "killed"),
    ],
)
def test_each_promise_that_is_not_kept_is_told(changed: dict[str, Any], word: str) -> None:
    (problem,) = broken(KEPT | changed)
    assert word in problem
    assert problem.startswith("600 requests a minute, 3 workers: ")


def test_peers_have_promised_nothing() -> None:
    assert broken(KEPT | {"who": "curator", "delivered": 1, "used": None, "refused": 3.0}) == []


def test_the_table_shows_who_lost_what() -> None:
    gave_up = KEPT | {
        "who": "curator",
        "delivered": 40,
        "refused": 3.0,
        "used": None,
        "ramp": None,
        "peak_mb": None,
        "failure": "not done within 240 s",
    }
    _, _, ours, peer = summary([KEPT, gave_up]).splitlines()
    quota = "| 600 requests a minute "
    assert ours == quota + "| ours | 3 | 100 | 95.0% | 2.00% | 1.100 | 12 | 101 | 0 | 0 | done |"
    expected = "| curator | 3 | 100 | unknown | 300.00% | 1.100 | unknown | unknown "
    assert peer == quota + expected + "| 60 | 0 | not done within 240 s |"


def test_requests_that_failed_for_another_reason_than_the_quota_are_shown() -> None:
    """Or a peer whose requests the teacher takes for malformed would look like one that the quota
    defeats.
    """
    malformed = [record | {"status": 400} for record in refused([1.0, 2.0])]
    found = analysed([*admitted(evenly(10, 0, 60)), *refused([3.0]), *malformed], EVERY_SECOND, 61)
    assert found["refused"] == 0
    assert summary([KEPT | found]).endswith("| done, 2 requests failed otherwise |")
