"""A fine-tuning job is submitted once, polled less and less often, and cancelled when late."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from local.functions_host.durable.events import Status
from orchestrators import finetune
from shared.core.backoff import MAX_POLL_SECONDS
from shared.finetuning import monitor
from shared.runs.contracts import (
    CANCEL_FINETUNING,
    CONCLUDE_FINETUNING,
    FINETUNE,
    POLL_FINETUNING,
    SUBMIT_FINETUNING,
    Event,
)
from tests.support.orchestrator_simulation import Activity, After, Hub, Instance
from tests.support.scripted import RUN_ID, Service, failed, job, ok
from tests.support.small_executions import POLLS

FOLLOWER = f"{RUN_ID}:finetune"
pytestmark = pytest.mark.usefixtures("small_executions")

LIMITS = {"polls": finetune.POLLS_PER_EXECUTION, "unreached_hours": monitor.UNREACHED_HOURS}
"""As they are outside of tests."""


def follow(
    service: Service,
    instead: dict[str, Activity] | None = None,
    *,
    max_hours: float = 48,
    max_silent_minutes: float = 600,
) -> tuple[Hub, Instance]:
    hub = Hub({**service.activities(), **(instead or {})})
    limits = {"max_hours": max_hours, "max_silent_minutes": max_silent_minutes}
    payload = {"run_id": RUN_ID, "splits": ["train"], "student": 0, **limits}
    return hub, hub.start(FINETUNE, FOLLOWER, payload)


def ended(hub: Hub, follower: Instance) -> dict[str, Any]:
    """The follower's answer."""
    hub.run()
    assert follower.status is Status.COMPLETED, follower.output
    return follower.output


def test_a_job_is_submitted_once_and_followed_to_its_end() -> None:
    hub, follower = follow(Service("queued", "running", "finalizing", "completed"))
    outcome = ended(hub, follower)
    assert (outcome["status"], outcome["job"]["model"]) == ("ok", "student:1")
    assert hub.names() == [SUBMIT_FINETUNING, *[POLL_FINETUNING] * 4, CONCLUDE_FINETUNING]


@pytest.mark.parametrize("status", ["not_responding", "paused", "queued", "cancelling"])
def test_what_is_no_end_is_waited_for(status: str) -> None:
    hub, follower = follow(Service(status, status, "completed"))
    assert ended(hub, follower)["status"] == "ok"


def test_each_poll_is_told_what_is_known_of_the_job() -> None:
    hub, follower = follow(Service("running", "completed"))
    ended(hub, follower)
    statuses = [call.input["job"]["status"] for call in hub.called(POLL_FINETUNING)]
    assert statuses == ["queued", "running"]
    assert all(call.input["run_id"] == RUN_ID for call in hub.calls)


