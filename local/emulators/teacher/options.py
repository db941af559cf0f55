"""What a local teacher can be told: identity, pace, limits and faults, checked once so that a typo fails at the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

REQUEST_FAULTS = ("error", "throttle", "hang", "reset", "content_filter")
ANSWER_FAULTS = ("malformed", "truncated", "empty", "refused", "wrong")


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherOptions:
    """Every rate is a probability in [0, 1]; the rates of one group must not add up to more than 1.

    Request faults happen to a whole request, answer faults to one choice of a request that got through.
    """

    seed: int = 0
    model: str = "local-teacher"
    api_key: str | None = field(default=None, repr=False)  # None accepts any credential
    latency_ms: float = 0.0
    latency_jitter: float = 0.0  # milliseconds added at most, drawn evenly
    rpm: int | None = None  # requests a minute
    tpm: int | None = None  # tokens a minute, charged on arrival
    no_ratelimit_headers: bool = False  # leaves out x-ratelimit-…
    retry_after_seconds_only: bool = False  # leaves out retry-after-ms
    reject: str | None = (
        None  # a request whose messages contain this text is answered 400, each time
    )
    error_rate: float = 0.0
    throttle_rate: float = 0.0
    hang_rate: float = 0.0
    reset_rate: float = 0.0
    content_filter_rate: float = 0.0
    malformed_rate: float = 0.0
    truncated_rate: float = 0.0
    empty_rate: float = 0.0
    refused_rate: float = 0.0
    wrong_rate: float = 0.0
    log: Path | None = None  # JSON lines, one an answered request

    def __post_init__(self) -> None:
        for name in (*REQUEST_FAULTS, *ANSWER_FAULTS):
            if not 0.0 <= self.rate(name) <= 1.0:
                raise ValueError(f"{name}_rate is {self.rate(name)}; a rate lies between 0 and 1")
        for group in (REQUEST_FAULTS, ANSWER_FAULTS):
            if sum(map(self.rate, group)) > 1.0 + 1e-9:
                raise ValueError(
                    f"the rates of {', '.join(group)} add up to more than 1; lower some"
                )
        for name, limit in (("rpm", self.rpm), ("tpm", self.tpm)):
            if limit is not None and limit < 1:
                raise ValueError(
                    f"{name} is {limit}; leave it out for no limit, or give at least 1"
                )
        if min(self.latency_ms, self.latency_jitter) < 0:
            raise ValueError(
                "latency_ms and latency_jitter are milliseconds and cannot be negative"
            )
        if self.reject is not None and not self.reject:
            raise ValueError(
                "reject is empty and would be found in every request; leave it out to reject none"
            )
        if self.api_key is not None and not self.api_key.strip():
            raise ValueError("the API key is empty; leave it out to accept any credential")

    def rate(self, fault: str) -> float:
        """The probability of one of REQUEST_FAULTS or ANSWER_FAULTS."""
        value: float = getattr(self, f"{fault}_rate")
        return value
