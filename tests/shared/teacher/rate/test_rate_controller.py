"""The controller: a quota is used whole, hardly any request is refused, whoever else uses it."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache

import pytest

from shared.teacher.rate.rate_controller import RateController
from tests.support.quota_simulation import Teacher, Traffic

QUOTAS = {
    "requests": (Teacher(rpm=3000), 5000, 64),
    "requests, with room for many in flight": (Teacher(rpm=3000), 5000, 256),
    "many requests": (Teacher(rpm=6000), 10_000, 256),
    "few requests": (Teacher(rpm=300), 600, 64),
    "latency longer than a period": (Teacher(rpm=1200, latency=(2.0, 3.0)), 2000, 64),
    "tokens": (Teacher(tpm=40 * 60 * 1100), 6000, 64),
}
LARGE = ("many requests", "requests, with room for many in flight")


def refuse(controller: RateController, now: float, number: int, retry_after: float) -> None:
    """Refuse a request so often that only a quota can be the reason."""
    while controller.record_refusal(now, number, retry_after):
        pass


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("tells_limits", [True, False])
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in QUOTAS],
)
def test_a_quota_is_used_whole_with_few_refusals_also_when_others_use_it(
    name: str, tells_limits: bool, workers: int
) -> None:
    teacher, rows, ceiling = QUOTAS[name]
    traffic = Traffic(replace(teacher, tells_limits=tells_limits), workers, rows, ceiling).run()
    assert len(traffic.accepted) == rows
    assert traffic.now <= 1.1 * traffic.bound_seconds
    # each of three that are told nothing of the quota tries whether refusals are stray
    assert traffic.refused_share <= (0.02 if tells_limits or workers == 1 else 0.025)


@pytest.mark.parametrize("burst", [None, 20.0], ids=["fixed periods", "token bucket"])
def test_a_teacher_of_two_seconds_is_asked_10_000_times_a_minute_with_nothing_set(
    burst: float | None,
) -> None:
    teacher = Teacher(rpm=10_000, burst=burst, latency=(2.0, 2.0))
    traffic = Traffic(teacher, 1, 12_000, ceiling=2000, seconds=60).run()
    # 8 requests double each round trip until 333 are in flight: 11 s, and the rate is found in 9
    accepted = sum(moment >= 20 for moment in traffic.accepted)
    refused = sum(moment >= 20 for moment in traffic.refused)
    assert accepted >= 0.95 * 40 * 10_000 / 60
    assert refused <= 0.02 * accepted


@pytest.mark.parametrize("workers", [1, 3])
def test_waits_told_in_whole_seconds_cost_little(workers: int) -> None:
    traffic = Traffic(Teacher(rpm=3000, whole_seconds=True), workers, 5000).run()
    assert traffic.now <= 1.25 * traffic.bound_seconds
    assert traffic.refused_share <= 0.02


def test_refusals_that_do_not_depend_on_the_rate_do_not_lower_it() -> None:
    traffic = Traffic(Teacher(latency=(0.05, 0.05), stray=0.2), 1, 20_000).run()
    assert len(traffic.accepted) == 20_000
    assert traffic.now <= 2 * 20_000 / (64 / 0.05)


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 6))]
)
@pytest.mark.parametrize("stray", [0.02, 0.05, 0.2])
def test_stray_refusals_are_recognised_also_while_other_requests_hang(
    stray: float, seed: int
) -> None:
    teacher = Teacher(latency=(0.05, 0.05), stray=stray, silent=0.05, silence=2.0)
    traffic = Traffic(teacher, 1, 2000, seed=seed).run()
    assert len(traffic.accepted) == 2000
    assert (
        traffic.now <= 4 * 2000 * (0.05 + 0.05 * 2.0) / 64
    )  # half of that is what the window's growth takes


def test_requests_that_bring_no_reply_do_not_hide_that_refusals_are_stray() -> None:
    traffic = Traffic(Teacher(latency=(0.05, 0.05), stray=0.2, silent=0.05), 1, 20_000).run()
    assert len(traffic.accepted) == 20_000
    assert traffic.now <= 3 * 20_000 / (64 / 0.05)


def test_after_a_pause_requests_follow_each_other_at_the_rate_that_was_found() -> None:
    controller = RateController(random.Random(1))
    number = 0
    for moment in range(30):
        number = controller.start_request(moment / 10)
    refuse(controller, 3.0, number, retry_after=1.0)
    begin = 3.0 + controller.delay(3.0)
    controller.start_request(begin)
    assert controller.delay(begin) == pytest.approx(1 / controller.rate, rel=0.01)


def test_a_refusal_when_nothing_was_admitted_is_followed_by_one_request_after_the_wait() -> None:
    controller = RateController()
    for moment in (0.0, 1.5, 3.0):
        number = controller.start_request(moment)
        refuse(controller, moment, number, retry_after=0.5)
        assert 0.5 <= controller.delay(moment) <= 1.0


def test_the_wait_that_a_teacher_asks_for_is_kept_to_exactly_and_jitter_only_lengthens_it() -> None:
    controller = RateController(random.Random(1))
    refuse(controller, 0.0, controller.start_request(0.0), retry_after=0.5)
    assert controller.delay(0.0) == pytest.approx(
        0.5
    )  # nothing is known of the rate yet, so there is nothing to jitter by
    number = controller.start_request(0.5)
    waits: list[float] = []
    for seed in range(50):
        other = replace(controller, jitter=random.Random(seed))
        refuse(other, 0.6, number, retry_after=0.5)
        waits.append(other.delay(0.6))
    assert 0.5 <= min(waits) < max(waits) <= 1.0


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("tells_limits", [True, False])
def test_a_quota_that_is_doubled_is_found_within_a_minute(tells_limits: bool, workers: int) -> None:
    teacher = Teacher(rpm=1200, doubles_at=60.0, tells_limits=tells_limits)
    traffic = Traffic(teacher, workers, 6000, ceiling=256).run()
    before = sum(30 <= moment < 60 for moment in traffic.accepted) / 30
    after = sum(120 <= moment < 150 for moment in traffic.accepted) / 30
    assert before >= 0.9 * 20
    assert after >= 0.9 * 40
    assert traffic.refused_share <= 0.025


def test_a_used_up_limit_holds_requests_back_until_it_is_whole_again() -> None:
    controller = RateController()
    number = controller.start_request(10.0)
    controller.record_quota("tokens", number, remaining=0, sent=10.0, reset=20.0)
    assert controller.delay(12.0) == pytest.approx(18.0)
    assert controller.delay(30.1) == 0


def test_what_was_started_since_counts_against_what_was_left() -> None:
    controller = RateController()
    number = controller.start_request(10.0)
    controller.record_quota("requests", number, remaining=2, sent=10.0, reset=20.0)
    assert controller.delay(11.0) == 0
    controller.start_request(11.0)
    controller.start_request(11.0)
    assert controller.delay(11.0) == pytest.approx(19.0)


def test_a_late_reply_does_not_undo_what_a_newer_request_was_told() -> None:
    controller = RateController()
    first, second = controller.start_request(10.0), controller.start_request(10.1)
    controller.record_quota("requests", second, remaining=0, sent=10.1, reset=9.9)
    controller.record_quota("requests", first, remaining=5, sent=10.0, reset=10.0)
    assert controller.delay(11.0) == pytest.approx(9.0)


BUCKETS = {
    "many requests": (Teacher(rpm=3000, burst=50), 5000),
    "small bursts": (Teacher(rpm=3000, burst=5), 5000),
    "few requests": (Teacher(rpm=300, burst=5), 1200),
}


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("name", BUCKETS)
def test_a_quota_that_refills_continuously_is_used_whole(name: str, workers: int) -> None:
    teacher, rows = BUCKETS[name]
    traffic = Traffic(replace(teacher, tells_limits=False), workers, rows).run()
    assert traffic.now <= 1.05 * traffic.bound_seconds
    assert traffic.refused_share <= 0.025


@pytest.mark.parametrize("wait", [(1.0, 1.0), None], ids=["Retry-After: 1", "no Retry-After"])
@pytest.mark.parametrize(
    "refusal_latency",
    [
        0.0,
        pytest.param(0.05, marks=pytest.mark.slow),
        pytest.param(0.5, marks=pytest.mark.slow),
        2.0,
    ],
)
@pytest.mark.parametrize(("stray", "least"), [(0.005, 0.7), (0.02, 0.7), (0.1, 0.5), (0.2, 0.5)])
def test_stray_refusals_cost_little_also_when_they_come_late(
    stray: float, least: float, refusal_latency: float, wait: tuple[float, float] | None
) -> None:
    """Late: about as late as answers, as they hold a place for as long."""
    latency = max(0.15, refusal_latency)
    free = Teacher(latency=(latency, 1.3 * latency))
    teacher = replace(free, stray=stray, stray_wait=wait, stray_latency=refusal_latency)
    assert speed(teacher) >= least * speed(free)


@pytest.mark.parametrize("tells_limits", [True, False])
@pytest.mark.parametrize("stray", [0.005, 0.02])
@pytest.mark.parametrize(("rpm", "rows"), [(300, 1200), (3000, 5000)])
def test_a_quota_with_stray_refusals_is_kept_to_and_used(
    rpm: int, rows: int, stray: float, *, tells_limits: bool
) -> None:
    teacher = Teacher(rpm=rpm, stray=stray, tells_limits=tells_limits)
    traffic = Traffic(teacher, 1, rows).run()
    assert len(traffic.accepted) == rows
    assert traffic.now <= 1.2 * traffic.bound_seconds
    assert traffic.refused_share <= stray + 0.025


@pytest.mark.parametrize(("share", "seed"), [(0.2, 2), (0.3, 2), (0.3, 6)])
def test_a_rate_that_strays_have_reduced_in_vain_is_resumed(share: float, seed: int) -> None:
    teacher = Teacher(latency=(0.05, 0.07), stray=share, stray_wait=(1.0, 1.0), stray_latency=0.05)
    traffic = Traffic(teacher, 1, 8000, seed=seed).run()
    assert len(traffic.accepted) == 8000
    assert traffic.now < 300, "without strays it takes 8 s, and it never ended"


@pytest.mark.parametrize("share", [0.5, 0.7, 0.95])
def test_a_teacher_that_refuses_most_requests_is_asked_on(share: float) -> None:
    teacher = Teacher(latency=(0.05, 0.07), stray=share, stray_wait=(0.02, 0.12))
    traffic = Traffic(teacher, 1, 200, seed=1).run()
    assert len(traffic.accepted) > 0
    assert len(traffic.refused) > len(traffic.accepted) / 2


@pytest.mark.parametrize("workers", [1, 3])
def test_a_used_up_period_without_a_told_wait_does_not_lower_the_rate_at_every_try(
    workers: int,
) -> None:
    teacher = Teacher(rpm=300, tells_limits=False, tells_wait=False)
    traffic = Traffic(teacher, workers, 1200).run()
    assert traffic.now <= 1.3 * traffic.bound_seconds


def test_a_refusal_while_there_is_plenty_left_is_no_quota() -> None:
    controller = RateController()
    refuse(controller, 0.0, controller.start_request(0.0), retry_after=0.1)
    number = controller.start_request(20.0)
    controller.record_quota("requests", number, remaining=900, sent=20.0, reset=60.0)
    assert controller.record_refusal(20.1, number, retry_after=1.0)
    number = controller.start_request(20.2)
    controller.record_quota("requests", number, remaining=0, sent=20.2, reset=60.0)
    assert not controller.record_refusal(20.3, number, retry_after=1.0)


@cache
def speed(teacher: Teacher) -> float:
    """Return the requests a second that are admitted from the tenth second on."""
    traffic = Traffic(teacher, 1, 20_000, ceiling=32, seconds=40).run()
    return sum(moment >= 10 for moment in traffic.accepted) / 30
