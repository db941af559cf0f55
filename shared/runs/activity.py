"""The edge of an activity: JSON in, a model for the activity; a model out, JSON for the history.

The Functions worker accepts a pydantic model as an annotation of an activity, so the signature that
it reads is the one of the activity's own function.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import BaseModel

from shared.core.errors import PermanentError, TransientError
from shared.core.json_values import JsonObject, json_object
from shared.core.process import current
from shared.core.secrets import Redact, redacted_json
from shared.runs.wire import Activity, Failed, to_wire

InputT = TypeVar("InputT", bound=BaseModel)
OutputT = TypeVar("OutputT", bound=BaseModel)
Body = Callable[..., Awaitable[OutputT]]
log = logging.getLogger(__name__)


def implements(
    name: Activity[InputT, OutputT],
) -> Callable[[Body[OutputT]], Callable[..., Awaitable[JsonObject]]]:
    """Give an activity its input as a model, and return its output as JSON.

    A PermanentError of the activity becomes `Failed`. Any other exception is raised, and Durable
    retries the activity. Whatever a service has said, no secret of the app reaches the history.
    """

    def decorate(body: Body[OutputT]) -> Callable[..., Awaitable[JsonObject]]:
        input_name = next(iter(inspect.signature(body).parameters))

        @functools.wraps(body)
        async def activity(**arguments: Any) -> JsonObject:
            arguments[input_name] = name.takes.model_validate(arguments[input_name])
            try:
                output = await body(**arguments)
            except PermanentError as error:
                log.warning("%s failed: %s: %s", name, error.code, error)
                failed = to_wire(Failed(error=error.as_data()))
                return _without_secrets(failed, current().redact_failure)
            except Exception as error:
                raise_without_secrets(error)
                raise
            return _without_secrets(to_wire(output), current().redact)

        return activity

    return decorate


def _without_secrets(output: JsonObject, redact: Redact) -> JsonObject:
    return json_object(redacted_json(output, redact)) or {}


def raise_without_secrets(error: Exception) -> None:
    """Raise another error in place of one that quotes a secret."""
    text = str(error)
    redacted = current().redact_failure(text)
    if redacted != text:
        raise TransientError(f"{type(error).__name__}: {redacted}") from None
