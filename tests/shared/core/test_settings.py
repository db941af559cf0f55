"""Settings: everything wrong in one message, and no secret in any print-out."""

from __future__ import annotations

import pytest

from shared.core.errors import SettingsError
from shared.core.settings import (
    AZUREML_SETTINGS,
    SERVICE_SETTINGS,
    SETTINGS,
    TEACHER_SETTINGS,
    Settings,
    load,
    normalise_base_url,
    trigger_source,
)
from shared.finetuning.registry import get_backend

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
    needed_by_most = {*AZUREML_SETTINGS, *TEACHER_SETTINGS}
    assert {problem["where"] for problem in error.value.details} == required | needed_by_most


def test_an_app_without_a_teacher_is_refused_when_one_is_to_be_asked() -> None:
    without = {name: value for name, value in COMPLETE.items() if name not in TEACHER_SETTINGS}
    app_settings = load(without)
    with pytest.raises(SettingsError) as error:
        app_settings.check_teacher()
    assert [problem["where"] for problem in error.value.details] == list(TEACHER_SETTINGS)
    load(COMPLETE).check_teacher()


def test_one_fine_tuning_service_is_enough() -> None:
    neither = {name: value for name, value in COMPLETE.items() if name not in AZUREML_SETTINGS}
    with pytest.raises(
        SettingsError, match="or set AZURE_OPENAI_BASE_URL to fine-tune there instead"
    ):
        load(neither).check_fine_tuning()
    load(COMPLETE).check_fine_tuning()
    openai = load({**neither, "AZURE_OPENAI_BASE_URL": "https://r.openai.azure.com/openai/v1/"})
    openai.check_fine_tuning()
    assert (openai.azure_openai_base_url, openai.azureml_workspace) == (
        "https://r.openai.azure.com/openai/v1",
        None,
    )
    assert load(COMPLETE).azure_openai_base_url is None


def test_an_app_with_the_settings_of_an_added_service_alone_is_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(SETTINGS, "ABACUS_URL", (False, "URL of the abacus"))
    monkeypatch.setattr(
        "shared.core.settings.SERVICE_SETTINGS", (*SERVICE_SETTINGS, ("ABACUS_URL",))
    )
    neither = {name: value for name, value in COMPLETE.items() if name not in AZUREML_SETTINGS}
    with pytest.raises(SettingsError, match="or set ABACUS_URL to fine-tune there instead"):
        load(neither).check_fine_tuning()
    assert load({**neither, "ABACUS_URL": "http://abacus"}).azureml_workspace is None


def test_every_setting_is_the_field_of_the_same_name() -> None:
    fields = {name.upper() for name in Settings.model_fields}
    storage = {"DISTILLATION_STORAGE", "BLOB_TRIGGER_SOURCE"}
    assert set(SETTINGS) - storage <= fields


@pytest.mark.parametrize("missing", AZUREML_SETTINGS)
def test_a_workspace_is_named_by_all_three_settings(missing: str) -> None:
    environ = {**COMPLETE, "AZURE_OPENAI_BASE_URL": "https://r/openai/v1", missing: " "}
    with pytest.raises(SettingsError) as error:
        load(environ)
    assert [problem["where"] for problem in error.value.details] == [missing]


def test_a_backend_that_is_not_configured_is_refused_with_the_settings_it_needs() -> None:
    with pytest.raises(SettingsError, match=r"by Azure OpenAI, which needs AZURE_OPENAI_BASE_URL"):
        get_backend("azure_openai", load(COMPLETE))
    openai = {name: value for name, value in COMPLETE.items() if name not in AZUREML_SETTINGS}
    own = load({**openai, "AZURE_OPENAI_BASE_URL": "https://r/openai/v1"})
    with pytest.raises(SettingsError) as error:
        get_backend("azureml", own)
    assert [problem["where"] for problem in error.value.details] == list(AZUREML_SETTINGS)


