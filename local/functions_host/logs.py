"""Log records of the app carry the id of the invocation that wrote them, as they do in Azure."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s%(invocation)s"
# Microsoft's worker writes two lines there for each invocation
QUIET = ("azure.core.pipeline.policies.http_logging_policy", "azure.identity", "azure.functions")


class _InvocationFilter(logging.Filter):
    """Add `invocation` to each record: ` [invocation <id>]`, empty outside of invocations."""

    def __init__(self, invocation_id: ContextVar[str | None]) -> None:
        super().__init__()
        self._invocation_id = invocation_id

    def filter(self, record: logging.LogRecord) -> bool:
        identifier = self._invocation_id.get()
        record.invocation = f" [invocation {identifier}]" if identifier else ""
        return True


@contextmanager
def invocations_in_records(invocation_id: ContextVar[str | None]) -> Generator[None]:
    """Mark the records of all handlers of the root logger while the context lasts."""
    marker = _InvocationFilter(invocation_id)
    handlers = list(logging.getLogger().handlers)
    for handler in handlers:
        handler.addFilter(marker)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(marker)


def log_to(handler: logging.Handler) -> None:
    """Send everything from INFO on to this handler, without the chatter of the SDKs."""
    handler.setFormatter(logging.Formatter(FORMAT, defaults={"invocation": ""}))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
