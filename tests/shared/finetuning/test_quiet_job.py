"""A job that runs without new events is warned of, once, and not one that has just begun."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.finetuning.base import JobState, JobStatus
from shared.finetuning.outcome import has_changed
from shared.finetuning.quiet_job import QUIET, followed

START = datetime(2026, 11, 27, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def job(status: JobStatus, newest_event: datetime | None = None, **fields: object) -> JobState:
    state = JobState(job="ftjob-1", status=status, service_status=status, last_sign=newest_event)
    return state.model_copy(update=fields)


def running(newest_event: datetime | None = START) -> JobState:
    return job(JobStatus.RUNNING, newest_event)


def test_a_job_without_events_for_half_an_hour_is_warned_of_once() -> None:
    before = followed(running(), job(JobStatus.QUEUED), START)
    still = followed(running(), before, START + QUIET)
    assert still.warnings == []
    quiet = followed(running(), still, START + QUIET + SECOND)
    assert "30 minutes without a new event" in quiet.warnings[0]
    assert has_changed(quiet, still)
    assert followed(running(), quiet, START + 3 * QUIET).warnings == quiet.warnings


def test_a_job_that_waited_long_is_not_quiet_when_it_begins() -> None:
    began = followed(running(), job(JobStatus.QUEUED, START), START + 10 * QUIET)
    assert began.warnings == []
    assert followed(running(), began, START + 11 * QUIET).warnings == []
    assert followed(running(), began, START + 12 * QUIET).warnings != []


def test_a_job_that_is_found_running_is_given_half_an_hour() -> None:
    found = running(None)  # as submitting it again gives it
    assert followed(running(), found, START + 10 * QUIET).warnings == []


def test_new_events_keep_a_job_alive_and_are_no_change_to_tell_of() -> None:
    before = followed(running(), job(JobStatus.QUEUED), START)
    for number in range(1, 5):
        now = START + number * QUIET
        after = followed(running(now - SECOND), before, now)
        assert after.warnings == []
        assert not has_changed(after, before)
        before = after


def test_events_that_cannot_be_read_are_not_taken_for_silence() -> None:
    before = followed(running(), job(JobStatus.QUEUED), START)
    unread = followed(running(None), before, START + 3 * QUIET)
    assert (unread.warnings, unread.last_sign) == ([], START)


def test_paused_jobs_are_not_quiet() -> None:
    before = followed(running(), job(JobStatus.QUEUED), START)
    assert followed(job(JobStatus.PAUSED, START), before, START + 9 * QUIET).warnings == []


def test_warnings_and_metrics_are_kept_from_poll_to_poll() -> None:
    before = running().model_copy(update={"warnings": ["w"], "metrics": {"loss": 1.0}})
    after = followed(running(), before, START)
    assert (after.warnings, after.metrics) == (["w"], {"loss": 1.0})