@pytest.mark.parametrize("price", ["cheap", "-1", "-0", "inf", "nan", "1e7", "1_0", "９"])
def test_a_price_is_a_number_of_a_usual_size(price: str) -> None:
    with pytest.raises(SettingsError, match="TEACHER_PROMPT_PRICE: must be a number"):
        load({**COMPLETE, "TEACHER_PROMPT_PRICE": price})
    assert load({**COMPLETE, "TEACHER_PROMPT_PRICE": "0.4"}).teacher_prompt_price == 0.4


@pytest.mark.parametrize("limit", ["0", "1e-999", "-5", "much", "inf", "1e10"])
def test_a_monthly_budget_is_a_number_above_0(limit: str) -> None:
    with pytest.raises(SettingsError, match="MONTHLY_BUDGET: must be a number above 0"):
        load({**COMPLETE, "MONTHLY_BUDGET": limit})
    assert load({**COMPLETE, "MONTHLY_BUDGET": "0.5"}).monthly_budget == 0.5


@pytest.mark.parametrize("count", ["0", "-1", "1.5", "many", "²", "9" * 5000])
def test_a_limit_of_runs_is_a_whole_number_from_1(count: str) -> None:
    with pytest.raises(SettingsError, match="MAX_ACTIVE_RUNS: must be a whole number from 1"):
        load({**COMPLETE, "MAX_ACTIVE_RUNS": count})
    assert load({**COMPLETE, "MAX_ACTIVE_RUNS": "4"}).max_active_runs == 4
    assert load({**COMPLETE, "MAX_ACTIVE_RUNS": ""}).max_active_runs is None


def test_wrong_settings_are_named_with_what_is_allowed() -> None:
    wrong = {
        "TEACHER_BASE_URL": "teacher",
        "BLOB_TRIGGER_SOURCE": "Pigeon",
        "AZURE_OPENAI_BASE_URL": "https://r.openai.azure.com",
    }
    with pytest.raises(SettingsError) as error:
        load({**COMPLETE, **wrong})
    assert {problem["where"] for problem in error.value.details} == wrong.keys()


