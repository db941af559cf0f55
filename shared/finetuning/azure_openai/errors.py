"""The SDK's errors as ours: TransientError is retried, PermanentError goes to the user."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from json import JSONDecodeError
from typing import TYPE_CHECKING, TypeVar

from pydantic import SecretStr

from shared.core.errors import (
    DistillationError,
    ErrorCode,
    NotFound,
    PermanentError,
    TransientError,
)
from shared.core.json_values import json_object
from shared.teacher.retry import retry_after

if TYPE_CHECKING:
    from openai import APIStatusError

AnswerT = TypeVar("AnswerT")
RETRIED_STATUSES = frozenset({408, 429})
MAX_MESSAGE_CHARACTERS = 500
SHOWN_CHARACTERS = 80  # of an answer that isn't the API's
ACCESS = (
    "check the setting AZURE_OPENAI_API_KEY or, without a key, give the app's identity the role "
    "Cognitive Services OpenAI Contributor on the resource"
)


@contextmanager
def service_errors(failure: str, key: SecretStr | None) -> Generator[None]:
    """Raise the SDK's errors as ours, with `failure` before the service's message.

    The key is removed from the message.
    """
    from azure.core.exceptions import AzureError
    from openai import APIConnectionError, APIStatusError, OpenAIError

    try:
        yield
    except DistillationError:
        raise
    except APIStatusError as error:
        raise _from_response(failure, error, key) from error
    except APIConnectionError as error:  # also for time-outs, and while an upload is being read
        cause = _cause(error, key)
        raise TransientError(f"{failure}: the service could not be reached ({cause})") from error
    except AzureError as error:  # of the identity: storage has errors of its own
        cause = _cause(error, key)
        raise TransientError(
            f"{failure}: the app's identity got no token; check its configuration ({cause})"
        ) from error
    except OpenAIError as error:
        raise PermanentError(
            f"{failure}: {_one_line(error, key)}", code=ErrorCode.OPENAI
        ) from error
    except JSONDecodeError as error:
        message = _one_line(error, key)
        raise TransientError(f"{failure}: the service gave no usable answer ({message})") from error


def usable(answer: AnswerT) -> AnswerT:
    """Return the answer. Raises TransientError if it is text.

    The SDK returns `str` when a proxy answers 200 with HTML.
    """
    if isinstance(answer, str):
        shown = " ".join(answer.split())[:SHOWN_CHARACTERS]
        raise TransientError(f"the service gave no usable answer ({shown})")
    return answer


def _from_response(failure: str, error: APIStatusError, key: SecretStr | None) -> DistillationError:
    status = error.status_code
    message = _service_message(error, key)
    if status in RETRIED_STATUSES or status >= 500:
        return TransientError(
            f"{failure}: the service answered {status}: {message}",
            retry_after=retry_after(error.response.headers),
        )
    if status == 401:  # the service's message may quote the key
        return PermanentError(
            f"{failure}: access is denied (401); {ACCESS}", code=ErrorCode.OPENAI_ACCESS
        )
    if status == 403:
        return PermanentError(
            f"{failure}: access is denied (403); {ACCESS} ({message})", code=ErrorCode.OPENAI_ACCESS
        )
    if status == 404:
        return NotFound(f"{failure}: {message}")
    return PermanentError(f"{failure}: {message}", code=ErrorCode.OPENAI)


def _service_message(error: APIStatusError, key: SecretStr | None) -> str:
    """Return the service's message, never the whole response."""
    body = json_object(error.body) or {}
    message = body.get("message")
    return _clean(str(message or error.message), key)


def _cause(error: Exception, key: SecretStr | None) -> str:
    return _one_line(error.__cause__ or error, key)


def _one_line(error: BaseException, key: SecretStr | None) -> str:
    return _clean(str(error) or type(error).__name__, key)


def _clean(text: str, key: SecretStr | None) -> str:
    if key:
        text = text.replace(key.get_secret_value(), "***")
    return " ".join(text.split())[:MAX_MESSAGE_CHARACTERS]
