"""Intervals of polling and retrying, which grow while a run waits. Pure functions."""

from __future__ import annotations

FIRST_LOOK_SECONDS = 2.0
# as a share of the elapsed time: about 140 looks in ten days
LOOK_SHARE = 0.1
FIRST_POLL_SECONDS = 2.0
POLL_GROWTH = 1.3
MAX_POLL_SECONDS = 120.0
# An execution starts no row after this time; the next execution continues.
WORK_SECONDS = 600.0
# An execution stops waiting for rows after this time: the host ends it, and its process, at 30
# minutes.
ABANDON_SECONDS = 1680.0
# Executions of one shard that may raise. The journal keeps the answers of each.
MAX_SHARD_ATTEMPTS = 6
# before a paused run is checked again
PAUSED_LOOK_SECONDS = 15.0
FIRST_RETRY_SECONDS = 5.0
MAX_RETRY_SECONDS = 60.0

# A waiting run is told of its turn, so these looks only find slots whose runs have died: 35 in the
# first ten hours, then 12 a day.
FIRST_QUEUE_LOOK_SECONDS = 30.0
QUEUE_LOOK_SHARE = 0.2
MAX_QUEUE_LOOK_SECONDS = 7200.0

# A notification that isn't delivered is sent again: after 5 seconds, then after four times as long
# each time, for about three days.
FIRST_NOTIFICATION_RETRY_SECONDS = 5.0
NOTIFICATION_RETRY_GROWTH = 4.0
MAX_NOTIFICATION_RETRY_SECONDS = 12 * 3600.0
MAX_NOTIFICATION_ATTEMPTS = 13


def notification_interval(attempts: int) -> float:
    """Return the seconds until a notification is sent again, after so many attempts."""
    growth = NOTIFICATION_RETRY_GROWTH ** (attempts - 1)
    return min(MAX_NOTIFICATION_RETRY_SECONDS, FIRST_NOTIFICATION_RETRY_SECONDS * growth)


def progress_interval(elapsed: float) -> float:
    """Return the seconds until progress is read again, after `elapsed` seconds.

    The number of reads grows with the logarithm of time.
    """
    return max(FIRST_LOOK_SECONDS, LOOK_SHARE * elapsed)


def poll_interval(polls: int) -> float:
    """Return the seconds until a fine-tuning job is polled again, after `polls` polls."""
    return min(MAX_POLL_SECONDS, FIRST_POLL_SECONDS * POLL_GROWTH ** min(polls, 50))


def retry_interval(attempts: int) -> float:
    """Return the seconds until a shard is retried, after so many attempts that raised."""
    return min(MAX_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** (attempts - 1))


def queue_interval(elapsed: float) -> float:
    """Return the seconds until a run that has waited `elapsed` seconds looks at the queue again."""
    interval = max(FIRST_QUEUE_LOOK_SECONDS, QUEUE_LOOK_SHARE * elapsed)
    return min(MAX_QUEUE_LOOK_SECONDS, interval)
