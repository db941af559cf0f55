"""A teacher behind a company's proxy: which addresses go through it, and what it gets to see."""

from __future__ import annotations

import asyncio
import ssl
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretStr
from yarl import URL

from shared.core.errors import SettingsError
from shared.finetuning.azure_openai.clients import openai_client
from shared.spec.models import TeacherSpec
from shared.teacher import NoBudget, TeacherDown, open_teacher
from shared.teacher.proxy import proxy_for
from shared.teacher.transport import USER_AGENT, Connections, NoReply, ProxyRefused, Reply, header
from tests.support.certificates import serve_as
from tests.support.forward_proxy import ForwardProxy, forward_proxy
from tests.support.http_teacher import HELLO, Script, serving, settings

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
KEY = header("Authorization", "Bearer sesame")
PASSWORD = "p@ss:word/1"
IN_A_URL = "user:p%40ss%3Aword%2F1@"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Return the context of a server on loopback, whose authority this process trusts."""
    context, authority = serve_as(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    return context


def use(monkeypatch: pytest.MonkeyPatch, proxy: ForwardProxy, user: str = "") -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"{proxy.scheme}://{user}{proxy.address}")


@asynccontextmanager
async def connected(base_url: str) -> AsyncGenerator[Connections]:
    async with Connections(f"{base_url}/chat/completions") as connections:
        yield connections


async def ask(connections: Connections) -> Reply:
    return await connections.post(KEY, b"{}", 5)


async def test_http_goes_through_the_proxy_on_kept_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script()
    async with (
        forward_proxy(credentials=("user", PASSWORD)) as proxy,
        serving(script.answer) as base_url,
    ):
        use(monkeypatch, proxy, IN_A_URL)
        async with connected(base_url) as connections:
            assert [(await ask(connections)).status for _ in range(3)] == [200, 200, 200]
    assert proxy.connections == 1
    asked = [(request.method, request.target) for request in proxy.requests]
    assert asked == [("POST", f"{base_url}/chat/completions")] * 3
    assert script.headers[0]["Authorization"] == KEY["Authorization"]
    assert "Proxy-Authorization" not in script.headers[0]


@pytest.mark.parametrize("has_tls_proxy", [False, True])
async def test_https_goes_through_a_tunnel_that_hides_key_and_password_from_each_other(
    monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext, has_tls_proxy: bool
) -> None:
    script = Script()
    async with (
        forward_proxy(credentials=("user", PASSWORD), tls=tls if has_tls_proxy else None) as proxy,
        serving(script.answer, tls) as base_url,
    ):
        use(monkeypatch, proxy, IN_A_URL)
        async with connected(base_url) as connections:
            assert [(await ask(connections)).status for _ in range(3)] == [200, 200, 200]
    [tunnel] = proxy.requests
    assert (tunnel.method, tunnel.target) == ("CONNECT", URL(base_url).authority)
    assert "authorization" not in tunnel.headers
    assert tunnel.headers["user-agent"] == USER_AGENT
    assert len(script.headers) == 3
    assert "Proxy-Authorization" not in script.headers[0]
    assert script.headers[0]["Authorization"] == KEY["Authorization"]


@pytest.mark.parametrize("user", ["", "user:wrong-secret@"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_wants_credentials_is_named_without_them(
    monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext, scheme: str, user: str
) -> None:
    script = Script()
    async with (
        forward_proxy(credentials=("user", PASSWORD)) as proxy,
        serving(script.answer, tls if scheme == "https" else None) as base_url,
    ):
        use(monkeypatch, proxy, user)
        async with connected(base_url) as connections:
            with pytest.raises(ProxyRefused) as refused:
                await ask(connections)
    assert script.bodies == []
    assert refused.value.status == 407
    message = str(refused.value)
    assert f"the proxy {proxy.url} ({scheme.upper()}_PROXY) refuses" in message
    assert "http://user:password@host:port" in message
    assert "wrong-secret" not in "".join(traceback.format_exception(refused.value))


async def test_a_proxy_that_forbids_the_address_refuses_every_request(
    monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext
) -> None:
    async with (
        serving(Script().answer, tls) as base_url,
        forward_proxy(forbidden=[URL(base_url).authority]) as proxy,
    ):
        use(monkeypatch, proxy)
        async with connected(base_url) as connections:
            with pytest.raises(ProxyRefused, match=r"\(HTTP 403\).* NO_PROXY"):
                await ask(connections)


async def test_a_proxy_that_cannot_reach_the_teacher_may_do_so_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with forward_proxy() as proxy:
        use(monkeypatch, proxy)
        async with connected("https://127.0.0.1:9") as connections:
            with pytest.raises(NoReply, match=rf"proxy {proxy.url} .*127\.0\.0\.1:9 .*502"):
                await ask(connections)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["127.0.0.1", "proxy.invalid"])
async def test_a_proxy_that_does_not_answer_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, scheme: str, host: str
) -> None:
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://user:secret-word@{host}:9")
    async with connected(f"{scheme}://teacher.invalid/v1") as connections:
        with pytest.raises(NoReply) as error:
            await ask(connections)
    place = f"no connection to the proxy http://{host}:9 ({scheme.upper()}_PROXY)"
    assert str(error.value).startswith(place)
    assert "secret-word" not in "".join(traceback.format_exception(error.value))


@pytest.mark.parametrize(
    ("exempt", "is_direct"),
    [
        ("teacher.corp.example", True),
        ("corp.example", True),
        (".corp.example", True),
        ("teacher.corp.example:8443", True),
        ("teacher.corp.example:443", False),
        ("other.example, corp.example", True),
        ("*", True),
        ("*.corp.example", True),
        ("CORP.Example.", True),
        ("other.example corp.example", True),
        ("*.corp.example:443", False),
        ("orp.example", False),
        ("10.0.0.0/8", False),
        ("", False),
    ],
)
def test_addresses_that_no_proxy_names_are_reached_directly(
    monkeypatch: pytest.MonkeyPatch, exempt: str, is_direct: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", exempt)
    proxy = proxy_for(URL("https://teacher.corp.example:8443/v1"))
    assert (proxy is None) == is_direct


@pytest.mark.parametrize(
    ("exempt", "host", "is_direct"),
    [
        ("localhost,10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "[fd00::1]", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("fd00::/8", "[fd00::1]", True),
        ("::1", "[::1]", True),
        ("[::1]:8443", "[::1]", True),
        ("[::1]:443", "[::1]", False),
    ],
)
def test_no_proxy_may_name_networks_and_addresses(
    monkeypatch: pytest.MonkeyPatch, exempt: str, host: str, is_direct: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", exempt)
    assert (proxy_for(URL(f"https://{host}:8443/v1")) is None) == is_direct


async def test_a_teacher_that_no_proxy_names_is_asked_without_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with forward_proxy() as proxy, serving(Script().answer) as base_url:
        use(monkeypatch, proxy)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        async with connected(base_url) as connections:
            assert (await ask(connections)).status == 200
    assert proxy.connections == 0


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"HTTP_PROXY": "http://a:1"}, None),
        ({"HTTPS_PROXY": "http://a:1"}, "the proxy http://a:1 (HTTPS_PROXY)"),
        ({"https_proxy": "http://a:1"}, "the proxy http://a:1 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "a:1"}, "the proxy http://a:1 (HTTPS_PROXY)"),
        ({"ALL_PROXY": "http://u:p@a:1/"}, "the proxy http://a:1 (ALL_PROXY)"),
        (
            {"ALL_PROXY": "http://a:1", "HTTPS_PROXY": "http://b:1"},
            "the proxy http://b:1 (HTTPS_PROXY)",
        ),
    ],
)
def test_the_variable_of_the_scheme_names_the_proxy(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    proxy = proxy_for(URL("https://teacher.example/v1"))
    assert (str(proxy) if proxy else None) == expected


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("socks5://user:secret-word@proxy:1080", "for socks5: only"),
        ("http://user:secret-word@proxy:port", "isn't a URL"),
        ("http://user:secret-word@", "isn't a URL|has no host"),
        ("http://user:12/secret-word@proxy:3128", "aren't percent-encoded"),
    ],
)
async def test_a_variable_that_is_no_proxy_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, value: str, problem: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(SettingsError, match=rf"variable HTTPS_PROXY .*({problem})") as error:
        async with connected("https://teacher.example/v1"):
            pass
    assert "secret-word" not in "".join(traceback.format_exception(error.value))
    assert error.value.details[0]["where"] == "HTTPS_PROXY"


async def test_rows_are_answered_through_the_proxy(
    monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext
) -> None:
    async with (
        forward_proxy(credentials=("user", PASSWORD)) as proxy,
        serving(Script().answer, tls) as base_url,
    ):
        use(monkeypatch, proxy, IN_A_URL)
        async with open_teacher(
            settings(base_url), TeacherSpec(model="m"), budget=NoBudget()
        ) as teacher:
            replies = await asyncio.gather(*[teacher.complete(HELLO) for _ in range(5)])
    assert [reply.text for reply in replies] == ["hi"] * 5
    assert {request.method for request in proxy.requests} == {"CONNECT"}


async def test_a_proxy_that_wants_credentials_ends_the_run_instead_of_rejecting_every_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with forward_proxy(credentials=("user", PASSWORD)) as proxy:
        use(monkeypatch, proxy)
        async with open_teacher(
            settings("https://teacher.invalid/v1"), TeacherSpec(model="m"), budget=NoBudget()
        ) as teacher:
            with pytest.raises(TeacherDown, match="HTTPS_PROXY") as down:
                await teacher.complete(HELLO)
    assert down.value.code == "teacher_407"
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("value", ["socks5://user:secret-word@proxy:1", "http://proxy:port"])
def test_fine_tuning_names_a_proxy_that_it_cannot_use(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("ALL_PROXY", value)
    with pytest.raises(SettingsError, match="ALL_PROXY names a proxy") as error:
        openai_client("https://r.openai.azure.com/openai/v1", SecretStr("sesame"))
    assert "secret-word" not in "".join(traceback.format_exception(error.value))


async def test_fine_tuning_goes_through_the_proxy_too(
    monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext
) -> None:
    async def models(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": []})

    async with (
        forward_proxy(credentials=("user", PASSWORD)) as proxy,
        serving(models, tls) as base_url,
    ):
        use(monkeypatch, proxy, IN_A_URL)
        client = openai_client(base_url, SecretStr("sesame"))
        assert (await asyncio.to_thread(client.models.list)).data == []
    assert [request.method for request in proxy.requests] == ["CONNECT"]
