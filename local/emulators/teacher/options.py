"""Options of a local teacher: models, keys, pace, limits and faults, checked at the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.emulators.options import option

DEFAULT_MODEL = "local-teacher"
REQUEST_FAULTS = ("error", "throttle", "hang", "reset", "content_filter")
ANSWER_FAULTS = ("malformed", "truncated", "empty", "refused", "wrong")


def _rate(effect: str) -> Any:
    return option(0.0, f"0 to 1: {effect}", metavar="P")


@dataclass(frozen=True, kw_only=True)
class TeacherOptions:
    """Every rate is a probability in [0, 1]; the rates of a group must not add up to more than 1.

    Request faults happen to a whole request, answer faults to the answer of a successful one.
    """

    skills: Mapping[str, float] = field(default_factory=dict[str, float])  # models beside the usual
    keys: tuple[Path, ...] = ()  # answer keys beside those of the samples
    api_key: str | None = field(default=None, repr=False)  # None accepts any credential
    seed: int = option(0, "of everything that is drawn")
    latency_ms: float = option(0.0, "milliseconds before each answer")
    latency_jitter: float = option(0.0, "milliseconds added at most, drawn evenly")
    rpm: int | None = option(None, "requests a minute", type=int)
    tpm: int | None = option(None, "tokens a minute, charged on arrival", type=int)
    no_max_tokens: bool = option(
        False, "refuse `max_tokens`, as reasoning models do that want `max_completion_tokens`"
    )
    reject: str | None = option(
        None, "always answer 400 to requests whose messages contain this", type=str, metavar="TEXT"
    )
    error_rate: float = _rate("answers 500, 502 or 503")
    throttle_rate: float = _rate("answers 429 with retry-after, whatever the limits")
    hang_rate: float = _rate("never answers")
    reset_rate: float = _rate("resets the connection")
    content_filter_rate: float = _rate("half on the prompt (400), half on the answer")
    malformed_rate: float = _rate("prose, broken JSON, a borderline case, or code fences")
    truncated_rate: float = _rate("half an answer, finish_reason length")
    empty_rate: float = _rate("no text at all")
    refused_rate: float = _rate("refusal field or refusal text")
    wrong_rate: float = _rate("well-formed, but not right")
    echo_rate: float = _rate(
        "be hostile: quote the caller's keys; above 0, every header and error does so as well"
    )
    log: Path | None = option(
        None, "append one JSON line for each chat request: no texts, no keys", type=Path
    )

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
        names = (*REQUEST_FAULTS, *ANSWER_FAULTS, "echo")
        rates = {f"{name}_rate": self.rate(name) for name in names}
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
