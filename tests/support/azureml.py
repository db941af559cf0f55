"""An emulator in a thread of its own, as the SDK blocks, and requests to it without the SDK."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from local.emulators.azureml import EmulatorOptions, serve
from local.emulators.azureml.arm import WORKSPACE_ID
from local.emulators.azureml.environment import CONTAINER, DATASTORE, TOKEN_PATH
from local.emulators.azureml.store import TERMINAL
from shared.students.catalogue import DEFAULT_STUDENT
from tests.support.in_a_thread import PATIENCE, in_a_thread

HEADER = "the identity header"


@contextmanager
def emulator(
    *, storage: str | None = None, data_dir: Path | None = None, port: int = 0, **options: Any
) -> Generator[str]:
    """The base URL of an emulator that paces jobs over 0 s unless told otherwise."""
    settings: dict[str, Any] = {"pace": 0.0, "identity_header": HEADER, **options}
    chosen = EmulatorOptions(**settings)
    with in_a_thread(serve(chosen, storage=storage, data_dir=data_dir, port=port)) as base_url:
        yield base_url


def ask(
    url: str, method: str = "GET", body: object = None, **headers: str
) -> tuple[int, Any, dict[str, str]]:
    """Status, body (parsed where it is JSON) and headers."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(url, data=data, method=method, headers=headers)
    try:
        with urlopen(request, timeout=PATIENCE) as response:
            return response.status, _parsed(response), dict(response.headers)
    except HTTPError as error:
        with error:
            return error.code, _parsed(error), dict(error.headers)


def _parsed(response: Any) -> Any:
    content = response.read()
    is_json = response.headers.get_content_type() == "application/json"
    return json.loads(content) if is_json else content.decode()


class Workspace:
    """The emulated workspace over plain HTTP, with a token."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        query = "?api-version=2019-08-01&resource=https://x"
        _, body, _ = ask(f"{base_url}{TOKEN_PATH}{query}", **{"X-IDENTITY-HEADER": HEADER})
        self.headers = {"Authorization": f"Bearer {body['access_token']}"}

    def ask(self, path: str, method: str = "GET", body: object = None) -> tuple[int, Any]:
        """`path` is below the workspace, or the whole one when it starts with a slash."""
        full = path if path.startswith("/") else f"{WORKSPACE_ID}/{path}"
        url = f"{self.base_url}{full}?api-version=2024-10-01-preview"
        status, answer, _ = ask(url, method, body, **self.headers)
        return status, answer

    def submit(self, name: str, training: str, validation: str | None = None) -> None:
        status, answer = self.ask(f"jobs/{name}", "PUT", job_body(training, validation))
        assert status == 201, answer

    def wait(self, name: str, *statuses: str) -> dict[str, Any]:
        """The job's properties once its status is one of these; of any end when none is given."""
        give_up = time.monotonic() + PATIENCE
        while True:
            _, job = self.ask(f"jobs/{name}")
            if job["properties"]["status"] in (statuses or TERMINAL):
                return job["properties"]
            assert time.monotonic() < give_up, f"job {name} is still {job['properties']['status']}"
            time.sleep(0.01)  # the service tells nobody: it can only be polled

    def reason(self, name: str) -> str:
        """Why a job failed, from the run history."""
        _, run = self.ask(f"/history/v1.0{WORKSPACE_ID}/runs/{name}")
        return run["error"]["error"]["message"]


def job_body(training: str, validation: str | None = None) -> dict[str, Any]:
    """What the SDK sends for a chat-completion job."""
    details: dict[str, Any] = {
        "modelProvider": "Custom",
        "taskType": "chatCompletion",
        "model": {"jobInputType": "mlflow_model", "uri": DEFAULT_STUDENT},
        "trainingData": {"jobInputType": "uri_file", "uri": training},
        "hyperParameters": {"num_train_epochs": "1"},
    }
    if validation:
        details["validationData"] = {"jobInputType": "uri_file", "uri": validation}
    output = {"jobOutputType": "mlflow_model", "assetName": "student"}
    properties: dict[str, Any] = {
        "jobType": "FineTuning",
        "fineTuningDetails": details,
        "outputs": {"registered_model": output},
    }
    return {"properties": properties}


def datastore_uri(path: str) -> str:
    return f"azureml://datastores/{DATASTORE}/paths/{path}"


def chat_rows(count: int) -> list[bytes]:
    messages = [{"role": "user", "content": "2 + 3?"}, {"role": "assistant", "content": "5"}]
    row = {"messages": messages}
    return [json.dumps(row).encode()] * count


def put_lines(storage: str, path: str, lines: list[bytes]) -> str:
    """Write a file into container `runs`; the URI that names it through the datastore."""
    service: Any
    with BlobServiceClient.from_connection_string(storage) as service:
        with contextlib.suppress(ResourceExistsError):
            service.create_container(CONTAINER)
        service.get_blob_client(CONTAINER, path).upload_blob(b"\n".join(lines), overwrite=True)
    return datastore_uri(path)
