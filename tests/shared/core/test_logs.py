"""Application Insights gets the app's records, not a record for each request of the Azure SDKs."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from local.bootstrap import ROOT
from shared.core.logs import quieten_azure_sdks, redact_logs
from shared.core.process import Process, use

HTTP_LOGGER = "azure.core.pipeline.policies.http_logging_policy"


def test_importing_the_app_silences_the_requests_of_the_sdks_and_nothing_else() -> None:
    code = f"""
import logging
logging.basicConfig(level=logging.INFO)
import function_app
for name in ({HTTP_LOGGER!r}, "shared.generation.shard"):
    print(logging.getLogger(name).isEnabledFor(logging.INFO))
    print(logging.getLogger(name).isEnabledFor(logging.WARNING))
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == ["False", "True", "True", "True"]


def test_a_level_that_somebody_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    azure_logger = logging.getLogger("azure")
    monkeypatch.setattr(azure_logger, "level", logging.DEBUG)
    quieten_azure_sdks()
    assert azure_logger.level == logging.DEBUG


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError


def test_no_record_of_any_logger_has_a_secret(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key = "key-of-the-teacher-0123"
    monkeypatch.setenv("TEACHER_API_KEY", key)
    factory = logging.getLogRecordFactory()
    before = use(Process())
    try:
        redact_logs()
        for arguments in (("wrong key %s", key), (f"wrong key {key}",)):
            logging.getLogger("any.sdk").warning(*arguments)
        try:
            raise ValueError(f"wrong key {key}")
        except ValueError:
            logging.getLogger("any.sdk").exception("it failed")
        made = logging.getLogRecordFactory()
        made("any.sdk", logging.WARNING, "", 0, "%s", (Unprintable(),), None)  # raises nothing
    finally:
        use(before)
        logging.setLogRecordFactory(factory)
    *quoting, failed = caplog.records
    assert [record.getMessage() for record in quoting] == ["wrong key ***"] * 2
    assert failed.exc_info is None
    assert str(failed.exc_text).endswith("ValueError: wrong key ***")
