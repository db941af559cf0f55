"""Options of a local teacher: models, answer keys, pace, limits and faults, checked at the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_MODEL = "local-teacher"
REQUEST_FAULTS = ("error", "throttle", "hang", "reset", "content_filter")
ANSWER_FAULTS = ("malformed", "truncated", "empty", "refused", "wrong")


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherOptions:
    """Every rate is a probability in [0, 1]; the rates of a group must not add up to more than 1.

    Request faults happen to a whole request, answer faults to one choice of a successful request.
    """

    seed: int = 0
    skills: Mapping[str, float] = field(default_factory=dict[str, float])  # models beside the usual
    keys: tuple[Path, ...] = ()  # answer keys beside those of the samples
    api_key: str | None = field(default=None, repr=False)  # None accepts any credential
    latency_ms: float = 0.0
    latency_jitter: float = 0.0  # milliseconds added at most, drawn evenly
    rpm: int | None = None  # requests a minute
    tpm: int | None = None  # tokens a minute, charged on arrival
    no_ratelimit_headers: bool = False  # leaves out x-ratelimit-…
    retry_after_seconds_only: bool = False  # leaves out retry-after-ms
    reject: str | None = None  # requests whose messages contain this text always get 400
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
    log: Path | None = None  # JSON lines, one for each chat request

    def __post_init__(self) -> None:
        self._check_rates()
        for name, limit in (("rpm", self.rpm), ("tpm", self.tpm)):
            if limit is not None and limit < 1:
                raise ValueError(f"{name} is {limit}; give at least 1, or leave it out")
        if min(self.latency_ms, self.latency_jitter) < 0:
            raise ValueError("latency_ms and latency_jitter are milliseconds, 0 or more")
        if self.reject is not None and not self.reject:
            raise ValueError("reject is empty and would match every request; leave it out")
        if self.api_key is not None and not self.api_key.strip():
            raise ValueError("the API key is empty; leave it out to accept any credential")

    def _check_rates(self) -> None:
        rates = {f"{name}_rate": self.rate(name) for name in (*REQUEST_FAULTS, *ANSWER_FAULTS)}
        rates |= {f"the skill of {model}": skill for model, skill in self.skills.items()}
        for name, rate in rates.items():
            if not 0.0 <= rate <= 1.0:
                raise ValueError(f"{name} is {rate}; a rate lies between 0 and 1")
        for group in (REQUEST_FAULTS, ANSWER_FAULTS):
            if sum(map(self.rate, group)) > 1.0 + 1e-9:
                raise ValueError(f"the rates of {', '.join(group)} add up to more than 1")

    @property
    def models(self) -> dict[str, float]:
        """The models served, each with its skill: the probability of a right answer."""
        return {DEFAULT_MODEL: 1.0, **self.skills}

    def rate(self, fault: str) -> float:
        """Return the probability of one of REQUEST_FAULTS or ANSWER_FAULTS."""
        value: float = getattr(self, f"{fault}_rate")
        return value
