"""The window grows quickly while the teacher keeps up, and shrinks when it fails.

Failures that occur at every load do not shrink it for good.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from shared.teacher.rate.concurrency_window import START, ConcurrencyWindow
from tests.support.quota_simulation import Teacher, Traffic


def round_trips(
    window: ConcurrencyWindow,
    count: int,
    latency: Callable[[int], float],
    failing: float = 0.0,
    fails_from: int = 0,
    seed: int = 1,
) -> list[int]:
    """Send full windows of requests, one after the other, and return their sizes.

    From round trip `fails_from` on, the share `failing` of the requests fails.
    """
    chance = random.Random(seed)
    now = 0.0
    sizes: list[int] = []
    for number in range(count):
        places = window.places
        sizes.append(places)
        now += latency(places)
        for _ in range(places):
            if number >= fails_from and chance.random() < failing:
                window.record_failure(now)
            else:
                window.record_answer(now, latency(places), is_full=True)
    return sizes


def test_it_doubles_each_round_trip_up_to_the_ceiling() -> None:
    sizes = round_trips(ConcurrencyWindow(ceiling=100), 6, lambda _: 0.5)
    assert sizes == [START, 16, 32, 64, 100, 100]


def test_it_does_not_grow_while_there_is_room() -> None:
    window = ConcurrencyWindow(ceiling=64)
    for number in range(100):
        window.record_answer(number / 10, 0.5, is_full=False)
    assert window.places == START


def test_it_stays_where_more_requests_only_make_the_teacher_slower() -> None:
    window = ConcurrencyWindow(ceiling=1024)
    round_trips(
        window, 40, lambda places: max(0.2, places / 100)
    )  # a hundred a second are all it can do
    assert 20 <= window.places <= 150


@pytest.mark.parametrize(("at_rest", "grows"), [(2.0, False), (4.5, True)])
def test_it_stays_where_more_requests_would_time_out(at_rest: float, grows: bool) -> None:
    # the longest answers that came in time hide that others took longer
    window = ConcurrencyWindow(ceiling=1024)
    for number in range(START):
        window.record_answer(number, at_rest, is_full=True, timeout=5)
    before = window.places
    window.record_answer(100, 4.6, is_full=True, timeout=5)
    assert (window.places > before) == grows


@pytest.mark.parametrize(
    ("slots", "latency", "most"),
    [(1, (1.0, 3.0), 24), (4, (1.5, 2.5), 32), (16, (1.0, 9.0), 64)],
)
def test_a_small_server_is_never_flooded_and_never_idle(
    slots: int, latency: tuple[float, float], most: int
) -> None:
    teacher = Teacher(slots=slots, latency=latency)
    traffic = Traffic(teacher, workers=1, count=10_000, ceiling=2000, seconds=1800).run()
    assert traffic.most_in_flight <= most
    answered = slots * 1800 / (sum(latency) / 2)
    assert len(traffic.accepted) >= 0.95 * answered


def test_it_grows_again_when_rows_have_become_longer() -> None:
    teacher = Teacher(rpm=600, latency=(1, 3), longer_from=(30, 4.0))
    traffic = Traffic(teacher, workers=1, count=10_000, ceiling=2000, seconds=300).run()
    recently = sum(moment >= 240 for moment in traffic.accepted)
    assert recently >= 0.95 * 60 * 10


def test_failures_that_begin_cut_it() -> None:
    window = ConcurrencyWindow(ceiling=64)
    round_trips(window, 14, lambda _: 0.5, failing=0.6, fails_from=10)
    assert window.places < 48


@pytest.mark.parametrize("seed", range(5))
def test_failures_that_come_at_every_load_do_not_make_it_small_for_good(seed: int) -> None:
    sizes = round_trips(ConcurrencyWindow(ceiling=64), 400, lambda _: 0.5, failing=0.2, seed=seed)
    assert min(sizes[200:]) >= 64 / 4


@pytest.mark.parametrize("ceiling", [1, 64])
def test_it_never_closes(ceiling: int) -> None:
    window = ConcurrencyWindow(ceiling)
    assert min(round_trips(window, 300, lambda _: 0.5, failing=1.0)) >= 1
    for moment in range(
        1000
    ):  # failures alone, of which there may be fewer than a round trip has places
        window.record_failure(200.0 + moment)
        assert window.places >= 1
