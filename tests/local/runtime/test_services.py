"""The settings of the cloud's processes: the app's, and nothing of the user's Azure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from local.emulators.azure_openai.environment import LOCAL_KEY
from local.runtime.options import CloudOptions
from local.runtime.services import (
    LOCAL_TEACHER,
    Addresses,
    azure_openai,
    azureml,
    child_environment,
    host,
    host_settings,
    teacher,
)
from shared.core.secrets import redactor
from shared.core.settings import BLOB_SERVICE_URI, PRICES, SETTINGS, STORAGE, load, trigger_source
from tests.support.azureml import emulator

ADDRESSES = Addresses(
    storage="UseLocal=secret",
    teacher_url="http://127.0.0.1:2/v1",
    azureml_url="http://127.0.0.1:3",
    openai_url="http://127.0.0.1:4/openai/v1",
    identity_header="secret-identity",
)
FOREIGN = {
    "AZURE_CLIENT_ID": "mine",
    "AZURE_CLIENT_SECRET": "mine",
    "AZURE_TENANT_ID": "mine",
    "MSI_ENDPOINT": "mine",
    "IDENTITY_ENDPOINT": "mine",
    "IDENTITY_SERVER_THUMBPRINT": "mine",
    "TEACHER_API_KEY": "mine",
    "TEACHER_SCOPE": "mine",
    "AZUREML_WORKSPACE": "mine",
    "AZUREML_DATASTORE": "mine",
    "AZURE_OPENAI_BASE_URL": "mine",
    "AZURE_OPENAI_API_KEY": "mine",
    STORAGE: "mine",
    BLOB_SERVICE_URI: "mine",
    f"{STORAGE}__credential": "mine",
}
OPTIONS = CloudOptions(data_dir=Path("/data"))
OWN_TEACHER = replace(
    OPTIONS, teacher_url="https://t/v1", teacher_model="large", teacher_key="secret-key"
)


def test_the_host_gets_every_setting_that_the_app_needs() -> None:
    settings = host_settings(OPTIONS, ADDRESSES, {})
    assert {name for name, (required, _) in SETTINGS.items() if required} <= settings.keys()
    loaded = load(settings)
    assert (loaded.teacher_base_url, loaded.teacher_model) == (ADDRESSES.teacher_url, LOCAL_TEACHER)
    assert settings["TEACHER_API_KEY"] not in LOCAL_TEACHER, "secrets are replaced by ***"
    assert trigger_source(settings) == "LogsAndContainerScan"
    assert settings["AzureWebJobsStorage"] == ADDRESSES.storage


def test_a_developers_own_azure_is_kept_from_the_host() -> None:
    settings = host_settings(OPTIONS, ADDRESSES, {**FOREIGN, "PATH": "/bin", "HOME": "/root"})
    assert "mine" not in settings.values()
    assert (settings["PATH"], settings["HOME"]) == ("/bin", "/root")


def test_prices_for_quotes_may_be_set_from_outside() -> None:
    prices: dict[str, str] = dict.fromkeys(PRICES, "0.5")
    assert host_settings(OPTIONS, ADDRESSES, prices).items() >= prices.items()


def test_the_students_default_may_be_set_from_outside() -> None:
    assert (
        host_settings(OPTIONS, ADDRESSES, {"STUDENT_MODEL": "azureml://x"})["STUDENT_MODEL"]
        == "azureml://x"
    )


def test_a_teacher_of_the_users_own_gets_its_own_key() -> None:
    settings = host_settings(OWN_TEACHER, replace(ADDRESSES, teacher_url="https://t/v1"), FOREIGN)
    assert settings["TEACHER_BASE_URL"] == "https://t/v1"
    assert (settings["TEACHER_MODEL"], settings["TEACHER_API_KEY"]) == ("large", "secret-key")


def test_the_local_teachers_name_is_not_taken_for_its_key_that_is_cut_off() -> None:
    settings = host_settings(OPTIONS, ADDRESSES, {})
    redact = redactor([settings["TEACHER_API_KEY"]])
    assert redact(settings["TEACHER_MODEL"]) == settings["TEACHER_MODEL"]


def test_another_azure_openai_gets_the_users_own_key_and_the_local_one_never() -> None:
    settings = host_settings(OPTIONS, ADDRESSES, FOREIGN)
    assert settings["AZURE_OPENAI_BASE_URL"] == "http://127.0.0.1:4/openai/v1"
    assert settings["AZURE_OPENAI_API_KEY"] == LOCAL_KEY
    own = replace(OPTIONS, openai_url="https://o/openai/v1", openai_key="secret-openai")
    assert host_settings(own, ADDRESSES, {})["AZURE_OPENAI_API_KEY"] == "secret-openai"
    assert "secret-openai" not in repr(own)


def test_a_teacher_without_a_key_is_asked_with_an_identity() -> None:
    assert "TEACHER_API_KEY" not in host_settings(
        replace(OWN_TEACHER, teacher_key=None), ADDRESSES, FOREIGN
    )


@pytest.mark.parametrize(
    ("given", "exempt"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": "corp.example"}, "corp.example,127.0.0.1,localhost"),
        ({"no_proxy": ".a, b,"}, ".a, b,127.0.0.1,localhost"),
        ({"NO_PROXY": "localhost,127.0.0.1"}, "localhost,127.0.0.1"),
        ({"NO_PROXY": "*"}, "*"),
    ],
)
def test_loopback_is_exempt_from_the_users_proxy(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], exempt: str
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    for settings in (
        host_settings(OPTIONS, ADDRESSES, {**given, "HTTPS_PROXY": "http://proxy:3128"}),
        child_environment(ADDRESSES),
    ):
        assert (settings["NO_PROXY"], settings["no_proxy"]) == (exempt, exempt)


def test_the_stand_ins_work_on_the_local_storage_and_with_the_local_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (STORAGE, "AzureWebJobsStorage", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, "mine")
    environment = child_environment(ADDRESSES)
    assert (environment[STORAGE], environment["AzureWebJobsStorage"]) == (
        ADDRESSES.storage,
        ADDRESSES.storage,
    )
    assert environment["IDENTITY_HEADER"] == ADDRESSES.identity_header
    assert "mine" not in environment.values()


def test_no_secret_is_on_a_command_line() -> None:
    services = (
        host(OWN_TEACHER, 1, {}),
        *(make(OPTIONS, 2, {}) for make in (teacher, azureml, azure_openai)),
    )
    assert not [part for service in services for part in service.command if "secret" in part]
    assert all(service.command[-1] == "--lifeline" for service in services)


def test_flags_of_the_stand_ins_are_handed_on() -> None:
    options = replace(
        OPTIONS,
        teacher_options=("--rpm=600",),
        azureml_options=("--pace=60",),
        openai_options=("--pace=5",),
    )
    assert "--pace=5" in azure_openai(options, 4, {}).command
    assert "--rpm=600" in teacher(options, 2, {}).command
    assert "--pace=60" in azureml(options, 3, {}).command


def test_secrets_are_masked_where_things_are_printed() -> None:
    assert "secret-key" not in repr(OWN_TEACHER)
    assert "secret-identity" not in repr(ADDRESSES)
    assert "secret-key" not in repr(host(OWN_TEACHER, 1, host_settings(OWN_TEACHER, ADDRESSES, {})))


def test_a_service_is_ready_when_it_answers(tmp_path: Path) -> None:
    with emulator(data_dir=tmp_path) as url:
        port = int(url.rpartition(":")[2])
        assert azureml(OPTIONS, port, {}).ready()
        assert not host(OPTIONS, port, {}).ready()
    assert not azureml(OPTIONS, port, {}).ready()
