"""Datasets on their way from storage to the service: passed on range by range, with their length known."""

from __future__ import annotations

import json
import os
import tracemalloc
from typing import Any

import pytest

from shared.core.errors import TransientError
from shared.core.settings import load
from shared.finetuning.azure_openai.blob_file import CHUNK_BYTES, open_blob
from shared.finetuning.azure_openai.clients import openai_client
from tests.support.azure_openai import chat_lines
from tests.support.openai_resource import NewResource, Tuning, new_resource, request_of

__all__ = ["new_resource"]

MEGABYTE = 2**20


def long_lines(megabytes: int) -> bytes:
    row = {
        "messages": [
            {"role": "user", "content": "x" * 900_000},
            {"role": "assistant", "content": "5"},
        ]
    }
    return (json.dumps(row).encode() + b"\n") * megabytes


def settings_of(own: Tuning) -> Any:
    return load(
        {
            "DISTILLATION_STORAGE": own.storage,
            "TEACHER_BASE_URL": "http://t/v1",
            "TEACHER_MODEL": "m",
            "AZURE_OPENAI_BASE_URL": own.resource.base_url,
        }
    )


def test_a_large_dataset_is_never_in_memory_as_a_whole_and_its_length_is_announced(
    new_resource: NewResource,
) -> None:
    own = new_resource()
    request = own.put(request_of(), content := long_lines(48))
    size, told = len(content), list[str]()
    del content
    client: Any = openai_client(own.resource.base_url, own.backend._key)._client  # pyright: ignore[reportPrivateUsage]

    def note(sent: Any) -> None:
        told.append(sent.headers.get("content-length", "0"))

    client.event_hooks["request"].append(note)
    tracemalloc.start()
    try:
        state = own.submit(request)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        client.event_hooks["request"].clear()
    assert size > 40 * MEGABYTE
    assert peak < 20 * MEGABYTE  # emulator and judge are in this process, too
    assert max(map(int, told)) > size
    (file,) = own.resource.files()
    assert (file["bytes"], state.submitted) == (size, True)


def test_a_blob_reads_as_a_file_from_any_place(new_resource: NewResource) -> None:
    own = new_resource()
    content = chat_lines(30_000)
    request = own.put(request_of(), content)
    assert len(content) > 2 * CHUNK_BYTES
    with open_blob(settings_of(own), request.training.blob, len(content)) as file:
        assert file.seek(0, os.SEEK_END) == len(content)
        assert file.read() == b""
        file.seek(CHUNK_BYTES - 5)
        assert file.read(10) == content[CHUNK_BYTES - 5 : CHUNK_BYTES + 5]
        file.seek(0)
        assert file.read() == content


def test_a_blob_that_changes_while_it_is_read_is_not_mixed_of_two_versions(
    new_resource: NewResource,
) -> None:
    own = new_resource()
    content = chat_lines(30_000)
    request = own.put(request_of(), content)
    with open_blob(settings_of(own), request.training.blob, len(content)) as file:
        file.read(10)
        own.put(request, content)
        with pytest.raises(TransientError, match="could not be read"):
            file.read()
