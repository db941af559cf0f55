"""What the emulated API takes and refuses: keys, files, bodies of jobs by OpenAI's published rules,
pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.azure_openai import MODEL, Resource, chat_lines, emulator


@pytest.fixture(scope="module")
def resource() -> Iterator[Resource]:
    with emulator() as url:
        yield Resource(url)


@pytest.fixture(scope="module")
def file(resource: Resource) -> str:
    return resource.file(chat_lines(12))["id"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"api-key": "right"}, 200),
        ({"Authorization": "Bearer right"}, 200),
        ({"api-key": "wrong"}, 401),
        ({"Authorization": "Basic right"}, 401),
        ({}, 401),
    ],
)
def test_a_key_is_taken_as_api_key_or_bearer_and_no_other(
    headers: dict[str, str], status: int
) -> None:
    with emulator(api_key="right") as url:
        resource = Resource(url)
        resource.headers = headers
        code, body = resource.ask("models")
    assert code == status
    if status == 401:
        assert body["error"].keys() == {"message", "type", "param", "code"}


def test_models_say_whether_they_can_be_fine_tuned(resource: Resource) -> None:
    listed = {
        model["id"]: model["capabilities"]["fine_tune"]
        for model in resource.ask("models")[1]["data"]
    }
    assert listed[MODEL] is True
    assert listed["text-embedding-3-small"] is False
    assert listed["gpt-oss-20b-11"] is False  # as the service says of open models
    assert resource.ask("models/gpt-4.1-mini")[1]["id"] == MODEL
    assert resource.ask("models/gpt-9")[0] == 404


WRONG_BODIES: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model"),
    ({"training_file": "file-nowhere"}, "training_file"),
    ({"validation_file": "file-nowhere"}, "validation_file"),
    ({"colour": "red"}, "colour"),
    ({"suffix": "x" * 65}, "suffix"),
    ({"suffix": ""}, "suffix"),
    ({"seed": -1}, "seed"),
    ({"seed": "7"}, "seed"),
    ({"metadata": {f"key{number}": "x" for number in range(17)}}, "metadata"),
    ({"metadata": {"k" * 65: "x"}}, "metadata"),
    ({"metadata": {"k": "x" * 513}}, "metadata.k"),
    ({"metadata": {"k": 1}}, "metadata.k"),
    ({"hyperparameters": {"n_epochs": 0}}, "hyperparameters.n_epochs"),
    ({"hyperparameters": {"n_epochs": 51}}, "hyperparameters.n_epochs"),
    ({"hyperparameters": {"batch_size": 257}}, "hyperparameters.batch_size"),
    (
        {"hyperparameters": {"learning_rate_multiplier": 0}},
        "hyperparameters.learning_rate_multiplier",
    ),
    ({"hyperparameters": {"learning_rate": 1e-5}}, "hyperparameters.learning_rate"),
    ({"method": {"type": "magic"}}, "method.type"),
    ({"method": {"type": "supervised"}, "hyperparameters": {}}, "method"),
]


@pytest.mark.parametrize(("change", "param"), WRONG_BODIES, ids=lambda value: str(value)[:40])
def test_a_body_that_the_api_does_not_have_is_refused_by_name(
    resource: Resource, file: str, change: dict[str, Any], param: str
) -> None:
    before = len(resource.jobs())
    status, body = resource.create(**{"training_file": file, **change})
    assert status == 400, body
    assert (body["error"]["param"] or "").startswith(param)
    assert body["error"]["message"]
    assert len(resource.jobs()) == before


@pytest.mark.parametrize(
    ("model", "sent", "answered"),
    [
        (MODEL, None, "Standard"),
        (MODEL, "standard", "Standard"),
        (MODEL, "globalstandard", "GlobalStandard"),
        (MODEL, "developerTier", "DeveloperTier"),
        (MODEL, 1, "GlobalStandard"),
        ("Ministral-3B", "globalStandard", "GlobalStandard"),
        ("Ministral-3B", "datazoneStandard", "DatazoneStandard"),
    ],
)
def test_training_types_are_taken_in_microsofts_spellings_and_answered_in_one(
    resource: Resource, file: str, model: str, sent: str | int | None, answered: str
) -> None:
    status, job = resource.create(file, model=model, trainingType=sent)
    assert (status, job["trainingType"]) == (201, answered)


@pytest.mark.parametrize(
    ("model", "sent", "words"),
    [
        (MODEL, "Developer", "The fineTuningJob field is required."),
        (MODEL, 7, "The fineTuningJob field is required."),
        ("Ministral-3B", None, "does not support fine-tuning with Standard TrainingType"),
        ("Ministral-3B", "developerTier", "does not support fine-tuning with DeveloperTier"),
        ("text-embedding-3-small", "globalStandard", "does not support fine-tuning"),
    ],
)
def test_training_types_are_refused_in_the_services_words(
    resource: Resource, file: str, model: str, sent: str | int | None, words: str
) -> None:
    status, body = resource.create(file, model=model, trainingType=sent)
    assert (status, body["error"]["code"]) == (400, "invalidPayload")
    assert words in body["error"]["message"]


def test_a_model_that_does_not_exist_is_not_found(resource: Resource, file: str) -> None:
    status, body = resource.create(file, model="gpt-9")
    assert (status, body["error"]["code"]) == (404, "model_not_found")


def test_the_whole_published_body_is_taken_and_shown_again(resource: Resource, file: str) -> None:
    method = {
        "type": "supervised",
        "supervised": {"hyperparameters": {"n_epochs": 50, "batch_size": "auto"}},
    }
    submitted = {
        "suffix": "x" * 64,
        "seed": 2**31 - 1,
        "metadata": {"k" * 64: "v" * 512},
        "validation_file": file,
    }
    status, job = resource.create(file, method=method, trainingType="GlobalStandard", **submitted)
    assert status == 201
    assert {name: job[name] for name in submitted} == submitted
    assert job["hyperparameters"] == {
        "n_epochs": 50,
        "batch_size": 1,
        "learning_rate_multiplier": 1.0,
    }


def test_a_file_that_is_not_ready_cannot_be_trained_on() -> None:
    with emulator(file_pace=60) as url:
        resource = Resource(url)
        _, file = resource.upload(chat_lines(12))
        assert file["status"] == "pending"
        assert resource.create(file["id"])[1]["error"]["code"] == "file_not_ready"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{\n", "line 1: is not JSON"),
        (chat_lines(3) + b'{"text": "a"}\n', "line 4: has keys"),
        (b"", "it is empty"),
    ],
)
def test_a_bad_file_is_in_error_with_its_line_and_reason(
    resource: Resource, content: bytes, why: str
) -> None:
    file = resource.file(content, "error")
    assert why in file["status_details"]
    assert resource.create(file["id"])[0] == 400


@pytest.mark.parametrize(("purpose", "status"), [("fine-tune", 201), ("assistants", 400)])
def test_only_files_for_fine_tuning_are_taken(
    resource: Resource, purpose: str, status: int
) -> None:
    assert resource.upload(chat_lines(1), purpose=purpose)[0] == status


def test_what_is_no_form_with_a_file_is_refused(resource: Resource) -> None:
    assert resource.ask("files", "POST", {"file": "x"})[0] == 400
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    part = b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n--b--\r\n'
    assert (
        resource.ask("files", "POST", part, **kind)[1]["error"]["code"]
        == "missing_required_parameter"
    )


def test_a_deleted_file_is_gone_with_its_content(tmp_path: Path) -> None:
    with emulator(data_dir=tmp_path) as url:
        resource = Resource(url)
        file = resource.file(chat_lines(3))["id"]
        assert resource.ask(f"files/{file}", "DELETE")[1] == {
            "object": "file",
            "id": file,
            "deleted": True,
        }
        assert resource.ask(f"files/{file}")[0] == resource.ask(f"files/{file}", "DELETE")[0] == 404
        assert list((tmp_path / "files").iterdir()) == []


def test_pages_hold_every_item_once_newest_first() -> None:
    with emulator(pace=600, file_pace=0) as url:
        resource = Resource(url)
        file = resource.file(chat_lines(12))["id"]
        made = [resource.create(file)[1]["id"] for _ in range(7)]
        collected: list[str] = []
        after = ""
        while True:
            _, page = resource.ask(f"fine_tuning/jobs?limit=3{after}")
            collected += [job["id"] for job in page["data"]]
            after = f"&after={page['last_id']}"
            if not page["has_more"]:
                break
        assert collected == made[::-1]
        for wrong in ("limit=0", "limit=101", "limit=x", "after=ftjob-nowhere"):
            assert resource.ask(f"fine_tuning/jobs?{wrong}")[0] == 400


def test_what_is_not_emulated_says_so(resource: Resource) -> None:
    status, body = resource.ask("chat/completions", "POST", {})
    assert (status, body["error"]["code"]) == (404, "not_emulated")
