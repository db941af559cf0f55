"""The training scripts in storage: written once for each version, never changed under a job."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from shared.core.errors import PermanentError, TransientError
from shared.core.paths import RUNS
from shared.finetuning.azureml.training_code import FOLDER, code_folder, publish, scripts
from shared.students.backends import SCRIPT_HYPERPARAMETERS
from tests.support.azureml import put_lines
from tests.support.command_jobs import settings_of

UNREACHABLE = (
    "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:9/a"
)


@pytest.fixture(autouse=True)
def workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUBSCRIPTION_ID", "RESOURCE_GROUP", "WORKSPACE"):
        monkeypatch.setenv(f"AZUREML_{name}", "x")


def contents(storage: str, folder: str) -> dict[str, tuple[bytes, Any]]:
    service: Any
    with BlobServiceClient.from_connection_string(storage) as service:
        container = service.get_container_client(RUNS)
        blobs = container.list_blobs(name_starts_with=f"{folder}/")
        return {
            blob.name: (container.download_blob(blob.name).readall(), blob.last_modified)
            for blob in blobs
        }


def test_publishing_again_changes_nothing(azurite: str) -> None:
    put_lines(azurite, "there/is/a/container", [])
    settings = settings_of(azurite)
    files = {"train.py": b"print(1)", "requirements.txt": b"torch"}
    folder = publish(settings, files)
    first = contents(azurite, folder)
    written = {name.removeprefix(f"{folder}/"): content for name, (content, _) in first.items()}
    assert written == files
    assert publish(settings, files) == folder
    assert contents(azurite, folder) == first


def test_a_change_to_any_script_is_another_folder() -> None:
    first = code_folder({"a.py": b"1", "b.py": b"2"})
    others = [
        {"a.py": b"1", "b.py": b"3"},
        {"a.py": b"1", "c.py": b"2"},
        {"a.py": b"12", "b.py": b""},
    ]
    assert len({first, *map(code_folder, others)}) == 4
    assert first.startswith("_training/")


def test_what_is_published_is_all_that_a_job_needs() -> None:
    """They import each other, the standard library and what requirements.txt installs."""
    files = scripts()
    script_names = {name.removesuffix(".py") for name in files}
    installed = {"torch", "transformers", "peft", "trl", "datasets", "tokenizers"}
    for name, content in files.items():
        if name.endswith(".py"):
            available = script_names | installed | set(sys.stdlib_module_names)
            assert imported_packages(content) <= available, name


def imported_packages(content: bytes) -> set[str]:
    modules: list[str] = []
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules.append(node.module or "")
    return {module.partition(".")[0] for module in modules}


def test_every_hyperparameter_of_ours_is_an_argument_of_the_script() -> None:
    text = (FOLDER / "train.py").read_text()
    assert [entry.name for entry in SCRIPT_HYPERPARAMETERS if f'"--{entry.name}"' not in text] == []


def test_the_scripts_are_deployed_with_the_app() -> None:
    ignored = (FOLDER.parent / ".funcignore").read_text().splitlines()
    assert not {FOLDER.name, f"{FOLDER.name}/", "*.py", "requirements.txt"} & set(ignored)


def test_an_app_that_was_deployed_without_the_scripts_says_so(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="deployed without"):
        scripts(tmp_path)


def test_storage_that_cannot_be_reached_is_retried() -> None:
    with pytest.raises(TransientError, match="training scripts"):
        publish(settings_of(UNREACHABLE), {"a.py": b""})
