"""The fault lottery, drawn from seed, request and attempt: runs repeat, retries can succeed."""

from __future__ import annotations

from collections.abc import Sequence

from local.emulators.openai_errors import ApiError
from local.emulators.service import draw
from local.emulators.teacher.errors import filtered_prompt
from local.emulators.teacher.limits import throttled
from local.emulators.teacher.options import ANSWER_FAULTS, REQUEST_FAULTS, TeacherOptions

SERVER_ERRORS = {500: "server_error", 502: "bad_gateway", 503: "service_unavailable"}


class Lottery:
    """Draws for tickets, one for each (request, attempt), whatever their order of arrival."""

    def __init__(self, options: TeacherOptions) -> None:
        self._options = options

    def draw(self, ticket: str, purpose: str) -> float:
        """Return a number in [0, 1), the same for the same seed, ticket and purpose."""
        return draw(self._options.seed, ticket, purpose)

    def request_fault(self, ticket: str) -> str:
        """Return one of REQUEST_FAULTS, or "" if the request succeeds."""
        return self._pick(ticket, "request", REQUEST_FAULTS)

    def answer_fault(self, ticket: str) -> str:
        """Return one of ANSWER_FAULTS, or ""."""
        return self._pick(ticket, "answer 0", ANSWER_FAULTS)

    def latency_s(self, ticket: str) -> float:
        jitter = self._options.latency_jitter
        drawn = jitter * self.draw(ticket, "latency") if jitter else 0.0
        return (self._options.latency_ms + drawn) / 1000

    def refusal(self, ticket: str, fault: str) -> ApiError | None:
        """Return the error that a request fault answers with; None for other faults."""
        detail = self.draw(ticket, f"{fault} detail")
        if fault == "throttle":
            return throttled("requests", 0.02 + detail / 10, {}, fault="throttle")
        if fault == "error":
            status = list(SERVER_ERRORS)[int(detail * len(SERVER_ERRORS))]
            kind = SERVER_ERRORS[status]
            headers = {"retry-after": "1", "retry-after-ms": "50"} if status == 503 else {}
            message = f"The teacher failed on purpose with {status}; try again."
            return ApiError(status, message, kind=kind, headers=headers, fault="error")
        if fault == "content_filter" and detail < 0.5:
            return filtered_prompt()
        return None

    def _pick(self, ticket: str, purpose: str, faults: Sequence[str]) -> str:
        rates = [(fault, rate) for fault in faults if (rate := self._options.rate(fault))]
        if not rates:
            return ""
        drawn = self.draw(ticket, purpose)
        for fault, rate in rates:
            drawn -= rate
            if drawn < 0:
                return fault
        return ""
