"""Blob functions called by hand, which is all that a trigger with source EventGrid answers to."""

from __future__ import annotations

from pathlib import Path

from tests.support.containers import PUSHED, Container
from tests.support.functions_host import served


async def test_a_blob_function_can_be_called_by_hand(tmp_path: Path, container: Container) -> None:
    expected = await container.put("in/a.txt", b"x")
    async with served(tmp_path, PUSHED, container.settings) as app:
        master = {"x-functions-key": app.host.keys.master_key}
        by_hand = {"json": {"input": expected[0]}, "headers": master}
        assert (await app.post("/admin/functions/arrived", **by_hand))[0] == 202
        assert (await app.post("/admin/functions/arrived", **by_hand))[0] == 202
        assert app.calls == [expected, expected]
        assert (await app.post("/admin/functions/nobody", **by_hand))[0] == 404
        assert (await app.get("/admin/functions/arrived", headers=master))[0] == 404


async def test_calling_by_hand_takes_the_master_key_and_a_blob_of_the_trigger(
    tmp_path: Path, container: Container
) -> None:
    await container.put("out/a.txt", b"x")
    async with served(tmp_path, PUSHED, container.settings) as app:
        keys = app.host.keys
        path = "/admin/functions/arrived?code="
        for key in ("", keys.function_key, keys.system_key):
            assert (await app.post(f"{path}{key}", json={"input": f"{container.name}/in/a.txt"}))[
                0
            ] == 401
        path += keys.master_key
        for name in ("in/gone.txt", "out/a.txt"):
            assert (await app.post(path, json={"input": f"{container.name}/{name}"}))[0] == 404
        for body in (b"{", b"[]", b"{}", b'"x"', b"\xff"):
            assert (await app.post(path, data=body))[0] == 400
        assert app.calls == []


async def test_a_failure_by_hand_is_500_and_logged(tmp_path: Path, container: Container) -> None:
    path, _ = await container.put("in/a.txt", b"x")
    async with served(
        tmp_path, PUSHED.replace("CALLS.append", "raise RuntimeError"), container.settings
    ) as app:
        called = await app.post(
            f"/admin/functions/arrived?code={app.host.keys.master_key}", json={"input": path}
        )
        assert called[0] == 500
