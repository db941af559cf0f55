"""How often something is looked at while a run waits: often at first, then ever more seldom.

Pure functions.
"""

from __future__ import annotations

FIRST_LOOK_SECONDS = 2.0
LOOK_SHARE = 0.1  # of the time that has passed: about 140 looks in ten days
FIRST_POLL_SECONDS = 2.0
POLL_GROWTH = 1.3
MAX_POLL_SECONDS = 120.0
WORK_SECONDS = (
    600.0  # for which an execution of a shard begins new rows; what is left is another execution's
)
# after which it waits for no row any more: the host would end it, and its process, at 30 minutes
ABANDON_SECONDS = 1680.0
MAX_SHARD_ATTEMPTS = (
    6  # executions of one shard that raise; what was answered is in its journal each time
)
PAUSED_LOOK_SECONDS = 15.0  # until somebody looks whether a run that was paused goes on
FIRST_RETRY_SECONDS = 5.0
MAX_RETRY_SECONDS = 60.0


def progress_interval(elapsed: float) -> float:
    """Seconds until progress is read again, after `elapsed` seconds: looks grow with the logarithm
    of time.
    """
    return max(FIRST_LOOK_SECONDS, LOOK_SHARE * elapsed)


def poll_interval(polls: int) -> float:
    """Seconds until a fine-tuning job is asked for its status again, after `polls` polls."""
    return min(MAX_POLL_SECONDS, FIRST_POLL_SECONDS * POLL_GROWTH ** min(polls, 50))


def retry_interval(attempts: int) -> float:
    """Seconds until a shard is tried again, after so many attempts that raised."""
    return min(MAX_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** (attempts - 1))
