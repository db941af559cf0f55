"""What the openai SDK raises, as what decides: TransientError may be tried again, PermanentError is told to the user."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import SecretStr

from shared.core.errors import DistillationError, NotFound, PermanentError, TransientError
from shared.teacher.retry import retry_after

if TYPE_CHECKING:
    from openai import APIStatusError

T = TypeVar("T")
RETRIED_STATUSES = frozenset({408, 429})
MAX_SAID = 500  # characters of what the service says
ACCESS = (
    "check the setting AZURE_OPENAI_API_KEY or, without a key, give the app's identity the role "
    "Cognitive Services OpenAI Contributor on the resource"
)


@contextmanager
def service_errors(doing: str, key: SecretStr | None) -> Generator[None]:
    """Raise the SDK's errors as ours. `doing` opens the message; `key` is struck out of what the service says."""
    from azure.core.exceptions import AzureError
    from openai import APIConnectionError, APIStatusError, OpenAIError

    try:
        yield
    except DistillationError:
        raise
    except APIStatusError as error:
        raise _from_response(doing, error, key) from error
    except (
        APIConnectionError
    ) as error:  # time-outs are among them, and failures to read what is being uploaded
        raise TransientError(
            f"{doing}: the service could not be reached ({_cause(error, key)})"
        ) from error
    except AzureError as error:  # of the identity: storage has errors of its own
        raise TransientError(
            f"{doing}: no token could be had; check the app's identity ({_cause(error, key)})"
        ) from error
    except OpenAIError as error:
        raise PermanentError(f"{doing}: {_one_line(error, key)}", code="openai") from error
    except JSONDecodeError as error:
        raise TransientError(
            f"{doing}: the service gave no usable answer ({_one_line(error, key)})"
        ) from error


def usable(answer: T) -> T:
    """What the SDK gives for a page of HTML that came with 200, as a proxy may send it, is a text. Raises TransientError."""
    if isinstance(answer, str):
        raise TransientError(f"the service gave no usable answer ({' '.join(answer.split())[:80]})")
    return answer


def _from_response(doing: str, error: APIStatusError, key: SecretStr | None) -> DistillationError:
    status, said = error.status_code, _said(error, key)
    if status in RETRIED_STATUSES or status >= 500:
        wait = retry_after(error.response.headers)
        return TransientError(f"{doing}: the service answers {status}: {said}", retry_after=wait)
    if status == 401:  # its words may quote the key
        return PermanentError(f"{doing}: access is denied (401); {ACCESS}", code="openai_access")
    if status == 403:
        return PermanentError(
            f"{doing}: access is denied (403); {ACCESS} ({said})", code="openai_access"
        )
    if status == 404:
        return NotFound(f"{doing}: {said}")
    return PermanentError(f"{doing}: {said}", code="openai")


def _said(error: APIStatusError, key: SecretStr | None) -> str:
    """The service's own words; never the whole response."""
    body = error.body
    message: Any = cast(dict[str, Any], body).get("message") if isinstance(body, dict) else None
    return _clean(str(message or error.message), key)


def _cause(error: Exception, key: SecretStr | None) -> str:
    return _one_line(error.__cause__ or error, key)


def _one_line(error: BaseException, key: SecretStr | None) -> str:
    return _clean(str(error) or type(error).__name__, key)


def _clean(text: str, key: SecretStr | None) -> str:
    if key:
        text = text.replace(key.get_secret_value(), "***")
    return " ".join(text.split())[:MAX_SAID]
