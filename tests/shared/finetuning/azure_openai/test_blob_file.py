"""Datasets pass from storage to the service range by range, with a known length."""

from __future__ import annotations

import json
import os
import tracemalloc
from typing import Any

import pytest
from pydantic import SecretStr

from shared.core.errors import TransientError
from shared.core.settings import load
from shared.finetuning.azure_openai.blob_file import CHUNK_BYTES, open_blob
from shared.finetuning.azure_openai.clients import openai_client
from tests.support.azure_openai import chat_lines
from tests.support.openai_resource import KEY, NewResource, Tuning, new_resource, request_of

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


def settings_of(tuning: Tuning) -> Any:
    return load(
        {
            "DISTILLATION_STORAGE": tuning.storage,
            "TEACHER_BASE_URL": "http://t/v1",
            "TEACHER_MODEL": "m",
            "AZURE_OPENAI_BASE_URL": tuning.resource.base_url,
        }
    )


def test_a_large_dataset_is_never_in_memory_as_a_whole_and_its_length_is_announced(
    new_resource: NewResource,
) -> None:
    tuning = new_resource()
    content = long_lines(30)
    request = tuning.put(request_of(), content)
    size = len(content)
    del content
    lengths: list[int] = []
    sdk = openai_client(tuning.resource.base_url, SecretStr(KEY))
    client: Any = sdk._client  # pyright: ignore[reportPrivateUsage]

    def note(sent: Any) -> None:
        lengths.append(int(sent.headers.get("content-length", "0")))

    client.event_hooks["request"].append(note)
    tracemalloc.start()
    try:
        state = tuning.submit(request)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        client.event_hooks["request"].clear()
    assert size > 25 * MEGABYTE
    assert peak < 20 * MEGABYTE  # of the emulator in this process, too
    assert max(lengths) > size
    (file,) = tuning.resource.files()
    assert (file["bytes"], state.submitted) == (size, True)


@pytest.mark.slow
def test_a_blob_reads_as_a_file_from_any_place(new_resource: NewResource) -> None:
    tuning = new_resource()
    content = chat_lines(30_000)
    request = tuning.put(request_of(), content)
    assert len(content) > 2 * CHUNK_BYTES
    with open_blob(settings_of(tuning), request.training.blob, len(content)) as file:
        assert file.seek(0, os.SEEK_END) == len(content)
        assert file.read() == b""
        file.seek(CHUNK_BYTES - 5)
        assert file.read(10) == content[CHUNK_BYTES - 5 : CHUNK_BYTES + 5]
        file.seek(0)
        assert file.read() == content


def test_a_blob_that_changes_while_it_is_read_is_never_a_mix_of_two_versions(
    new_resource: NewResource,
) -> None:
    tuning = new_resource()
    content = chat_lines(30_000)
    request = tuning.put(request_of(), content)
    with open_blob(settings_of(tuning), request.training.blob, len(content)) as file:
        file.read(10)
        tuning.put(request, content)
        with pytest.raises(TransientError, match="could not be read"):
            file.read()
