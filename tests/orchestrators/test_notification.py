"""A receiver is told how a run has ended, and one that is down changes nothing for the run."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from local.functions_host.durable.events import Status
from shared.core.backoff import MAX_NOTIFICATION_ATTEMPTS
from shared.core.ids import notification_id
from shared.runs.contracts import (
    ANNOUNCE_END,
    LEAVE_QUEUE,
    NOTIFY,
    PREFLIGHT,
    PREPARE_RUN,
    SEND_NOTIFICATION,
    TAKE_TURN,
)
from tests.support.orchestrator_simulation import Activity, Hub, Instance
from tests.support.scripted import RUN_ID, SPEC, Distillation, failed, ok

PREPARED = ok(spec=SPEC, etags={"train": "1", "validation": "1"}, notifies=True, is_queued=True)
QUEUE: dict[str, Activity] = {TAKE_TURN: lambda _: ok(), LEAVE_QUEUE: lambda _: ok()}
REQUEST = {"run_id": RUN_ID, "round": 1, "event": {"id": "e", "data": {"status": "failed"}}}
HOUR = 3600.0


def ended(instead: dict[str, Activity], *, cancel: bool = False) -> Distillation:
    """Return a run that has ended."""
    run = Distillation(instead={PREPARE_RUN: lambda _: PREPARED, **QUEUE, **instead})
    if cancel:
        run.cancel_at(2.5)
    run.run()
    return run


def announced(run: Distillation) -> dict[str, Any]:
    """Return the status that was announced, the last thing that a run does."""
    (call,) = run.hub.called(ANNOUNCE_END)
    assert run.hub.names()[-1] == ANNOUNCE_END
    return call.input["status"]


def test_an_app_that_names_no_receiver_announces_nothing() -> None:
    run = Distillation()
    run.run()
    assert ANNOUNCE_END not in run.hub.names()


@pytest.mark.parametrize(
    ("cancel", "refusing", "outcome", "stage"),
    [
        (False, None, "completed", "done"),
        (True, None, "cancelled", "done"),
        (False, PREFLIGHT, "failed", "preflight"),
        (False, PREPARE_RUN, "failed", "prepare"),
    ],
)
def test_an_end_is_announced_last_with_what_the_run_shows(
    cancel: bool, refusing: str | None, outcome: str, stage: str
) -> None:
    run = ended({refusing: lambda _: failed("no")} if refusing else {}, cancel=cancel)
    status = announced(run)
    assert (status["outcome"], status["stage"]) == (outcome, stage)
    assert status == run.shown


def breaks(_: dict[str, Any]) -> Any:
    raise ConnectionError("the task hub is gone")


def fails(_: dict[str, Any]) -> Any:
    return failed("the task hub is gone")


@pytest.mark.parametrize("answer", [breaks, fails])
def test_an_end_that_cannot_be_announced_is_a_warning_of_a_run_that_ends_as_it_would(
    answer: Activity,
) -> None:
    run = ended({ANNOUNCE_END: answer})
    assert (run.root.status, run.shown["outcome"]) == (Status.COMPLETED, "completed")
    assert "the task hub is gone" in run.shown["warnings"][-1]


def notifying(answer: Activity) -> tuple[Hub, Instance]:
    hub = Hub({SEND_NOTIFICATION: answer})
    instance = hub.start(NOTIFY, notification_id(RUN_ID, 1), REQUEST)
    hub.run()
    assert instance.status is Status.COMPLETED, instance.output
    return hub, instance


def test_a_receiver_that_is_down_for_hours_gets_the_same_event_once_it_is_up() -> None:
    def answer(_: dict[str, Any]) -> Any:
        return ok() if hub.now > 3 * HOUR else failed("NOTIFY_URL answered 503")

    hub = Hub({SEND_NOTIFICATION: answer})
    instance = hub.start(NOTIFY, notification_id(RUN_ID, 1), REQUEST)
    hub.run(until=HOUR)
    assert "NOTIFY_URL answered 503; it's sent again later" in instance.custom_status["warning"]
    hub.run()
    calls = hub.called(SEND_NOTIFICATION)
    assert instance.output == {"status": "ok", "attempts": len(calls)}
    assert instance.custom_status["warning"] is None
    assert all(call.input == REQUEST for call in calls)
    waits = [later.started - earlier.started for earlier, later in pairwise(calls)]
    assert waits == sorted(waits)
    assert calls[-1].started < 10 * HOUR


def test_a_receiver_that_stays_down_is_given_up_after_days_and_the_run_warns_of_it() -> None:
    hub, instance = notifying(lambda _: failed("NOTIFY_URL answered 500"))
    calls = hub.called(SEND_NOTIFICATION)
    assert instance.output == {"status": "undelivered", "attempts": MAX_NOTIFICATION_ATTEMPTS}
    assert len(calls) == MAX_NOTIFICATION_ATTEMPTS
    assert 2.5 * 24 < calls[-1].started / HOUR < 4 * 24
    assert "isn't sent again" in instance.custom_status["warning"]


@pytest.mark.parametrize(("status", "warning"), [("gone", "410 (Gone)"), ("off", None)])
def test_a_receiver_that_wants_no_more_is_left_alone(status: str, warning: str | None) -> None:
    hub, instance = notifying(lambda _: {"status": status})
    assert len(hub.called(SEND_NOTIFICATION)) == 1
    assert instance.output == {"status": status, "attempts": 1}
    shown = instance.custom_status["warning"]
    assert shown is None if warning is None else warning in shown


def test_no_other_orchestration_announces_in_a_runs_name() -> None:
    hub = Hub({SEND_NOTIFICATION: lambda _: ok()})
    copy = hub.start(NOTIFY, "copy", REQUEST)
    hub.run()
    assert (copy.status, hub.calls) == (Status.FAILED, [])