@pytest.mark.parametrize(
    "url",
    [
        "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
        "https://r/v1#section",
        "https://user:sesame@r/v1",
        "https://r:99999/v1",
        "https://r:port/v1",
        "https://r/v 1",
        "r.openai.azure.com/openai/v1",
        "https:///v1",
    ],
)
def test_an_address_to_which_no_path_can_be_added_is_refused(url: str) -> None:
    with pytest.raises(SettingsError) as error:
        load({**COMPLETE, "TEACHER_BASE_URL": url})
    assert [problem["where"] for problem in error.value.details] == ["TEACHER_BASE_URL"]
    assert "sesame" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("sk-sesame…", "characters that no key has"),
        ('"sk-sesame"', "quotes or backslashes"),
        ("sk-sesame\nsk-other", "characters that no key has"),
        ("@Microsoft.KeyVault(SecretUri=https://sesame.vault.azure.net/secrets/k)", "Key Vault"),
    ],
)
@pytest.mark.parametrize("name", ["TEACHER_API_KEY", "AZURE_OPENAI_API_KEY"])
def test_a_key_that_cannot_be_one_is_refused_unrepeated(name: str, key: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: .*{problem}") as error:
        load({**COMPLETE, name: key})
    assert "sesame" not in str(error.value)


@pytest.mark.parametrize(
    ("callers", "wrong"),
    [
        ("sesame", {"CALLERS"}),
        ("{}", {"CALLERS"}),
        ("[]", {"CALLERS"}),
        ('["sesame"]', {"CALLERS"}),
        ('[{"name": "\\ud800", "sha256": "' + "0" * 64 + '"}]', {"CALLERS"}),
        ('[{"name": "ci", "sha256": "sesame"}]', {"CALLERS.0.sha256"}),
        (
            '[{"name": "ci"}, {"name": 5, "role": "sesame"}]',
            {"CALLERS.0.sha256", "CALLERS.1.name", "CALLERS.1.role", "CALLERS.1.sha256"},
        ),
        (f'[{{"name": "ci", "sha256": "{"0" * 64}", "key": "sesame"}}]', {"CALLERS.0"}),
        (
            f'[{{"name": "ci", "sha256": "{"0" * 64}", "role": "reader", "role": "operator"}}]',
            {"CALLERS"},
        ),
        (f'[{{"name": "\\n", "sha256": "{"0" * 64}"}}]', {"CALLERS.0.name"}),
        (
            f'[{{"name": "a", "sha256": "{"a" * 64}"}}, {{"name": "b", "sha256": "{"A" * 64}"}}]',
            {"CALLERS.1"},
        ),
    ],
)
def test_keys_that_are_not_named_as_they_should_be_are_refused_unrepeated(
    callers: str, wrong: set[str]
) -> None:
    with pytest.raises(SettingsError) as error:
        load({**COMPLETE, "CALLERS": callers})
    assert {problem["where"] for problem in error.value.details} == wrong
    assert "sesame" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "secret", "wrong"),
    [
        ("http://sesame.example/x", f"whsec_{'A' * 32}", {"NOTIFY_URL"}),
        ("https://user:sesame@hooks.example", f"whsec_{'A' * 32}", {"NOTIFY_URL"}),
        ("https://hooks.example/#sesame", "x" * 24, {"NOTIFY_URL"}),
        ("hooks.example/sesame", "x" * 24, {"NOTIFY_URL"}),
        ("@Microsoft.KeyVault(sesame)", "x" * 24, {"NOTIFY_URL"}),
        ("https://hooks.example/sesame", "sesame", {"NOTIFY_SECRET"}),
        ("https://hooks.example/sesame", "whsec_sesame!", {"NOTIFY_SECRET"}),
        ("https://hooks.example/sesame", f"whsec_{'A' * 28}", {"NOTIFY_SECRET"}),
        ("https://hooks.example/sesame", f"whsec_{'A' * 88}", {"NOTIFY_SECRET"}),
        ("https://hooks.example/sesame", "", {"NOTIFY_SECRET"}),
        ("", "x" * 24, {"NOTIFY_URL"}),
        ("http://sesame.example/x", "sesame", {"NOTIFY_URL", "NOTIFY_SECRET"}),
    ],
)
def test_a_receiver_that_cannot_be_notified_safely_is_refused_unrepeated(
    url: str, secret: str, wrong: set[str]
) -> None:
    with pytest.raises(SettingsError) as error:
        load({**COMPLETE, "NOTIFY_URL": url, "NOTIFY_SECRET": secret})
    assert {problem["where"] for problem in error.value.details} == wrong
    assert "sesame" not in str(error.value)


@pytest.mark.parametrize("url", ["https://x/?sig=a%2Bb", "http://127.0.0.1:9/", "http://[::1]/"])
def test_a_receiver_is_an_https_url_or_on_this_machine(url: str) -> None:
    target = load({**COMPLETE, "NOTIFY_URL": url, "NOTIFY_SECRET": "x" * 24}).notification_target
    assert target is not None
    assert (target.url, target.key) == (url, b"x" * 24)
    assert "sig" not in repr(target)
    assert load(COMPLETE).notification_target is None


def test_an_identity_needs_no_connection_string() -> None:
    environ = {
        **COMPLETE,
        "DISTILLATION_STORAGE__blobServiceUri": "https://a.blob.core.windows.net",
    }
    del environ["DISTILLATION_STORAGE"]
    assert load(environ).blob_service_uri == "https://a.blob.core.windows.net"


def test_secrets_are_masked_when_settings_are_printed() -> None:
    own = load({**COMPLETE, "AZURE_OPENAI_API_KEY": "sesame"})
    printed = f"{own!r} {own} {own.model_dump_json()}"
    assert "hush" not in printed
    assert "sesame" not in printed


def test_a_full_endpoint_address_is_reduced_to_its_base() -> None:
    assert normalise_base_url(" https://x/v1/chat/completions/ ") == "https://x/v1"


def test_an_absent_trigger_source_means_polling() -> None:
    assert trigger_source({}) == "LogsAndContainerScan"
