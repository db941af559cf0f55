"""Following runs: each to its end, and no longer than there is hope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from local.cli.following import SILENCE_SECONDS, START_SECONDS, FollowingFailed, follow
from local.runtime.client import ApiError, HostUnreachable
from tests.support.views import View, view

GONE = HostUnreachable("the Functions host does not answer")


class Host:
    """Answers about each run in turn, repeating the last; its clock advances when `pause` is
    called.
    """

    def __init__(self, **answers: Sequence[View | Exception | None]) -> None:
        self._answers = {run_id: list(views) for run_id, views in answers.items()}
        self.requests: list[str] = []
        self.shown: list[Mapping[str, View | None]] = []
        self.now = 1000.0

    def get(self, run_id: str) -> View | None:
        self.requests.append(run_id)
        answers = self._answers[run_id]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def show(self, views: Mapping[str, View | None]) -> None:
        self.shown.append(dict(views))

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def follow(self, **settings: Any) -> dict[str, View]:
        chosen: dict[str, Any] = {"show": self.show, "check": lambda: None, **settings}
        return follow(self, list(self._answers), pause=self.pause, clock=lambda: self.now, **chosen)


def running(run_id: str, stage: str = "generate") -> View:
    return view(run_id, status="running", stage=stage)


def ended(run_id: str, status: str = "completed") -> View:
    return view(run_id, status=status)


def test_each_run_is_followed_to_its_own_end() -> None:
    host = Host(
        a=[running("a"), ended("a")], b=[None, running("b"), running("b"), ended("b", "failed")]
    )
    assert host.follow() == {"a": ended("a"), "b": ended("b", "failed")}
    assert host.requests.count("a") == 2


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "terminated"])
def test_any_end_is_an_end(status: str) -> None:
    assert Host(a=[ended("a", status)]).follow()["a"]["status"] == status


def test_everything_is_shown_after_each_round() -> None:
    host = Host(a=[ended("a")], b=[None, running("b"), ended("b")])
    host.follow()
    assert [views["b"] for views in host.shown] == [None, running("b"), ended("b")]
    assert all(views["a"] == ended("a") for views in host.shown)


def test_a_run_that_never_shows_up_is_not_waited_for_for_ever() -> None:
    host = Host(a=[running("a")], b=[None])
    with pytest.raises(
        FollowingFailed, match=r"no run has started for b after 120 s.*logs/host\.log"
    ):
        host.follow()
    assert START_SECONDS < host.now - 1000 < START_SECONDS + 2


def test_a_run_that_takes_longer_than_allowed_is_given_up_by_name_and_stage() -> None:
    host = Host(a=[ended("a")], b=[running("b", "finetune")])
    with pytest.raises(
        FollowingFailed, match=r"gave up after 1\.5 minutes: b \(finetune\) had not ended"
    ):
        host.follow(seconds=90)
    with pytest.raises(FollowingFailed, match=r"gave up after 1 minutes: b had not ended"):
        Host(b=[None]).follow(seconds=60)


def test_without_a_limit_a_run_may_take_days() -> None:
    host = Host(a=[running("a")] * 10_000 + [ended("a")])
    assert host.follow()["a"]["status"] == "completed"


def test_a_host_that_is_silent_for_a_while_is_forgiven() -> None:
    pauses = int(SILENCE_SECONDS / 0.5) - 1
    host = Host(a=[running("a"), *[GONE] * pauses, running("a"), *[GONE] * pauses, ended("a")])
    assert host.follow()["a"] == ended("a")


def test_a_host_that_stays_silent_counts_as_gone() -> None:
    host = Host(a=[running("a"), GONE])
    with pytest.raises(
        FollowingFailed, match=r"does not answer\. The runs continue when the host is started again"
    ):
        host.follow()
    assert SILENCE_SECONDS < host.now - 1000 < SILENCE_SECONDS + 3


def test_a_dead_process_ends_it_at_once() -> None:
    def check() -> None:
        raise RuntimeError("the teacher has ended")

    host = Host(a=[running("a")])
    with pytest.raises(RuntimeError, match="the teacher has ended"):
        host.follow(check=check, seconds=60)
    assert host.requests == []


def test_an_error_of_the_app_is_not_mistaken_for_silence() -> None:
    with pytest.raises(ApiError):
        Host(a=[ApiError("401")]).follow()
