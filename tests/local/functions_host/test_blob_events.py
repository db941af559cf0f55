"""Blob triggers with source EventGrid, and blob functions called by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.containers import POLLED, PUSHED, Container
from tests.support.functions_host import ServedApp, served, until

WEBHOOK = "/runtime/webhooks/blobs"


def _webhook(app: ServedApp, name: str = "arrived") -> str:
    return f"{WEBHOOK}?functionName=Host.Functions.{name}&code={app.host.keys.blobs_extension}"


def _created(
    container: Container, name: str, event_type: str = "Microsoft.Storage.BlobCreated"
) -> dict[str, Any]:
    subject = f"/blobServices/default/containers/{container.name}/blobs/{name}"
    return {
        "eventType": event_type,
        "subject": subject,
        "data": {"api": "PutBlob"},
        "id": "1",
        "dataVersion": "",
    }


async def test_the_handshake_returns_the_validation_code(
    tmp_path: Path, container: Container
) -> None:
    event = {
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {"validationCode": "512d38b6"},
    }
    headers = {"aeg-event-type": "SubscriptionValidation"}
    async with (
        served(tmp_path, PUSHED, container.settings) as app,
        app.session.post(_webhook(app), json=[event], headers=headers) as answer,
    ):
        assert (answer.status, await answer.json()) == (200, {"validationResponse": "512d38b6"})


async def test_an_event_calls_the_function_and_a_second_one_calls_it_again(
    tmp_path: Path, container: Container
) -> None:
    expected = await container.put("in/a č.txt", b"x")
    async with served(tmp_path, PUSHED, container.settings) as app:
        headers = {"aeg-event-type": "Notification"}
        for _ in range(2):
            assert (
                await app.post(
                    _webhook(app), json=[_created(container, "in/a č.txt")], headers=headers
                )
            )[0] == 202
        assert app.calls == [expected, expected]


async def test_a_batch_of_events_calls_for_the_blobs_of_the_trigger(
    tmp_path: Path, container: Container
) -> None:
    expected = {await container.put(f"in/{name}.txt", name.encode()) for name in "ab"}
    await container.put("out/a.txt", b"other folder")
    events = [
        _created(container, name) for name in ("in/a.txt", "in/b.txt", "out/a.txt", "in/gone.txt")
    ]
    events.append(_created(container, "in/a.txt", "Microsoft.Storage.BlobDeleted"))
    async with served(tmp_path, PUSHED, container.settings) as app:
        assert (await app.post(_webhook(app), json=events))[0] == 202
        assert set(app.calls) == expected
        assert len(app.calls) == 2


async def test_its_blobs_are_not_polled(tmp_path: Path, container: Container) -> None:
    polled = POLLED.replace("def arrived", "def polled").replace("data.read()", "'polled'")
    await container.put("in/a.txt", b"x")
    async with served(tmp_path, PUSHED + polled, container.settings) as app:
        last, _ = await container.put("in/last.txt", b"x")
        await until(lambda: (last, "polled") in app.calls)
        assert {content for _, content in app.calls} == {"polled"}


async def test_a_failure_is_told_so_that_event_grid_delivers_again(
    tmp_path: Path, container: Container
) -> None:
    failing = PUSHED.replace("CALLS.append", "raise RuntimeError")
    await container.put("in/a.txt", b"x")
    async with served(tmp_path, failing, container.settings) as app:
        assert (await app.post(_webhook(app), json=[_created(container, "in/a.txt")]))[0] == 500


async def test_the_webhook_opens_to_its_own_key_and_the_master_key(
    tmp_path: Path, container: Container
) -> None:
    async with served(tmp_path, PUSHED, container.settings) as app:
        keys = app.host.keys
        path = f"{WEBHOOK}?functionName=Host.Functions.arrived"
        for key, status in [
            ("", 401),
            (keys.function_key, 401),
            (keys.system_key, 401),
            (keys.master_key, 202),
        ]:
            assert (await app.post(f"{path}&code={key}", json=[]))[0] == status


async def test_the_webhook_knows_the_functions_of_event_grid_alone(
    tmp_path: Path, container: Container
) -> None:
    async with served(tmp_path, POLLED, container.settings) as app:
        status, text = await app.post(_webhook(app), json=[])
        assert (status, text) == (
            404,
            "no function 'arrived' has a blob trigger with source EventGrid",
        )
        assert (await app.post(_webhook(app, "nobody"), json=[]))[0] == 404


async def test_a_body_of_no_events_is_refused(tmp_path: Path, container: Container) -> None:
    async with served(tmp_path, PUSHED, container.settings) as app:
        for body in (b"{", b"[1]", b"\xff", b'[{"eventType": 1, "data": 2}', b""):
            assert (await app.post(_webhook(app), data=body))[0] == 400


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
        for key in ("", keys.function_key, keys.blobs_extension):
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
