"""The window: grows quickly while the teacher is at ease, shrinks when it fails, and is not fooled by failures of every load."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from shared.teacher.rate.concurrency_window import START, Window


def round_trips(
    window: Window,
    count: int,
    latency: Callable[[int], float],
    failing: float = 0.0,
    fails_from: int = 0,
    seed: int = 1,
) -> list[int]:
    """Full windows of requests, one after the other, of which that share fails from one round trip on. Returns their sizes."""
    chance, now = random.Random(seed), 0.0
    sizes: list[int] = []
    for number in range(count):
        places = window.places
        sizes.append(places)
        now += latency(places)
        for _ in range(places):
            if number >= fails_from and chance.random() < failing:
                window.failed(now)
            else:
                window.answered(now, latency(places), full=True)
    return sizes


def test_it_doubles_each_round_trip_up_to_the_ceiling() -> None:
    assert round_trips(Window(ceiling=100), 6, lambda _: 0.5) == [START, 16, 32, 64, 100, 100]


def test_it_does_not_grow_while_there_is_room() -> None:
    window = Window(ceiling=64)
    for number in range(100):
        window.answered(number / 10, 0.5, full=False)
    assert window.places == START


def test_it_stays_where_more_requests_only_make_the_teacher_slower() -> None:
    window = Window(ceiling=1024)
    round_trips(
        window, 40, lambda places: max(0.2, places / 100)
    )  # a hundred a second are all it can do
    assert 20 <= window.places <= 150


def test_failures_that_begin_cut_it() -> None:
    window = Window(ceiling=64)
    round_trips(window, 14, lambda _: 0.5, failing=0.6, fails_from=10)
    assert window.places < 48


@pytest.mark.parametrize("seed", range(5))
def test_failures_that_come_at_every_load_do_not_make_it_small_for_good(seed: int) -> None:
    sizes = round_trips(Window(ceiling=64), 400, lambda _: 0.5, failing=0.2, seed=seed)
    assert min(sizes[200:]) >= 64 / 4


@pytest.mark.parametrize("ceiling", [1, 64])
def test_it_never_closes(ceiling: int) -> None:
    window = Window(ceiling)
    assert min(round_trips(window, 300, lambda _: 0.5, failing=1.0)) >= 1
    for moment in range(
        1000
    ):  # failures alone, of which there may be fewer than a round trip has places
        window.failed(200.0 + moment)
        assert window.places >= 1
