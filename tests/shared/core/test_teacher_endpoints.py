"""TEACHER_ENDPOINTS: every mistake at its place, and no key in any print-out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.core.errors import SettingsError
from shared.core.secrets import redactor, secrets_of
from shared.core.settings import Settings, load

FIRST = {"base_url": "https://one.example/openai/v1/", "api_key_setting": "KEY_ONE"}
SECOND = {"base_url": "https://two.example/v1", "model": "gpt-two"}
NOTHING: dict[str, Any] = {}
ENVIRON = {
    "DISTILLATION_STORAGE": "AccountKey=hush;AccountName=a",
    "TEACHER_MODEL": "m",
    "KEY_ONE": "sesame-of-the-first",
    "TEACHER_API_KEY": "sesame-of-all-others",
}


def endpoints(*entries: object, **environ: str) -> Settings:
    return load({**ENVIRON, "TEACHER_ENDPOINTS": json.dumps(entries), **environ})


def problems(text: object, **environ: str) -> dict[str, str]:
    text = text if isinstance(text, str) else json.dumps(text)
    with pytest.raises(SettingsError) as error:
        load({**ENVIRON, "TEACHER_ENDPOINTS": text, "AZUREML_WORKSPACE": "", **environ})
    found = {problem["where"]: problem["problem"] for problem in error.value.details}
    return {where: problem for where, problem in found.items() if where.startswith("TEACHER")}


def test_each_deployment_has_its_own_address_name_and_key() -> None:
    settings = endpoints(FIRST, SECOND)
    settings.check_teacher()
    one, two = settings.endpoints
    assert (one.base_url, two.base_url) == ("https://one.example/openai/v1", SECOND["base_url"])
    assert one.api_key is not None
    assert two.api_key is not None
    keys = (one.api_key.get_secret_value(), two.api_key.get_secret_value())
    assert keys == ("sesame-of-the-first", "sesame-of-all-others")
    assert [settings.model_at(endpoint, "m") for endpoint in (one, two)] == ["m", "gpt-two"]
    assert settings.model_at(two, "another-teacher") == "another-teacher"
    assert (one.url_setting, one.key_setting) == ("TEACHER_ENDPOINTS.0", "KEY_ONE")


def test_one_address_is_one_deployment() -> None:
    settings = load({**ENVIRON, "TEACHER_BASE_URL": "https://one.example/v1"})
    [endpoint] = settings.endpoints
    assert (endpoint.base_url, endpoint.model) == ("https://one.example/v1", None)
    assert endpoint.url_setting == "TEACHER_BASE_URL"
    assert load(ENVIRON).endpoints == ()


def test_without_any_key_entra_id_is_used() -> None:
    settings = endpoints(SECOND, TEACHER_API_KEY="")
    assert settings.endpoints[0].api_key is None


@pytest.mark.parametrize("text", ["x", "{}", "[]", "[1]", '"a"', "[" * 5000])
def test_anything_but_a_list_of_objects_is_refused_with_an_example(text: str) -> None:
    assert "must be a JSON list such as" in problems(text)["TEACHER_ENDPOINTS"]


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ({}, "base_url"),
        ({"base_url": "teacher"}, "base_url"),
        ({"base_url": ["x"]}, "base_url"),
        ({**SECOND, "model": 5}, "model"),
        ({**SECOND, "model": " "}, "model"),
        ({**SECOND, "api_key_setting": "KEY_TWO"}, "api_key_setting"),
        ({**SECOND, "api_key_setting": 5}, "api_key_setting"),
        ({**SECOND, "api_key": "sesame"}, "api_key"),
    ],
)
def test_every_mistake_is_named_at_its_place(entry: dict[str, Any], place: str) -> None:
    assert list(problems([FIRST, entry])) == [f"TEACHER_ENDPOINTS.1.{place}"]


def test_a_key_in_a_wrong_place_is_not_repeated() -> None:
    wrong = {**SECOND, "api_key_setting": "sk-1234567890", "api_key": "sk-0987654321"}
    with pytest.raises(SettingsError) as error:
        endpoints(wrong)
    assert "sk-" not in str(error.value)


def test_the_same_deployment_twice_is_refused() -> None:
    assert "same as TEACHER_ENDPOINTS.0" in problems([FIRST, SECOND, FIRST])["TEACHER_ENDPOINTS.2"]
    in_other_words = {**FIRST, "base_url": FIRST["base_url"].rstrip("/"), "model": "m"}
    assert list(problems([FIRST, in_other_words])) == ["TEACHER_ENDPOINTS.1"]


def test_a_key_that_azure_could_not_resolve_is_named_at_its_place() -> None:
    found = problems([FIRST], KEY_ONE="@Microsoft.KeyVault(VaultName=v;SecretName=s)")
    assert list(found) == ["TEACHER_ENDPOINTS.0.api_key_setting"]
    assert "Key Vault reference" in found["TEACHER_ENDPOINTS.0.api_key_setting"]


def test_too_many_deployments_are_refused() -> None:
    many = [{"base_url": f"https://{number}.example/v1"} for number in range(17)]
    assert "16 at most" in problems(many)["TEACHER_ENDPOINTS"]


def test_the_list_and_a_single_address_exclude_each_other() -> None:
    found = problems([FIRST], TEACHER_BASE_URL="https://one.example/v1")
    assert list(found) == ["TEACHER_BASE_URL"]
    assert "remove one of both" in found["TEACHER_BASE_URL"]


def test_the_name_of_the_teacher_is_needed_all_the_same() -> None:
    settings = endpoints(SECOND, TEACHER_MODEL="")
    with pytest.raises(SettingsError) as error:
        settings.check_teacher()
    assert [problem["where"] for problem in error.value.details] == ["TEACHER_MODEL"]
    assert list(problems([NOTHING], TEACHER_MODEL="")) == [
        "TEACHER_ENDPOINTS.0.base_url",
        "TEACHER_MODEL",
    ]


def test_every_key_is_redacted_and_masked() -> None:
    settings = endpoints(FIRST, SECOND)
    text = "keys: sesame-of-the-first, sesame-of-all-others"
    assert redactor(secrets_of(settings))(text) == "keys: ***, ***"
    printed = f"{settings!r} {settings} {settings.model_dump_json()}"
    assert "sesame" not in printed
