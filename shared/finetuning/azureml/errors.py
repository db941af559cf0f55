"""The SDK's errors as ours: TransientError is retried, PermanentError goes to the user."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from shared.core.errors import (
    DistillationError,
    ErrorCode,
    NotFound,
    PermanentError,
    TransientError,
)

RETRIED_STATUSES = frozenset({408, 429})
MAX_MESSAGE_CHARACTERS = 500
ROLE = "give the app's identity the role AzureML Data Scientist on the workspace"


class NameTaken(PermanentError):
    """The service already has a resource of this name."""


@contextmanager
def service_errors(failure: str) -> Generator[None]:
    """Raise the SDK's errors as ours.

    `failure` opens the message: "fine-tuning job x could not be submitted".
    """
    from azure.ai.ml.exceptions import MlException

    try:
        yield
    except DistillationError:
        raise
    except HttpResponseError as error:
        raise _from_response(failure, error) from error
    except (ServiceRequestError, ServiceResponseError) as error:
        cause = _one_line(error)
        raise TransientError(f"{failure}: the service could not be reached ({cause})") from error
    except (MlException, AzureError) as error:
        raise PermanentError(f"{failure}: {_one_line(error)}", code=ErrorCode.AZUREML) from error


def problem_of(check: Callable[..., object], *arguments: str) -> list[str]:
    """Return the check's permanent error as text, if it raises one. Others are passed on."""
    try:
        check(*arguments)
    except PermanentError as error:
        return [str(error)]
    return []


def _from_response(failure: str, error: HttpResponseError) -> DistillationError:
    status = error.status_code
    message = service_message(error)
    if isinstance(error, ClientAuthenticationError) and status is None:
        return TransientError(
            f"{failure}: the app's identity got no token; check its configuration ({message})"
        )
    if status is None or status < 400:
        return TransientError(f"{failure}: the service gave no usable answer ({message})")
    if status in RETRIED_STATUSES or status >= 500:
        return TransientError(
            f"{failure}: the service answered {status}: {message}", retry_after=_retry_after(error)
        )
    return _refused(failure, status, message)


def _refused(failure: str, status: int, message: str) -> PermanentError:
    if status == 404:
        return NotFound(f"{failure}: {message}")
    if status == 409:
        return NameTaken(f"{failure}: {message}", code=ErrorCode.AZUREML)
    if status in (401, 403):
        return PermanentError(
            f"{failure}: access is denied; {ROLE} ({message})", code=ErrorCode.AZUREML_ACCESS
        )
    return PermanentError(f"{failure}: {message}", code=ErrorCode.AZUREML)


def service_message(error: HttpResponseError) -> str:
    """Return the service's message with every detail it gives, never the whole response."""
    body: Any = error.error  # the body's error object, if there is one
    message: str = getattr(body, "message", None) or error.message
    details: list[Any] = getattr(body, "details", None) or []
    new_details = [
        detail.message for detail in details if detail.message and detail.message not in message
    ]
    return " ".join(" ".join([message, *new_details]).split())


def _retry_after(error: HttpResponseError) -> float | None:
    """Return the seconds to wait, given as a number or as an HTTP date."""
    headers: Any = getattr(error.response, "headers", None) or {}
    text = headers.get("Retry-After")
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # not a date, or one without a zone
        return None


def _one_line(error: Exception) -> str:
    text = str(getattr(error, "message", None) or error)
    return " ".join(text.split())[:MAX_MESSAGE_CHARACTERS]