def test_polls_grow_apart_up_to_a_limit() -> None:
    hub, follower = follow(Service("running"))
    hub.run(until=1800)
    polls = [call.started for call in hub.called(POLL_FINETUNING)]
    pauses = [round(later - earlier - 1, 3) for earlier, later in pairwise(polls)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 5
    assert pauses[-1] == MAX_POLL_SECONDS
    assert follower.status is Status.RUNNING


def test_a_long_job_is_followed_by_executions_with_short_histories() -> None:
    service = Service("running")
    hub, follower = follow(service)
    hub.at(2 * 3600, lambda: service.statuses.append("completed"))
    assert ended(hub, follower)["status"] == "ok"
    polls = hub.called(POLL_FINETUNING)
    assert len(follower.inputs) == -(-len(polls) // POLLS) > 10
    assert follower.longest_history < 80
    assert len(hub.called(SUBMIT_FINETUNING)) == 1
    assert len({tuple(state) for state in follower.inputs[2:]}) == 1
    pauses = [round(later.started - earlier.started) for earlier, later in pairwise(polls)]
    assert pauses == sorted(pauses)


def test_executions_end_seldom_and_outages_of_hours_are_survived() -> None:
    assert 50 <= LIMITS["polls"] <= 200
    assert LIMITS["unreached_hours"] == 24


def test_a_job_that_takes_too_long_is_cancelled_and_fails_the_run() -> None:
    service = Service("running")
    hub, follower = follow(service, max_hours=0.5)
    outcome = ended(hub, follower)
    assert service.cancelled
    assert (outcome["status"], outcome["job"]["status"]) == ("failed", "cancelled")
    assert "took longer than student.max_hours" in outcome["error"]["message"]
    (cancel,) = hub.called(CANCEL_FINETUNING)
    assert 1800 <= cancel.started <= 1800 + 2 * MAX_POLL_SECONDS
    assert len(follower.inputs) > 1


def test_a_cancellation_outlives_the_execution_that_heard_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orchestrators.finetune.POLLS_PER_EXECUTION", 1)
    hub, follower = follow(Service("running"))
    hub.at(60, lambda: hub.raise_event(FOLLOWER, Event.CANCEL, "user"))
    assert ended(hub, follower)["status"] == "cancelled"
    assert len(hub.called(CANCEL_FINETUNING)) == 1


def test_a_cancellation_that_comes_during_the_last_poll_of_an_execution_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orchestrators.finetune.POLLS_PER_EXECUTION", 1)
    service = Service("running")
    hub, follower = follow(
        service, {POLL_FINETUNING: lambda payload: After(10, service.poll(payload))}
    )
    hub.at(5, lambda: hub.raise_event(FOLLOWER, Event.CANCEL, "user"))
    assert ended(hub, follower)["status"] == "cancelled"
    first, cancel = hub.called(POLL_FINETUNING)[0], hub.called(CANCEL_FINETUNING)[0]
    assert first.started < 5 < (first.ended or 0) < cancel.started < 30


def test_a_user_who_cancels_is_heard_without_waiting_for_the_next_poll() -> None:
    service = Service("running")
    hub, follower = follow(service)
    hub.at(500, lambda: hub.raise_event(FOLLOWER, Event.CANCEL, "user"))
    assert ended(hub, follower)["status"] == "cancelled"
    (cancel,) = hub.called(CANCEL_FINETUNING)
    assert cancel.started <= 501


def test_a_cancellation_that_did_not_reach_the_service_is_repeated_with_every_poll() -> None:
    def poll(payload: dict[str, Any]) -> Any:
        return ok(job=job("cancelled" if payload["cancel"] else "running"))

    unheard: dict[str, Activity] = {
        CANCEL_FINETUNING: lambda payload: ok(job=payload["job"]),
        POLL_FINETUNING: poll,
    }
    hub, follower = follow(Service(), unheard, max_hours=0.01)
    outcome = ended(hub, follower)
    assert (outcome["status"], outcome["job"]["status"]) == ("failed", "cancelled")
    assert "took longer than student.max_hours" in outcome["error"]["message"]


def test_a_job_that_cannot_be_submitted_is_a_failure_in_the_services_words() -> None:
    hub, follower = follow(
        Service(), {SUBMIT_FINETUNING: lambda _: failed("lora_rank is no hyperparameter")}
    )
    outcome = ended(hub, follower)
    assert (outcome["status"], outcome["job"]) == ("failed", None)
    assert outcome["error"]["message"] == "lora_rank is no hyperparameter"


def test_a_job_that_is_refused_once_the_data_was_taken_in_is_shown_as_failed() -> None:
    taking_in = ok(job=job("preparing", job="", submitted=False, service_status="files pending"))
    answers = [taking_in, failed("no such training type")]
    hub, follower = follow(Service(), {SUBMIT_FINETUNING: lambda _: answers.pop(0)})
    outcome = ended(hub, follower)
    shown = (outcome["job"]["status"], outcome["job"]["message"])
    assert shown == ("failed", "no such training type")


def test_a_job_that_is_gone_is_a_failure_that_keeps_what_was_known_of_it() -> None:
    hub, follower = follow(
        Service(), {POLL_FINETUNING: lambda _: failed("there is no such job", code="not_found")}
    )
    outcome = ended(hub, follower)
    assert (outcome["status"], outcome["error"]["code"]) == ("failed", "not_found")
    assert outcome["job"]["job"] == RUN_ID


def test_a_job_that_had_ended_before_the_run_was_resumed_is_not_polled() -> None:
    hub, follower = follow(
        Service(), {SUBMIT_FINETUNING: lambda _: ok(job=job("completed", model="student:7"))}
    )
    outcome = ended(hub, follower)
    assert (outcome["status"], outcome["job"]["model"]) == ("ok", "student:7")
    assert hub.names() == [SUBMIT_FINETUNING, CONCLUDE_FINETUNING]


def test_a_job_that_does_not_respond_for_too_long_is_cancelled_and_fails_with_the_reason() -> None:
    service = Service("running", "not_responding")
    hub, follower = follow(service, max_silent_minutes=30)
    outcome = ended(hub, follower)
    assert service.cancelled
    assert outcome["status"] == "failed"
    assert (
        "did not respond for longer than student.max_silent_minutes" in outcome["error"]["message"]
    )
    (cancel,) = hub.called(CANCEL_FINETUNING)
    assert 1800 <= cancel.started <= 1800 + 2 * MAX_POLL_SECONDS + 60


def test_a_job_that_comes_back_in_time_is_followed_to_its_end() -> None:
    spell = ["not_responding"] * 4
    hub, follower = follow(
        Service("running", *spell, "running", *spell, "completed"), max_silent_minutes=20
    )
    assert ended(hub, follower)["status"] == "ok"


@pytest.mark.parametrize("hours", [1, 3])
def test_a_service_that_cannot_be_reached_fails_a_run_only_after_long(
    hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "UNREACHED_HOURS", 2.0)

    def poll(_: dict[str, Any]) -> Any:
        if hub.now < hours * 3600:
            return ok(
                job=job("running", message="the service could not be reached: 503"), reached=False
            )
        return ok(job=job("completed", model="student:1"), reached=True)

    hub, follower = follow(Service(), {POLL_FINETUNING: poll}, max_hours=100)
    outcome = ended(hub, follower)
    if hours < 2:
        assert outcome["status"] == "ok"
    else:
        assert outcome["error"]["code"] == "finetuning_unreachable"
        assert "resume the run to go on from here" in outcome["error"]["message"]


def test_a_cancellation_that_is_never_confirmed_ends_the_run_and_says_where_to_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(monitor, "CONFIRM_HOURS", 1.0)
    service = Service("running")
    stuck: dict[str, Activity] = {CANCEL_FINETUNING: lambda _: ok(job=job("cancelling"))}
    hub, follower = follow(service, {**stuck, POLL_FINETUNING: lambda _: ok(job=job("cancelling"))})
    hub.at(60, lambda: hub.raise_event(FOLLOWER, Event.CANCEL, "user"))
    outcome = ended(hub, follower)
    assert outcome["status"] == "failed"
    assert "has not confirmed the cancellation" in outcome["error"]["message"]
    assert "https://studio/job" in outcome["error"]["message"]


def test_what_the_service_is_still_taking_in_is_submitted_again_until_there_is_a_job() -> None:
    taking_in = ok(job=job("preparing", job="", submitted=False, service_status="files pending"))
    answers = [taking_in, taking_in, ok(job=job("queued"))]
    hub, follower = follow(Service(), {SUBMIT_FINETUNING: lambda _: answers.pop(0)})
    assert ended(hub, follower)["status"] == "ok"
    assert hub.names()[:4] == [*[SUBMIT_FINETUNING] * 3, POLL_FINETUNING]


@pytest.mark.parametrize("by_user", [True, False])
def test_a_service_that_never_takes_in_the_data_is_not_waited_for_past_the_deadline(
    by_user: bool,
) -> None:
    pending = ok(job=job("preparing", job="", submitted=False, service_status="files pending"))
    hub, follower = follow(Service(), {SUBMIT_FINETUNING: lambda _: pending}, max_hours=0.5)
    if by_user:
        hub.at(60, lambda: hub.raise_event(FOLLOWER, Event.CANCEL, "user"))
    outcome = ended(hub, follower)
    assert outcome["status"] == ("cancelled" if by_user else "failed")
    assert by_user or "files pending" in outcome["error"]["message"]
    assert CANCEL_FINETUNING not in hub.names()


def test_what_the_service_knows_is_kept_when_a_job_has_ended_however_it_ended() -> None:
    for status in ("completed", "failed", "cancelled"):
        concluded = job(status, metrics={"loss": 0.5})
        hub, follower = follow(
            Service(status), {CONCLUDE_FINETUNING: lambda _, k=concluded: ok(job=k, warnings=["w"])}
        )
        outcome = ended(hub, follower)
        assert (outcome["job"]["metrics"], outcome["warnings"]) == ({"loss": 0.5}, ["w"])
        assert hub.names()[-1] == CONCLUDE_FINETUNING


def test_a_course_that_cannot_be_kept_changes_nothing_about_the_outcome() -> None:
    hub, follower = follow(
        Service("completed"), {CONCLUDE_FINETUNING: lambda _: failed("no such job")}
    )
    outcome = ended(hub, follower)
    assert outcome["status"] == "ok"
    assert "no such job" in outcome["warnings"][0]


def test_new_metrics_are_told_ever_more_seldom() -> None:
    hub, _ = follow(Service("running"))
    hub.run(until=6 * 3600)
    polls = hub.called(POLL_FINETUNING)
    reports = [call for call in polls if call.input["report_metrics"]]
    assert 10 < len(reports) < 60 < len(polls)


def test_a_service_that_cannot_be_reached_at_first_gets_the_job_when_it_is_back() -> None:
    unreached = ok(job=job("queued", job="", submitted=False), reached=False, retry_after=None)

    def submit(_: dict[str, Any]) -> Any:
        return unreached if hub.now < 3600 else ok(job=job("queued"), reached=True)

    hub, follower = follow(Service(), {SUBMIT_FINETUNING: submit})
    assert ended(hub, follower)["status"] == "ok"
    assert 20 < len(hub.called(SUBMIT_FINETUNING)) < 60


def test_a_service_is_not_asked_before_the_time_that_it_names() -> None:
    answers = [
        ok(job=job("running"), reached=False, retry_after=300),
        ok(job=job("completed"), reached=True),
    ]
    hub, follower = follow(Service(), {POLL_FINETUNING: lambda _: answers.pop(0)})
    assert ended(hub, follower)["status"] == "ok"
    first, second = hub.called(POLL_FINETUNING)
    assert second.started - (first.ended or 0) >= 300
