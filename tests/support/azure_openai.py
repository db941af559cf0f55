"""An emulator that serves from a thread of its own, as the SDK under test blocks; and requests to
it without the SDK.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from local.emulators.azure_openai import EmulatorOptions, serve
from tests.support.azureml import ask
from tests.support.in_a_thread import PATIENCE, in_a_thread

MODEL = "gpt-4.1-mini-2025-04-14"


@contextmanager
def emulator(*, data_dir: Path | None = None, port: int = 0, **options: Any) -> Generator[str]:
    """The base URL of an emulator that paces jobs over 0 s unless told otherwise."""
    settings: dict[str, Any] = {"pace": 0.0, **options}
    chosen = EmulatorOptions(**settings)
    with in_a_thread(serve(chosen, data_dir=data_dir, port=port)) as base_url:
        yield base_url


class Resource:
    """The emulated resource over plain HTTP."""

    def __init__(self, base_url: str, key: str = "any") -> None:
        self.base_url = base_url
        self.headers = {"api-key": key}

    def ask(
        self, path: str, method: str = "GET", body: object = None, **headers: str
    ) -> tuple[int, Any]:
        url = f"{self.base_url}/{path}"
        status, answer, _ = ask(url, method, body, **{**self.headers, **headers})
        return status, answer

    def upload(
        self, content: bytes, name: str = "train.jsonl", purpose: str = "fine-tune"
    ) -> tuple[int, Any]:
        """Status and answer; the file need not be judged yet."""
        boundary = uuid4().hex
        part = f"--{boundary}\r\nContent-Disposition: form-data; name="
        head = f'{part}"purpose"\r\n\r\n{purpose}\r\n{part}"file"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self.ask("files", "POST", body, **kind)

    def file(self, content: bytes, status: str = "processed") -> dict[str, Any]:
        """An uploaded file once it is judged."""
        code, file = self.upload(content)
        assert code == 201, file
        return self.wait(f"files/{file['id']}", status)

    def create(self, training_file: str, **changes: Any) -> tuple[int, Any]:
        body = {"model": MODEL, "training_file": training_file, **changes}
        body = {name: value for name, value in body.items() if value is not None}
        return self.ask("fine_tuning/jobs", "POST", body)

    def job(self, rows: int = 12, **changes: Any) -> str:
        """The id of a new job over a good file."""
        code, job = self.create(self.file(chat_lines(rows))["id"], **changes)
        assert code == 201, job
        return job["id"]

    def jobs(self) -> list[dict[str, Any]]:
        return self.ask("fine_tuning/jobs?limit=100")[1]["data"]

    def files(self) -> list[dict[str, Any]]:
        return self.ask("files?limit=100")[1]["data"]

    def wait(self, path: str, *statuses: str) -> dict[str, Any]:
        """The object once its status is one of these."""
        give_up = time.monotonic() + PATIENCE
        while True:
            _, shown = self.ask(path)
            if shown.get("status") in statuses:
                return shown
            assert time.monotonic() < give_up, f"{path} is still {shown}"
            time.sleep(0.005)  # the service tells nobody: it can only be polled

    def fault(self, **fault: Any) -> None:
        url = self.base_url.removesuffix("/openai/v1") + "/emulator/faults"
        status, answer, _ = ask(url, "POST", fault)
        assert status == 201, answer


def chat_lines(count: int) -> bytes:
    row = {
        "messages": [{"role": "user", "content": "2 + 3?"}, {"role": "assistant", "content": "5"}]
    }
    return (json.dumps(row).encode() + b"\n") * count
