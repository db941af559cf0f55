"""Levels of loggers that aren't the app's own, and logs without secrets."""

from __future__ import annotations

import logging
from typing import Any

from shared.core.process import current

FORMATTER = logging.Formatter()


def quieten_azure_sdks() -> None:
    """Log the Azure SDKs from Warning on, unless a level has been set for them.

    They log each request and response at Info: 1,632 of 2,208 records in five sample runs. The
    Python worker forwards records by function, not by logger, so `logLevel` in host.json cannot
    tell them from the app's.
    """
    logger = logging.getLogger("azure")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)


def redact_logs() -> None:
    """Replace the app's secrets in every record, whoever logs it: services are quoted in errors."""
    make = logging.getLogRecordFactory()
    if getattr(make, "redacts", False):
        return

    def made(*arguments: Any, **keywords: Any) -> logging.LogRecord:
        record = make(*arguments, **keywords)
        _redact_traceback(record)
        try:
            text = record.getMessage()
        except Exception:  # logging says so itself when it writes the record
            return record
        redacted = current().redact_failure(text)
        if redacted != text:
            record.msg = redacted
            record.args = ()
        return record

    made.redacts = True  # pyright: ignore[reportFunctionMemberAccess]
    logging.setLogRecordFactory(made)


def _redact_traceback(record: logging.LogRecord) -> None:
    """Replace the exception of a record by the text of its traceback if that has a secret."""
    if not record.exc_info or record.exc_info[0] is None:
        return
    text = FORMATTER.formatException(record.exc_info)
    redacted = current().redact_failure(text)
    if redacted != text:
        record.exc_info = None
        record.exc_text = redacted
