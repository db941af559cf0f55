"""What users and activities see of an active run: changes at once, never more than fits."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from local.functions_host.durable.events import Status
from shared.runs.contracts import (
    GENERATE_SHARD,
    POLL_FINETUNING,
    PREFLIGHT,
    PREPARE_RUN,
    READ_PROGRESS,
    WRITE_REPORT,
    Event,
)
from tests.support.orchestrator_simulation import After
from tests.support.scripted import RUN_ID, Distillation, failed, job, ok

MAX_BYTES = 16 * 1024  # of the JSON as UTF-16: the extension fails an orchestration that sets more


def size(status: Any) -> int:
    return len(json.dumps(status, ensure_ascii=False).encode("utf-16-le"))


def job_statuses(run: Distillation) -> list[str]:
    """What was shown of the job, each once."""
    shown = [
        status["finetune"]["status"] for _, status in run.root.custom_statuses if status["finetune"]
    ]
    return list(dict.fromkeys(shown))


def test_every_change_of_the_job_is_shown_though_the_client_encodes_it_twice() -> None:
    run = Distillation(statuses=["preparing", "running", "finalizing", "completed"])
    run.run()
    assert job_statuses(run) == ["preparing", "running", "finalizing", "completed"]
    assert run.shown["finetune"]["url"] == "https://studio/job"


def test_a_change_that_is_encoded_once_is_shown_as_well() -> None:
    run = Distillation(instead={POLL_FINETUNING: lambda _: ok(job=job("running"))})
    change = json.dumps({"job": job("paused", message="told by another client")})
    run.hub.at(60, lambda: run.hub.raise_json(RUN_ID, Event.JOB_CHANGED, change))
    run.hub.run(until=70)
    assert run.shown["finetune"]["message"] == "told by another client"


def test_an_event_that_tells_of_no_job_changes_nothing() -> None:
    run = Distillation(statuses=["running", "completed"])
    nobodys = json.dumps({"student": -100, "job": job("failed")})
    junks = ['"hello"', "[1]", "null", json.dumps("[" * 100_000), nobodys]
    for seconds, junk in zip((10.2, 10.3, 10.4, 10.5, 10.6), junks, strict=True):
        run.hub.at(seconds, partial(run.hub.raise_json, RUN_ID, Event.JOB_CHANGED, junk))
    assert run.run().output["status"] == "completed"
    assert job_statuses(run) == ["running", "completed"]


def test_two_changes_at_the_same_moment_are_both_heard() -> None:
    run = Distillation(statuses=["running"])

    def two() -> None:
        for status in ("paused", "not_responding"):
            run.hub.raise_event(RUN_ID, Event.JOB_CHANGED, {"job": job(status)})

    run.hub.at(100, two)
    run.hub.run(until=101)
    assert run.shown["finetune"]["status"] == "not_responding"
    run.cancel_at(200)
    assert run.run().output["status"] == "cancelled"


def test_a_change_that_comes_when_all_is_over_disturbs_nothing() -> None:
    run = Distillation(statuses=["completed"], instead={WRITE_REPORT: lambda _: ok(outputs={})})
    run.hub.at(
        11.5, lambda: run.hub.raise_event(RUN_ID, Event.JOB_CHANGED, {"job": job("running")})
    )
    run.hub.at(
        11.6, lambda: run.hub.raise_event(RUN_ID, Event.JOB_CHANGED, {"job": job("running")})
    )
    assert run.run().status is Status.COMPLETED


def test_counts_stay_small_whatever_the_size_of_the_dataset() -> None:
    run = Distillation(
        {"train": 60, "validation": 60}, spec={"generation": {"parallel_shards": 60}}
    )
    run.run()
    assert max(size(status) for _, status in run.root.custom_statuses) < 4096


LONG = "x" * 50_000
ODD = '\u0001"\\ü😀' * 5_000


@pytest.mark.parametrize("text", [LONG, ODD], ids=["long", "odd"])
@pytest.mark.parametrize("activity", [PREPARE_RUN, PREFLIGHT, WRITE_REPORT])
def test_an_error_of_any_length_fits_and_keeps_its_beginning(activity: str, text: str) -> None:
    failure = failed(text, *[text] * 40)
    failure["error"]["details"][0]["where"] = text
    run = Distillation(instead={activity: lambda _: failure})
    run.run()
    assert max(size(status) for _, status in run.root.custom_statuses) <= MAX_BYTES
    assert run.shown["error"]["message"][:15] == text[:15]
    assert run.shown["error"]["details"][0]["problem"][:15] == text[:15]


@pytest.mark.parametrize("text", [LONG, ODD], ids=["long", "odd"])
def test_warnings_and_the_services_words_of_any_length_fit(text: str) -> None:
    run = Distillation(instead={POLL_FINETUNING: lambda _: ok(job=job("failed", message=text))})
    usual = run.hub.activities[PREPARE_RUN]
    run.hub.activities[PREPARE_RUN] = lambda request: {**usual(request), "warnings": [text] * 5}
    run.run()
    assert max(size(status) for _, status in run.root.custom_statuses) <= MAX_BYTES
    assert run.shown["finetune"]["message"][:15] == text[:15]
    assert (run.shown["finetune"]["job"], run.shown["finetune"]["url"]) == (
        RUN_ID,
        "https://studio/job",
    )


def test_events_that_come_at_once_are_each_handled_once() -> None:
    run = Distillation({"train": 4}, instead={GENERATE_SHARD: lambda _: After(600, ok())})
    for seconds, parallel in ((20, 3), (20.3, 4), (20.6, 5)):
        run.hub.at(seconds, partial(run.hub.raise_event, RUN_ID, Event.CONCURRENCY, parallel))
    run.hub.run(until=100)
    assert run.shown["parallel_shards"] == 5
    reads = [call for call in run.hub.called(READ_PROGRESS) if 20 <= call.started < 40]
    assert len(reads) < 12
