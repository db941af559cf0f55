"""A run whose teacher or storage is behind a company's proxy."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from local.emulators.teacher import RunningTeacher
from shared.core.errors import TransientError
from tests.activities.conftest import Configure, NewRun, Teach
from tests.support.activity_runs import answered, plus_one, sums
from tests.support.forward_proxy import ForwardProxy, forward_proxy


@asynccontextmanager
async def teacher_behind_proxy(
    monkeypatch: pytest.MonkeyPatch, teach: Teach, app: Configure, *, user: str
) -> AsyncGenerator[tuple[RunningTeacher, ForwardProxy]]:
    """Serve a teacher whose name, unlike that of the storage, isn't exempt from the proxy."""
    async with teach(plus_one) as teacher, forward_proxy(credentials=("user", "word")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{user}{proxy.address}")
        monkeypatch.delenv("http_proxy", raising=False)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "127.0.0.1")
        app(TEACHER_BASE_URL=teacher.base_url.replace("127.0.0.1", "localhost"))
        yield teacher, proxy


async def test_a_shard_is_answered_through_the_proxy(
    new_run: NewRun, teach: Teach, app: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run()
    await run.begin(sums(5))
    async with teacher_behind_proxy(monkeypatch, teach, app, user="user:word@") as (teacher, proxy):
        assert await run.generate() == answered(accepted=5)
    assert [record.status for record in teacher.records] == [200] * 5
    assert len(proxy.requests) == 5


async def test_the_storage_is_reached_through_the_proxy_if_it_is_not_exempt(
    new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run()
    await run.begin(sums(5))
    async with forward_proxy(forbidden=[run.paths.run_id]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        for name in ("http_proxy", "NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(TransientError, match="storage account could not be used: Forbidden"):
            await run.progress()
    assert run.paths.run_id in proxy.requests[0].target


async def test_a_proxy_without_its_password_fails_the_shard_and_rejects_no_row(
    new_run: NewRun, teach: Teach, app: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(teacher={"concurrency": 1})
    await run.begin(sums(5))
    async with teacher_behind_proxy(monkeypatch, teach, app, user="user:xyzzy@") as (teacher, _):
        generated = await run.generate()
    assert (generated["status"], generated["error"]["code"]) == ("failed", "teacher_407")
    assert "(HTTP_PROXY) refuses" in generated["error"]["message"]
    assert "xyzzy" not in str(generated)
    assert teacher.records == []
    assert (await run.progress())["train"]["rejected"] == {}
