"""JSON answers of the HTTP API: one shape for every error, one status code for each kind."""

from __future__ import annotations

import json
from typing import Any

from shared.core.errors import (
    DistillationError,
    ErrorCode,
    InvalidInput,
    NotFound,
    PermanentError,
    SettingsError,
)

MAX_BODY_BYTES = 256 * 1024  # a specification is a few KB; Durable keeps it in the run's history


def status_of(error: DistillationError) -> int:
    """HTTP status of an error: 503 where trying again may help, 500 where the app itself is set up wrong."""
    if not isinstance(error, PermanentError):
        return 503
    if error.code in STATUS_OF_CODE:
        return STATUS_OF_CODE[error.code]
    for kind, status in ((NotFound, 404), (InvalidInput, 400), (SettingsError, 500)):
        if isinstance(error, kind):
            return status
    return 500


STATUS_OF_CODE: dict[str, int] = {
    ErrorCode.RUN_EXISTS: 409,
    ErrorCode.RUN_ENDED: 409,
    ErrorCode.RUN_PAST_GENERATION: 409,
    ErrorCode.RUN_ACTIVE: 409,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.MEDIA_TYPE: 415,
    ErrorCode.INVALID_INPUT: 422,
}


def error_body(error: DistillationError) -> dict[str, Any]:
    if isinstance(error, PermanentError):
        return {"error": error.as_data()}
    return {"error": {"code": ErrorCode.UNAVAILABLE, "message": str(error), "details": []}}


def parse_body(content_type: str, body: bytes) -> Any:
    """A request's JSON body. Raises a PermanentError that becomes 400, 413 or 415."""
    if len(body) > MAX_BODY_BYTES:
        raise PermanentError(
            f"the body is larger than {MAX_BODY_BYTES} bytes", code=ErrorCode.TOO_LARGE
        )
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise PermanentError(
            "the body must be sent as Content-Type: application/json", code=ErrorCode.MEDIA_TYPE
        )
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            "the body is not JSON",
            code=ErrorCode.INVALID_JSON,
            details=[{"where": "body", "problem": str(error)}],
        ) from None
