"""run_deletion: its steps in order, and a failure that is written down."""

from __future__ import annotations

from typing import Any

from local.functions_host.durable.events import Status
from orchestrators import deletion
from shared.core.ids import deletion_id
from shared.runs.contracts import (
    DELETE_BLOBS,
    DELETE_RUN,
    DELETE_SERVICE_FILES,
    END_PARTS,
    FINISH_DELETION,
    NOTE_FAILED_DELETION,
)
from tests.support.orchestrator_simulation import Activity, Hub, Instance
from tests.support.scripted import RUN_ID, failed, ok


def deleted(**instead: Activity) -> tuple[Hub, Instance]:
    """A deletion that has ended, with other activities by name."""
    activities: dict[str, Activity] = {
        name: lambda _: ok()
        for name in (
            END_PARTS,
            DELETE_SERVICE_FILES,
            DELETE_BLOBS,
            FINISH_DELETION,
            NOTE_FAILED_DELETION,
        )
    }
    hub = Hub({**activities, **instead})
    root = hub.start(DELETE_RUN, deletion_id(RUN_ID), {"run_id": RUN_ID})
    hub.run()
    return hub, root


def test_a_large_run_is_deleted_in_several_executions_of_the_same_step() -> None:
    outputs = iter(["unfinished", "unfinished", "ok", "ok"])
    last = iter(["unfinished", "ok"])
    hub, root = deleted(
        delete_blobs=lambda _: {"status": next(outputs)},
        finish_deletion=lambda _: {"status": next(last)},
    )
    assert root.output == {"status": "ok", "error": None}
    assert hub.names() == [
        END_PARTS,
        DELETE_SERVICE_FILES,
        *[DELETE_BLOBS] * 3,
        FINISH_DELETION,
        DELETE_BLOBS,
        FINISH_DELETION,
    ]


def test_what_still_works_for_a_run_is_waited_for() -> None:
    waits = iter([60.0, 20.5, 0])
    hub, root = deleted(end_parts=lambda _: ok(wait_seconds=next(waits)))
    assert root.status is Status.COMPLETED
    assert len(hub.called(END_PARTS)) == 3
    assert hub.now > 80


def test_the_reason_of_a_failure_is_written_down_before_anything_is_deleted() -> None:
    hub, root = deleted(delete_service_files=lambda _: failed("access is denied", code="openai"))
    assert root.output["status"] == "failed"
    assert hub.names() == [END_PARTS, DELETE_SERVICE_FILES, NOTE_FAILED_DELETION]
    error: dict[str, Any] = hub.calls[-1].input["error"]
    assert (error["code"], error["message"]) == ("openai", "access is denied")


def test_a_run_for_which_something_works_for_ever_is_given_up() -> None:
    hub, root = deleted(end_parts=lambda _: ok(wait_seconds=60))
    assert root.output["error"]["code"] == "run_active"
    assert len(hub.called(END_PARTS)) == deletion.MAX_LOOKS
    assert hub.names()[-1] == NOTE_FAILED_DELETION
