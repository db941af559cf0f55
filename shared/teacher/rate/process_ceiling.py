"""How many requests one process may have in flight: what its memory, processor and files allow.

Below it, the pace follows from the teacher alone (`concurrency_window.py`, `rate_controller.py`).
With two processors and 2,048 MB it is 2,000, enough for 60,000 requests a minute of 2 s each.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MEGABYTE = 1024 * 1024
REQUEST_BYTES = 128 * 1024
"""Of one request in flight: 17 kB and its prompt once, measured with 1,000 requests with prompts of
0.5 kB and of 30 kB (docs/benchmarks.md). There is room for prompts of some 25,000 tokens. What
longer ones take is limited by the shards, of which each holds 8 MB of rows at most."""
MEMORY_SHARE = 1 / 4
"""Of the memory, for requests in flight. The rest is for worker, host, and the rows of shards."""
UNKNOWN_MEMORY = 512 * MEGABYTE
"""Where the system tells none: the smallest instance that Azure has."""
REQUESTS_PER_PROCESSOR = 2000
"""Requests that one event loop serves in a second (docs/benchmarks.md): should as many replies come
at once, the last waits for one second."""
RESERVED_FILES = 128
"""Open files for storage, host and logs: a process has some 60 when it asks nobody."""
LEAST = 8

WORKER_PROCESSES = "FUNCTIONS_WORKER_PROCESS_COUNT"


@dataclass(frozen=True, slots=True)
class Resources:
    """What a machine or container gives to one worker process."""

    memory: int  # bytes
    processors: float
    open_files: float

    @property
    def ceiling(self) -> int:
        """Return the most requests in flight."""
        by_memory = self.memory * MEMORY_SHARE / REQUEST_BYTES
        # an event loop uses one processor at most
        by_processor = min(1.0, self.processors) * REQUESTS_PER_PROCESSOR
        return max(LEAST, int(min(by_memory, by_processor, self.open_files - RESERVED_FILES)))


def read_resources(environment: Mapping[str, str], control_groups: Path) -> Resources:
    """Read what one of the worker processes has, from the system and its control group."""
    workers = _worker_processes(environment)
    limits = [_physical_memory(), *_memory_limits(control_groups)]
    memory = min((limit for limit in limits if limit), default=UNKNOWN_MEMORY)
    processors = min([float(os.cpu_count() or 1), *_processor_limits(control_groups)])
    return Resources(memory // workers, processors / workers, _open_files())


@cache
def process_ceiling() -> int:
    """Return the most requests that this process may have in flight, for one teacher."""
    return read_resources(os.environ, Path("/sys/fs/cgroup")).ceiling


def run_ceiling(concurrency: int | None) -> int:
    """Return the most requests of a run that this process may have in flight."""
    ceiling = process_ceiling()
    return ceiling if concurrency is None else min(concurrency, ceiling)


def _worker_processes(environment: Mapping[str, str]) -> int:
    """Return how many workers the Functions host starts beside each other."""
    value = environment.get(WORKER_PROCESSES, "")
    return max(1, int(value)) if value.isdecimal() else 1


def _physical_memory() -> int | None:
    if sys.platform == "win32":
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _memory_limits(control_groups: Path) -> list[int]:
    """Return the limit of version 2 or 1, none where there is none."""
    files = ("memory.max", "memory/memory.limit_in_bytes")
    values = [_read(control_groups / name) for name in files]
    return [int(value) for value in values if value.isdecimal()]


def _processor_limits(control_groups: Path) -> list[float]:
    """Return the limit of version 2 or 1 in processors, none where there is none."""
    version_1 = control_groups / "cpu"
    quotas = [
        _read(control_groups / "cpu.max").split(),
        [_read(version_1 / "cpu.cfs_quota_us"), _read(version_1 / "cpu.cfs_period_us")],
    ]
    limited = [quota for quota in quotas if len(quota) == 2 and all(map(str.isdecimal, quota))]
    numbers = [(int(time), int(period)) for time, period in limited]
    return [time / period for time, period in numbers if time and period]


def _read(path: Path) -> str:
    """Return the content of a file, nothing if there is none."""
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _open_files() -> float:
    """Return how many files the process may have open, connections among them."""
    if sys.platform == "win32":
        return float("inf")
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return float("inf") if limit == resource.RLIM_INFINITY else limit
