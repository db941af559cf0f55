"""Who may ask, and what this host does not do and says so."""

from __future__ import annotations

import pytest

from tests.support.durable_host import Api, HostProcess

BASE = "/runtime/webhooks/durabletask"
EVERYTHING = [
    ("GET", "instances/one"),
    ("DELETE", "instances/one"),
    ("POST", "instances/one/terminate"),
    ("POST", "instances/one/raiseEvent/go"),
    ("POST", "orchestrators/echo"),
    ("GET", "nonsense"),
    ("GET", ""),
]


@pytest.mark.parametrize(("method", "path"), EVERYTHING)
async def test_nothing_is_answered_without_the_system_key(
    api: Api, host: HostProcess, method: str, path: str
) -> None:
    url = f"{host.url}{BASE}/{path}"
    for code in ("", "guess", host.keys["function_key"], host.keys["system_key"][:-1]):
        assert (await api.plain(method, url, params={"code": code})).status == 401
    assert (await api.plain(method, url, headers={"x-functions-key": "guess"})).status == 401
    assert (await api.plain(method, url)).status == 401


@pytest.mark.parametrize("key", ["system_key", "master_key"])
async def test_the_key_may_come_in_the_query_or_in_a_header(
    api: Api, host: HostProcess, key: str
) -> None:
    links = await api.start("waits")
    url = f"{host.url}{BASE}/instances/{links['id']}"
    assert (await api.plain("GET", url, params={"code": host.keys[key]})).status == 202
    assert (await api.plain("GET", url, headers={"x-functions-key": host.keys[key]})).status == 202


async def test_the_path_of_the_apps_own_client_cannot_be_guessed(
    api: Api, host: HostProcess
) -> None:
    assert (await api.plain("GET", f"{host.url}/runtime/rpc/instances/one")).status == 404
    assert (await api.plain("GET", f"{host.url}/runtime/rpc/guess/instances/one")).status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "nonsense"),
        ("GET", ""),
        ("PUT", "instances/one"),
        ("GET", "instances"),
        ("GET", "orchestrators/echo"),
        ("POST", "instances/one/dance"),
        ("GET", "instances/one/raiseEvent/go"),
        ("POST", "instances/one/two/three/four"),
    ],
)
async def test_what_is_no_operation_answers_404(api: Api, method: str, path: str) -> None:
    assert (await api.ask(method, path)).status == 404
