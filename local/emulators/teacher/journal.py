"""A record of each request: in memory for tests, as JSON lines for people. No texts, no keys."""

from __future__ import annotations

import json
from collections import Counter, deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

MAX_RECORDS = 100_000  # in memory; older ones are dropped


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One chat request. `status` is 0 without an answer; tokens are 0 if none were generated."""

    time: float  # seconds since the epoch, when the outcome was decided
    request: str  # hash of the body; empty if it could not be read
    attempt: int  # 1 the first time that this body arrives
    status: int
    fault: str = ""
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    arrived: float = 0.0  # seconds since the teacher's start, by which its limits are counted
    charged: int = 0  # tokens counted on arrival; 0 if the request was not admitted


class Journal:
    """Appends records and counts attempts. The file is line-buffered: others can follow it."""

    def __init__(self, path: Path | None) -> None:
        self.records: deque[RequestRecord] = deque(maxlen=MAX_RECORDS)
        self._attempts: Counter[str] = Counter()
        self._samples: Counter[str] = Counter()
        self._file: TextIO | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8", buffering=1)

    def next_attempt(self, request: str) -> int:
        """Count one more arrival of this request and return its number, from 1."""
        self._attempts[request] += 1
        return self._attempts[request]

    def next_sample(self, request: str) -> int:
        """Count one more answer to this request and return its number, from 0."""
        self._samples[request] += 1
        return self._samples[request] - 1

    def add(self, record: RequestRecord) -> None:
        self.records.append(record)
        if self._file is not None:
            self._file.write(json.dumps(asdict(record)) + "\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
