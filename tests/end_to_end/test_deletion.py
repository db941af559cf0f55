"""A run is deleted: nothing of its rows can be found anywhere, and nothing brings it back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

import pytest

from local.functions_host.host import TASK_HUB_FILE
from tests.support.app import App, sums
from tests.support.azureml import ask
from tests.support.polling import wait_for

FIRST = 77_100_000
TEXT = b"What is 771"


@pytest.mark.slow
def test_a_deleted_run_leaves_no_text_and_does_not_come_back(app: App) -> None:
    spec = app.write("forgotten.json", json.dumps({"student": {"model": "gpt-4.1-mini"}}).encode())
    train = app.write("forgotten.jsonl", sums(45, FIRST))
    validation = app.write("forgotten-too.jsonl", sums(12, FIRST + 1000))
    files = {"validation.jsonl": validation, "run.json": spec, "train.jsonl": train}
    run_id = app.upload("math", "forgotten", files)
    app.wait(run_id, lambda _: True)
    status, refusal, _ = app.ask("DELETE", f"/api/runs/{run_id}")
    assert (status, refusal["error"]["code"]) == (409, "run_active")
    assert app.ended(run_id)["status"] == "completed"
    assert len(uploaded_files(app, run_id)) == 2
    assert len(list(places(app))) > 5
    assert app.ask("DELETE", f"/api/runs/{run_id}?dataset=true")[0] == 202
    wait_for(lambda: app.ask("GET", f"/api/runs/{run_id}")[0] == 410, "the end of the deletion")
    assert list(places(app)) == []
    assert uploaded_files(app, run_id) == []
    assert [name for name in instances(app) if name.startswith(run_id)] == [f"{run_id}:delete"]
    master = {"x-functions-key": app.endpoints.master_key}
    event = {"input": "datasets/math/forgotten/train.jsonl"}
    assert app.ask("POST", "/admin/functions/dataset_uploaded", event, **master)[0] == 404
    assert app.ask("POST", "/admin/functions/look_after_deletions", {}, **master)[0] == 202
    assert app.run_ids("math-forgotten-") == []
    assert app.ask("DELETE", f"/api/runs/{run_id}")[0] == 410


def places(app: App) -> Iterator[str]:
    """Yield every blob of the account, and every row of the task hub, that has a row's text."""
    with app.storage() as storage:
        for container in storage.list_containers():
            client = storage.get_container_client(container.name)
            for blob in client.list_blobs():
                if TEXT in client.download_blob(blob.name).readall():
                    yield f"{container.name}/{blob.name}"
    for table, row in hub_rows(app):
        if TEXT.decode() in str(row):
            yield table


def instances(app: App) -> list[str]:
    return [row[0] for table, row in hub_rows(app) if table == "instances"]


def hub_rows(app: App) -> Iterator[tuple[str, tuple[str, ...]]]:
    hub = sqlite3.connect(app.folder.parent / "cloud" / TASK_HUB_FILE)
    try:
        for table in ("instances", "history", "messages", "activities"):
            for row in hub.execute("SELECT * FROM " + table):  # noqa: S608
                yield table, row
    finally:
        hub.close()


def uploaded_files(app: App, run_id: str) -> list[str]:
    """Return the names of the run's files at the fine-tuning service."""
    _, page, _ = ask(
        f"{app.endpoints.azure_openai_url}/files?limit=100", "GET", **{"api-key": "any"}
    )
    return [file["filename"] for file in page["data"] if file["filename"].startswith(run_id)]
