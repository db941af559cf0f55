"""A reader sees everything and changes nothing, on every route that the app has or will have."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from typing import Any

import pytest

from shared.core.process import Process, use
from shared.core.settings import SETTINGS
from shared.runs.callers import access_of
from tests.support.api_door import Door, Instance, http_functions

RUN_ID = "math-x-0123456789ab"
OPERATOR = "the-key-of-the-operator"
READER = "the+key of-the/reader"
READER_IN_QUERY = "the%2Bkey%20of-the%2Freader"


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


CALLERS = json.dumps(
    [
        {"name": "ci", "sha256": digest(OPERATOR)},
        {"name": "dashboard", "sha256": digest(READER).upper(), "role": "reader"},
    ]
)


def principal(*roles: str, claim: str = "roles") -> str:
    claims = [{"typ": "name", "val": "Ada"}, *({"typ": claim, "val": role} for role in roles)]
    shown = {"auth_typ": "aad", "claims": claims, "role_typ": "r"}
    return base64.b64encode(json.dumps(shown).encode()).decode().rstrip("=")


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    """The routes of an app that names two keys, and a run that goes on."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CALLERS", CALLERS)
    use(Process())
    door = Door()
    door.hub.instances[RUN_ID] = Instance(input={"task": "math", "name": "x"})
    return door


KEYS_OF_READERS: list[tuple[str, dict[str, str]]] = [
    ("", {"x-functions-key": READER}),
    ("", {"X-Functions-Key": f"{READER},{OPERATOR}"}),
    ("", {"x-functions-key": f"{OPERATOR}, {READER}"}),
    (f"code={READER_IN_QUERY}", {}),
    (f"CODE={READER_IN_QUERY}", {}),
    (f"code={READER_IN_QUERY}", {"x-functions-key": OPERATOR}),
    (f"code={OPERATOR}&code={READER_IN_QUERY}", {}),
    ("", {"x-functions-key": "a key that was renewed"}),
    ("", {}),
]
PRINCIPALS_OF_READERS = [
    principal("Distillation.Reader"),
    principal("Distillation.Reader", claim="r"),
    "no base64!",
    base64.b64encode(b"[1]").decode(),
]


@pytest.mark.parametrize(("query", "headers"), KEYS_OF_READERS)
async def test_no_route_lets_a_reader_change_anything(
    door: Door, query: str, headers: dict[str, str]
) -> None:
    await refuses_changes(door, query, headers)


@pytest.mark.parametrize("header", PRINCIPALS_OF_READERS)
@pytest.mark.parametrize("enabled", ["True", ""])
async def test_a_role_takes_rights_away_whoever_has_set_the_header(
    door: Door, header: str, enabled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", enabled)
    headers = {"x-functions-key": OPERATOR, "X-MS-CLIENT-PRINCIPAL": header}
    await refuses_changes(door, "", headers)


async def refuses_changes(door: Door, query: str, headers: dict[str, str]) -> None:
    # A POST for a URL that reads one file: it's a secret, so it mustn't stand in a requested URL.
    reading = ("POST", "/api/runs/{id}/files")
    changing = [route for route in http_functions() if route[0] != "GET" and route != reading]
    assert len(changing) >= 7
    for method, template in changing:
        target = template.replace("{id}", RUN_ID).replace("{task}/{name}", "math/x")
        for parameters in (query, f"{query}&dry_run=true"):
            answer = await door.ask(method, f"{target}?{parameters}", **headers)
            assert (answer.status, answer.body["error"]["code"]) == (403, "forbidden"), target
    assert door.hub.calls == []
    parameters = f"{query}&links=durable".strip("&")
    links = await door.ask("GET", f"/api/runs/{RUN_ID}?{parameters}", **headers)
    assert links.status in (400, 403)  # CODE is no parameter of ours
    assert "secret" not in str(links.body)
    if "CODE" not in query:
        view = await door.ask("GET", f"/api/runs/{RUN_ID}?{query}", **headers)
        assert (view.status, view.body["id"]) == (200, RUN_ID)
        download = await door.ask("POST", f"/api/runs/{RUN_ID}/files?{query}", **headers)
        assert download.status != 403


@pytest.mark.parametrize("roles", [[], ["Distillation.Reader", "Distillation.Operator"]])
async def test_an_operator_changes_what_they_like_with_any_other_roles(
    door: Door, roles: list[str]
) -> None:
    headers = {"x-functions-key": OPERATOR, "X-MS-CLIENT-PRINCIPAL": principal(*roles)}
    assert (await door.ask("POST", f"/api/runs/{RUN_ID}/pause", **headers)).status == 202
    links = await door.ask("GET", f"/api/runs/{RUN_ID}?links=durable", **headers)
    assert "secret" in links.body["links"]["terminatePostUri"]


async def test_without_names_every_key_may_do_everything(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CALLERS")
    use(Process())
    headers = {"x-functions-key": READER}
    assert (await door.ask("POST", f"/api/runs/{RUN_ID}/pause", **headers)).status == 202


async def test_while_the_setting_is_wrong_nobody_changes_anything(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLERS", CALLERS[:-1])
    use(Process())
    headers = {"x-functions-key": OPERATOR}
    answer = await door.ask("POST", f"/api/runs/{RUN_ID}/pause", **headers)
    assert (answer.status, answer.body["error"]["details"][0]["where"]) == (500, "CALLERS")
    assert (await door.ask("GET", f"/api/runs/{RUN_ID}", **headers)).status == 200
    assert door.hub.calls == []


async def test_a_key_is_in_no_log_and_no_answer(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for key in (OPERATOR, READER):
        headers = {"x-functions-key": key}
        answer = await door.ask("POST", f"/api/runs/{RUN_ID}/pause", **headers)
        for shown in (caplog.text, str(answer)):
            assert key not in shown
            assert digest(key) not in shown.lower()
    assert "pause by ci (key)" in caplog.text
    assert "isn't in its list" in caplog.text  # there is no storage account


@pytest.mark.parametrize(
    ("headers", "enabled", "shown"),
    [
        ({"X-MS-CLIENT-PRINCIPAL-NAME": "ada@example.com"}, "True", "ada@example.com (user)"),
        ({"X-MS-CLIENT-PRINCIPAL-ID": "0-1"}, "true", "0-1 (user)"),
        ({"X-MS-CLIENT-PRINCIPAL-NAME": "a" * 999}, "true", f"{'a' * 100} (user)"),
        ({"X-MS-CLIENT-PRINCIPAL-NAME": "ada\n\x1b"}, "true", "ada (user)"),
        ({"X-MS-CLIENT-PRINCIPAL-NAME": "ada@example.com"}, "False", "unknown"),
        ({"X-MS-CLIENT-PRINCIPAL-NAME": "ada@example.com"}, "", "unknown"),
        ({}, "True", "unknown"),
    ],
)
def test_a_signed_in_user_is_believed_only_where_app_service_signs_in(
    headers: dict[str, Any], enabled: str, shown: str
) -> None:
    access = access_of("https://x/api/runs", {}, headers, (), {"WEBSITE_AUTH_ENABLED": enabled})
    assert str(access.caller) == shown
