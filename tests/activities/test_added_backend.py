"""A fine-tuning backend is added by one module and one entry: nothing else in the app knows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.core.errors import InvalidInput
from shared.core.process import Process, current, use
from shared.dataset.rows import as_jsonl
from shared.runs.contracts import (
    CANCEL_FINETUNING,
    CONCLUDE_FINETUNING,
    POLL_FINETUNING,
    PREFLIGHT,
    SUBMIT_FINETUNING,
)
from shared.spec.parse import parse_spec, spec_schema
from shared.students.backends import BACKENDS
from tests.activities.conftest import Configure, NewRun, Teach
from tests.support import abacus
from tests.support.activity_runs import AppRun, sums

STUDENT = {"backend": "abacus", "model": "ten-wires", "hyperparameters": {"beads": "7"}}
PHI = "azureml://registries/azureml/models/Phi-4/versions/7"
ROW = {"messages": [{"role": "user", "content": "2?"}, {"role": "assistant", "content": "2"}]}


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Add the backend, to a process that has no jobs."""
    monkeypatch.setitem(BACKENDS, "abacus", abacus.DESCRIPTOR)
    before = use(Process())
    yield
    use(before)


def spec(**student: Any) -> dict[str, Any]:
    return {
        "task": "math",
        "train": "datasets/math/x/train.jsonl",
        "student": {**STUDENT, **student},
    }


def test_the_specification_takes_what_the_backend_takes() -> None:
    run = parse_spec(spec(suffix="mine"))
    assert run.min_rows == 50
    with pytest.raises(InvalidInput) as error:
        parse_spec(spec(compute="cluster", hyperparameters={"beads": 11, "n_epochs": 3}))
    problems = [f"{detail['where']} {detail['problem']}" for detail in error.value.details]
    assert problems == [
        "student.compute is for azureml and azureml_command, not for abacus: remove it",
        "student.hyperparameters beads must be a whole number from 1 to 10, not 11",
        "student.hyperparameters n_epochs is not a hyperparameter of ten-wires: it takes beads",
    ]


def test_a_setting_of_the_new_backend_alone_is_refused_elsewhere_by_name() -> None:
    with pytest.raises(InvalidInput) as error:
        parse_spec(spec(backend="azureml", model=PHI, suffix="mine", hyperparameters={}))
    (problem,) = error.value.details
    assert problem["problem"] == "is for azure_openai and abacus, not for azureml: remove it"


def test_the_published_schema_names_it() -> None:
    backend = spec_schema()["$defs"]["StudentSpec"]["properties"]["backend"]  # type: ignore[index]
    assert backend["anyOf"][0]["enum"] == [*BACKENDS]  # type: ignore[index]


async def test_an_app_without_its_settings_is_refused_before_the_teacher_is_paid(
    new_run: NewRun, teach: Teach, app: Configure
) -> None:
    async with teach():
        app(STUDENT_MODEL=None)
        run = await prepared(new_run)
        checked = await run.call(PREFLIGHT)
    assert checked["error"]["message"].endswith("by Abacus, which needs STUDENT_MODEL")


async def prepared(new_run: NewRun, **student: Any) -> AppRun:
    run = new_run(student={**STUDENT, **student})
    await run.arrive(sums(1))
    assert (await run.prepare())["status"] == "ok"
    return run


async def test_its_problems_and_warnings_are_found_before_the_teacher_is_paid(
    new_run: NewRun, teach: Teach, app: Configure
) -> None:
    async with teach():
        app(STUDENT_MODEL="any")
        good = await (await prepared(new_run)).call(PREFLIGHT)
        bad = await (await prepared(new_run, model="broken")).call(PREFLIGHT)
    assert (good["status"], good["warnings"]) == ("ok", ["beads may roll"])
    assert "a wire is broken: replace it" in bad["error"]["message"]


async def test_its_job_is_submitted_once_followed_cancelled_and_kept_in_the_record(
    new_run: NewRun, app: Configure
) -> None:
    app(STUDENT_MODEL="any")
    run = await prepared(new_run)
    await run.storage.write(run.paths.dataset("train"), as_jsonl([ROW] * 50))
    run.client.statuses[run.paths.run_id] = {"runtimeStatus": "Running"}
    submitted = await run.call(SUBMIT_FINETUNING, splits=["train"])
    job = submitted["job"]
    assert (job["job"], job["status"]) == (run.paths.run_id, "running")
    (request,) = current().part(abacus.Jobs).requests
    assert request.student.hyperparameters == {"beads": 7}

    assert (await run.call(POLL_FINETUNING, job=job))["job"]["service_status"] == "moving"
    cancelled = await run.call(CANCEL_FINETUNING, job=job)
    assert cancelled["job"]["status"] == "cancelled"

    assert (await run.call(CONCLUDE_FINETUNING, job=cancelled["job"]))["status"] == "ok"
    record = await run.storage.read_json(run.paths.training(0))
    assert record["ended"]["events"] == ["the beads were moved"]
