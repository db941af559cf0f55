"""What every activity returns: one small JSON object with a `status`. Permanent failures are data, transient ones are raised.

Durable hands orchestrators an untyped exception, so what they must decide on cannot travel as one.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec

from shared.core.errors import PermanentError

P = ParamSpec("P")


class Payload(dict[str, Any]):
    """An activity's input or output. A class, as the Functions worker refuses generic annotations (`dict[str, Any]`)."""


def ok(**fields: Any) -> Payload:
    return Payload(status="ok", **fields)


def returns_permanent_failures(
    activity: Callable[P, Awaitable[Payload]],
) -> Callable[P, Awaitable[Payload]]:
    """Turn a PermanentError of the activity into its result; anything else is left to Durable's retries."""

    @functools.wraps(activity)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> Payload:
        try:
            return await activity(*args, **kwargs)
        except PermanentError as error:
            logging.getLogger("distillation").warning(
                "%s: %s: %s", activity.__name__, error.code, error
            )
            return Payload(status="failed", error=error.as_data())

    return guarded
