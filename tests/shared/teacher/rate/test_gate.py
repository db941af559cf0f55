"""A gate keeps requests from a deployment that doesn't work, and lets one try it again."""

from __future__ import annotations

import pytest

from shared.teacher.rate.gate import MAX_CLOSED_SECONDS, MAX_FAILURES, Gate


def closed(seconds: float = 60.0) -> Gate:
    gate = Gate()
    gate.close(0.0, gate.start_request(0.0), seconds, "wrong key")
    return gate


def test_a_closed_gate_opens_after_its_time_for_one_request() -> None:
    gate = closed()
    gate.end_request(1)
    assert (gate.is_open(59.0), gate.delay(59.0)) == (False, 1.0)
    assert (gate.is_open(60.0), gate.delay(60.0)) == (True, 0.0)
    gate.start_request(60.0)
    assert gate.is_full


def test_an_answer_after_the_closing_opens_it_for_all() -> None:
    gate = closed()
    gate.end_request(1)
    gate.record_answer(gate.start_request(60.0))
    assert not gate.is_full
    assert gate.problem == "wrong key"


def test_an_answer_to_an_earlier_request_opens_nothing() -> None:
    gate = Gate()
    earlier = gate.start_request(0.0)
    gate.close(0.0, gate.start_request(0.0), 60.0, "no quota left")
    gate.record_answer(earlier)
    assert not gate.is_open(1.0)


def test_requests_that_fail_together_close_it_once() -> None:
    gate = Gate()
    numbers = [gate.start_request(0.0) for _ in range(5)]
    for number in numbers:
        gate.close(0.0, number, 2.0, "connection lost")
    assert gate.is_open(2.0)


def test_each_failure_in_a_row_doubles_the_time_up_to_a_limit() -> None:
    gate = Gate()
    now = 0.0
    times: list[float] = []
    for _ in range(6):
        gate.close(now, gate.start_request(now), 60.0, "wrong key")
        times.append(gate.delay(now))
        now += gate.delay(now)
    assert times == [60, 120, 240, 480, MAX_CLOSED_SECONDS, MAX_CLOSED_SECONDS]


def test_the_load_is_relative_to_the_places_and_failures_weigh_like_requests() -> None:
    small = Gate()
    large = Gate()
    for gate, places in ((small, 2), (large, 8)):
        gate.window.ceiling = places
        gate.start_request(0.0)
    assert small.load == 0.5
    assert large.load == 0.125
    for _ in range(3):
        large.record_failure()
    assert large.load == 0.5
    large.record_answer(1)
    assert large.load == 0.125


@pytest.mark.parametrize("failures", [MAX_FAILURES - 1, MAX_FAILURES])
def test_many_failures_in_a_row_are_told_from_a_few(failures: int) -> None:
    gate = Gate()
    for _ in range(failures):
        gate.record_failure()
    assert gate.has_failed_often is (failures == MAX_FAILURES)
