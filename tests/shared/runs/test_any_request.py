"""Whatever a client sends, a route answers as its document says: never with 5xx.

What a dry run accepts, a start accepts, and the other way round.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.core.paths import DATASETS, RUNS, split_path
from shared.core.process import Process, use
from shared.core.settings import SETTINGS
from shared.runs.openapi import openapi_document
from tests.support.any_spec import ODD, TRAIN, documents
from tests.support.api_contract import undocumented
from tests.support.api_door import Door, DoorAnswer

in_any_order = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
DEEP = 100_000
Ask = Callable[..., DoorAnswer]


@pytest.fixture
def ask(azurite: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """Return what sends a request to an app whose settings are all right and has one dataset.

    Each request comes to a task hub of its own, and its answer is one that the document describes.
    """
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISTILLATION_STORAGE", azurite)
    monkeypatch.setenv("TEACHER_BASE_URL", "https://r.openai.azure.com/openai/v1")
    monkeypatch.setenv("TEACHER_MODEL", "m")
    monkeypatch.setenv("AZURE_OPENAI_BASE_URL", "https://r.openai.azure.com/openai/v1")
    for name in ("AZUREML_SUBSCRIPTION_ID", "AZUREML_RESOURCE_GROUP", "AZUREML_WORKSPACE"):
        monkeypatch.setenv(name, "00000000-0000-0000-0000-000000000000")
    use(Process())
    rows = b"".join(b'{"messages": [{"role": "user", "content": "%d+1?"}]}\n' % n for n in range(3))
    with BlobServiceClient.from_connection_string(azurite, use_env_settings=False) as storage:
        for container in (DATASETS, RUNS):
            with contextlib.suppress(ResourceExistsError):
                cast(Any, storage).create_container(container)
        storage.get_blob_client(*split_path(TRAIN)).upload_blob(rows, overwrite=True)

    def asked(method: str, target: str, body: bytes, content_type: str = "") -> DoorAnswer:
        sent_as = content_type or "application/json"
        answer = runner.run(Door().ask(method, target, body, sent_as))
        assert answer.status < 500, answer.body
        assert undocumented(method, target.partition("?")[0], answer.status, answer.body) == []
        return answer

    with asyncio.Runner() as runner:
        yield asked


def problems_in(answer: DoorAnswer) -> Any:
    return answer.body["error"]["details"] if answer.status >= 400 else []


@in_any_order
@given(document=documents() | ODD)
def test_a_dry_run_refuses_what_a_start_refuses_and_nothing_else(ask: Ask, document: Any) -> None:
    body = json.dumps(document).encode()
    dry = ask("POST", "/api/runs?dry_run=true", body)
    start = ask("POST", "/api/runs", body)
    assert (dry.status, problems_in(dry)) == (
        200 if start.status == 202 else start.status,
        problems_in(start),
    )


BODIES = [
    b"[" * DEEP,
    b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    b'{"task": "math", "task": "nli"}',
    b'{"budget": {"max_cost": NaN}}',
    b'{"budget": {"max_cost": 1e999, "max_tokens": ' + b"9" * 5000 + b"}}",
    b'{"teacher": {"seed": ' + b"9" * 400 + b"}}",
    b'"\\ud800"',
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    b" " * 10_000_000,
    b"{" + b",".join(b'"key%d": 1' % n for n in range(15_000)) + b"}",
    b'{"student": [' + b",".join([b'{"a": 1}'] * 25_000) + b"]}",
]
TYPES = ("", "application/json; charset=utf-16", "text/json", "multipart/form-data", "\0", ",")
OPERATIONS = [
    (
        method.upper(),
        path.replace("{id}", "math-x-0123456789ab").translate({ord("{"): None, ord("}"): None}),
        operation.get("parameters", []),
    )
    for path, operations in openapi_document()["paths"].items()
    for method, operation in operations.items()
]
VALUES = ("", "%00", "true", "5", "9" * 5000, "-1", "nan", "%ED%A0%80", "a,b", "durable", "%2F..")


@in_any_order
@given(
    operation=st.sampled_from(OPERATIONS),
    body=st.sampled_from(BODIES),
    content_type=st.sampled_from(TYPES),
    data=st.data(),
)
def test_any_query_and_body_is_answered_as_documented(
    ask: Ask,
    operation: tuple[str, str, list[Any]],
    body: bytes,
    content_type: str,
    data: st.DataObject,
) -> None:
    method, path, parameters = operation
    names = [entry["name"] for entry in parameters if entry["in"] == "query"]
    chosen = data.draw(
        st.lists(
            st.tuples(st.sampled_from([*names, "colour"]), st.sampled_from(VALUES)), max_size=3
        )
    )
    query = "&".join(f"{name}={value}" for name, value in chosen)
    answer = ask(method, f"{path}?{query}", body, content_type)
    if any(name == "colour" for name, _ in chosen):
        assert answer.status in (400, 404, 413, 415)
