"""What the SDK raises, as what decides: TransientError may be tried again, PermanentError is told to the user."""

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

from shared.core.errors import DistillationError, NotFound, PermanentError, TransientError

RETRIED_STATUSES = frozenset({408, 429})
ROLE = "give the app's identity the role AzureML Data Scientist on the workspace"


class NameTaken(PermanentError):
    """The service has a resource of this name already."""


@contextmanager
def service_errors(doing: str) -> Generator[None]:
    """Raise the SDK's errors as ours. `doing` opens the message: "fine-tuning job x could not be submitted"."""
    from azure.ai.ml.exceptions import MlException

    try:
        yield
    except DistillationError:
        raise
    except HttpResponseError as error:
        raise _from_response(doing, error) from error
    except (ServiceRequestError, ServiceResponseError) as error:
        raise TransientError(
            f"{doing}: the service could not be reached ({_one_line(error)})"
        ) from error
    except (MlException, AzureError) as error:
        raise PermanentError(f"{doing}: {_one_line(error)}", code="azureml") from error


def problem_of(check: Callable[..., object], *arguments: str) -> list[str]:
    """The check's complaint, if any. What is transient stays an error."""
    try:
        check(*arguments)
    except PermanentError as error:
        return [str(error)]
    return []


def _from_response(doing: str, error: HttpResponseError) -> DistillationError:
    status, said = error.status_code, service_message(error)
    if isinstance(error, ClientAuthenticationError) and status is None:
        return TransientError(f"{doing}: no token could be had; check the app's identity ({said})")
    if status is None or status < 400:
        return TransientError(f"{doing}: the service gave no usable answer ({said})")
    if status in RETRIED_STATUSES or status >= 500:
        return TransientError(
            f"{doing}: the service answers {status}: {said}", retry_after=_retry_after(error)
        )
    if status == 404:
        return NotFound(f"{doing}: {said}")
    if status == 409:
        return NameTaken(f"{doing}: {said}", code="azureml")
    if status in (401, 403):
        return PermanentError(f"{doing}: access is denied; {ROLE} ({said})", code="azureml_access")
    return PermanentError(f"{doing}: {said}", code="azureml")


def service_message(error: HttpResponseError) -> str:
    """The service's own words, with each detail it gives; never the whole response."""
    body: Any = error.error  # the body's error object, where there is one
    message: str = getattr(body, "message", None) or error.message
    details: list[Any] = getattr(body, "details", None) or []
    said = [
        message,
        *(detail.message for detail in details if detail.message and detail.message not in message),
    ]
    return " ".join(" ".join(said).split())


def _retry_after(error: HttpResponseError) -> float | None:
    """Seconds, from a number of seconds or an HTTP date."""
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
    except (ValueError, TypeError):  # no date, or one without a zone
        return None


def _one_line(error: Exception) -> str:
    return " ".join(str(getattr(error, "message", None) or error).split())[:500]
