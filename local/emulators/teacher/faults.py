"""The lottery of faults: drawn from seed, request and attempt, so that a run can be repeated and a retry can succeed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from local.emulators.teacher.errors import ApiError, filtered_prompt
from local.emulators.teacher.limits import throttled
from local.emulators.teacher.options import ANSWER_FAULTS, REQUEST_FAULTS, TeacherOptions

SERVER_ERRORS = {500: "server_error", 502: "bad_gateway", 503: "service_unavailable"}


class Lottery:
    """One ticket a (request, attempt); every draw from it is independent of the others and of arrival order."""

    def __init__(self, options: TeacherOptions) -> None:
        self._options = options
        self._request_faults = any(options.rate(fault) for fault in REQUEST_FAULTS)
        self._answer_faults = any(options.rate(fault) for fault in ANSWER_FAULTS)

    def draw(self, ticket: str, what: str) -> float:
        """A number in [0, 1), the same whenever the same thing is drawn with the same seed."""
        digest = hashlib.blake2b(
            f"{self._options.seed}/{ticket}/{what}".encode(), digest_size=8
        ).digest()
        return int.from_bytes(digest, "big") / 2**64

    def request_fault(self, ticket: str) -> str:
        """One of REQUEST_FAULTS, or "" when the request gets through."""
        return self._pick(ticket, "request", REQUEST_FAULTS) if self._request_faults else ""

    def answer_fault(self, ticket: str, choice: int) -> str:
        """One of ANSWER_FAULTS for one choice, or ""."""
        return self._pick(ticket, f"answer {choice}", ANSWER_FAULTS) if self._answer_faults else ""

    def latency_s(self, ticket: str) -> float:
        jitter = self._options.latency_jitter
        drawn = jitter * self.draw(ticket, "latency") if jitter else 0.0
        return (self._options.latency_ms + drawn) / 1000

    def refusal(self, ticket: str, fault: str) -> ApiError | None:
        """The error that a request fault answers with; None for faults that are no HTTP answer."""
        detail = self.draw(ticket, f"{fault} detail")
        if fault == "throttle":
            return throttled("requests", 0.02 + detail / 10, {}, fault="throttle")
        if fault == "error":
            status = list(SERVER_ERRORS)[int(detail * len(SERVER_ERRORS))]
            headers = {"retry-after": "1", "retry-after-ms": "50"} if status == 503 else {}
            message = f"The teacher failed on purpose with {status}; try again."
            return ApiError(
                status, message, kind=SERVER_ERRORS[status], headers=headers, fault="error"
            )
        if fault == "content_filter" and detail < 0.5:
            return filtered_prompt()
        return None

    def _pick(self, ticket: str, what: str, faults: Sequence[str]) -> str:
        drawn = self.draw(ticket, what)
        for fault in faults:
            drawn -= self._options.rate(fault)
            if drawn < 0:
                return fault
        return ""
