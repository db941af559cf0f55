"""Settings: everything wrong in one message, and no secret in any print-out."""

from __future__ import annotations

import pytest

from shared.errors import SettingsError
from shared.settings import SETTINGS, load, normalise_base_url, trigger_source

COMPLETE = {
    "DISTILLATION_STORAGE": "AccountKey=hush;AccountName=a",
    "TEACHER_BASE_URL": "https://teacher/v1/",
    "TEACHER_MODEL": "m",
    "TEACHER_API_KEY": "sesame",
    "AZUREML_SUBSCRIPTION_ID": "s",
    "AZUREML_RESOURCE_GROUP": "g",
    "AZUREML_WORKSPACE": "w",
}


def test_every_missing_setting_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        load({})
    required = {name for name, (needed, _) in SETTINGS.items() if needed}
    assert {problem["where"] for problem in error.value.details} == required


def test_wrong_settings_are_named_with_what_is_allowed() -> None:
    with pytest.raises(SettingsError) as error:
        load({**COMPLETE, "TEACHER_BASE_URL": "teacher", "BLOB_TRIGGER_SOURCE": "Pigeon"})
    assert {problem["where"] for problem in error.value.details} == {"TEACHER_BASE_URL", "BLOB_TRIGGER_SOURCE"}


def test_an_identity_needs_no_connection_string() -> None:
    environ = {**COMPLETE, "DISTILLATION_STORAGE__blobServiceUri": "https://a.blob.core.windows.net"}
    del environ["DISTILLATION_STORAGE"]
    assert load(environ).blob_service_uri == "https://a.blob.core.windows.net"


def test_secrets_are_masked_when_settings_are_printed() -> None:
    printed = f"{load(COMPLETE)!r} {load(COMPLETE)} {load(COMPLETE).model_dump_json()}"
    assert "hush" not in printed
    assert "sesame" not in printed


def test_a_full_endpoint_address_is_reduced_to_its_base() -> None:
    assert normalise_base_url(" https://x/v1/chat/completions/ ") == "https://x/v1"


def test_an_absent_trigger_source_means_polling() -> None:
    assert trigger_source({}) == "LogsAndContainerScan"
