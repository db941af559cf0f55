"""The commands' client of the app's HTTP API, against a server that says what the app may say."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from local.runtime.client import ApiError, HostUnreachable, RunsClient
from local.runtime.ports import LOOPBACK, free_port
from tests.support.stub_host import Answer, babbler, host
from tests.support.views import endpoints, view

Page = tuple[list[str], str | None]  # ids of its runs, and what the next page comes after


def get(url: str, run_id: str = "nli-x") -> dict[str, Any] | None:
    return RunsClient(endpoints(url)).get(run_id)


def everything(url: str, **query: str) -> list[dict[str, Any]]:
    return list(RunsClient(endpoints(url)).list(**query))


def paged(pages: dict[str, Page], queries: list[dict[str, str]]) -> Answer:
    """Answers with the page after `after`, and notes the queries."""

    def answer(request: web.Request) -> web.Response:
        queries.append(dict(request.query))
        ids, following = pages[request.query["after"]]
        return web.json_response({"runs": [view(run_id) for run_id in ids], "next": following})

    return answer


async def test_a_run_is_asked_for_by_id_and_with_the_function_key() -> None:
    def answer(request: web.Request) -> web.Response:
        assert request.headers["x-functions-key"] == "secret-function"
        return web.json_response(view(request.path.removeprefix("/api/runs/")))

    async with host(answer) as url:
        assert await asyncio.to_thread(get, url) == view("nli-x")


async def test_a_run_that_is_not_there_yet_is_none() -> None:
    async with host(
        lambda _: web.json_response({"error": {"code": "not_found"}}, status=404)
    ) as url:
        assert await asyncio.to_thread(get, url) is None


async def test_all_pages_are_listed_in_their_order() -> None:
    queries: list[dict[str, str]] = []
    pages: dict[str, Page] = {"": (["a", "b"], "b"), "b": (["c"], "c d&e"), "c d&e": ([], None)}
    async with host(paged(pages, queries)) as url:
        found = await asyncio.to_thread(everything, url, status="running")
    assert [run["id"] for run in found] == ["a", "b", "c"]
    assert queries == [{"status": "running", "after": after} for after in pages]


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (
            422,
            '{"error": {"code": "invalid", "message": "prompt.x is unknown"}}',
            "422: prompt.x is unknown",
        ),
        (500, "Internal Server Error", "500: Internal Server Error"),
        (401, "", "401: "),
        (503, '{"error": "text"}', '503: {"error": "text"}'),
        (400, "[1]", "400: [1]"),
    ],
)
async def test_an_error_is_told_in_the_apps_own_words(status: int, body: str, message: str) -> None:
    async with host(lambda _: web.Response(status=status, text=body)) as url:
        with pytest.raises(ApiError) as failed:
            await asyncio.to_thread(get, url)
    assert str(failed.value) == f"GET /api/runs/nli-x answered {message}"


def test_a_host_that_is_gone_is_unreachable() -> None:
    port = free_port()
    with pytest.raises(
        HostUnreachable, match=f"the Functions host at http://{LOOPBACK}:{port} does not answer"
    ):
        get(f"http://{LOOPBACK}:{port}")


@pytest.mark.parametrize(
    "says", [b"", b"what?\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"]
)
async def test_an_answer_cut_short_is_an_unreachable_host(says: bytes) -> None:
    async with babbler(says) as url:
        with pytest.raises(HostUnreachable):
            await asyncio.to_thread(get, url)


async def test_a_proxy_does_not_come_between(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://{LOOPBACK}:1")
    async with host(lambda _: web.json_response(view())) as url:
        assert await asyncio.to_thread(get, url) == view()
