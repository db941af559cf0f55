"""The window: grows quickly while the teacher is at ease, shrinks when it fails, and is not fooled by failures of every load."""

from __future__ import annotations

import random
from collections.abc import Callable

from shared.teacher.window import START, Window


def round_trips(
    window: Window, count: int, latency: Callable[[int], float], failing: float = 0.0, fails_from: int = 0
) -> None:
    """Full windows of requests, one after the other, of which that share fails from one round trip on."""
    chance, now = random.Random(1), 0.0
    for number in range(count):
        places = window.places
        now += latency(places)
        for _ in range(places):
            if number >= fails_from and chance.random() < failing:
                window.failed(now)
            else:
                window.answered(now, latency(places), full=True)


def test_it_doubles_each_round_trip_up_to_the_ceiling() -> None:
    window = Window(ceiling=64)
    sizes = list[int]()
    round_trips(window, 5, lambda places: sizes.append(places) or 0.5 if places not in sizes else 0.5)
    assert sizes == [START, 16, 32, 64]


def test_it_stays_where_more_requests_only_make_the_teacher_slower() -> None:
    window = Window(ceiling=1024)
    round_trips(window, 40, lambda places: max(0.2, places / 100))  # a hundred a second are all it can do
    assert 20 <= window.places <= 150


def test_failures_that_begin_cut_it() -> None:
    window = Window(ceiling=64)
    round_trips(window, 14, lambda _: 0.5, failing=0.6, fails_from=10)
    assert window.places < 48


def test_failures_that_come_at_every_load_do_not_make_it_small_for_good() -> None:
    window = Window(ceiling=64)
    round_trips(window, 200, lambda _: 0.5, failing=0.2)
    assert window.places >= 32


def test_it_never_closes() -> None:
    window = Window(ceiling=64)
    round_trips(window, 300, lambda _: 0.5, failing=1.0)
    assert window.places >= 1
