"""How a run that has ended may go on: which settings can change, and what the next round is asked
with.
"""

from __future__ import annotations

from typing import Any

import pytest

from shared.core.errors import InvalidInput, NotFound
from shared.core.json_values import JsonObject
from shared.core.storage import Storage
from shared.runs.requests import RunRequest, claim, write_request
from shared.runs.resume import changed, check_changes, next_round
from shared.spec.models import RunSpec
from shared.spec.parse import parse_spec
from shared.students.catalogue import DEFAULT_STUDENT
from tests.shared.conftest import RunFolder

PHI_4K = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/15"


async def written_round(
    storage: Storage, run_id: str, changes: JsonObject, default_student: str | None = None
) -> RunRequest:
    """Return the request of the next round, once it is kept."""
    request = await next_round(storage, run_id, changes, default_student)
    await write_request(storage, request)
    return request


def spec_of(**fields: Any) -> RunSpec:
    return parse_spec({"task": "math", "train": "datasets/math/x/train.jsonl", **fields})


def places(error: pytest.ExceptionInfo[InvalidInput]) -> set[str]:
    return {problem["where"] for problem in error.value.details}


async def ended(folder: RunFolder, spec: RunSpec | None = None) -> str:
    """A run that was asked for, and prepared where a specification is given."""
    run_id = folder.paths.run_id
    request: dict[str, Any] = {
        "task": "math",
        "name": "x",
        "train": "datasets/math/x/train.jsonl",
        "etag": "e",
    }
    await claim(folder.storage, RunRequest(run_id=run_id, source="upload", **request))
    if spec:
        await folder.storage.write(
            folder.paths.specification, spec.model_dump_json(exclude_none=True).encode()
        )
    return run_id


def test_what_a_run_that_has_begun_cannot_change_is_refused_with_every_problem() -> None:
    body = {
        "task": "nli",
        "prompt": {"chain_of_thought": True},
        "teacher": 7,
        "holdout": {"fraction": 0.1},
        "reuse": "math-x-0123456789ab",
        "generation": {"rows_per_shard": 3},
        "budget": {"max_tokens": 5},
    }
    with pytest.raises(InvalidInput, match="6 problem") as error:
        check_changes(body)
    assert places(error) == {"task", "prompt", "teacher", "holdout", "reuse", "generation"}
    assert "start a new run with this run's id as `reuse`" in str(error.value.details)


def test_the_schema_that_editors_read_is_no_setting_that_changes() -> None:
    assert check_changes({"$schema": "run.schema.json", "budget": {"max_tokens": 5}}) == {
        "budget": {"max_tokens": 5}
    }


def test_which_rows_a_run_has_cannot_change() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_changes({"quality": {"near_duplicates": "drop", "min_rows": 1}})
    assert places(refused) == {"quality.near_duplicates"}


@pytest.mark.parametrize("body", [None, [], "teacher", 7])
def test_changes_are_an_object(body: object) -> None:
    with pytest.raises(InvalidInput) as error:
        check_changes(body)
    assert places(error) == {"body"}


def test_what_can_change_is_taken_and_nothing_at_all_is_fine() -> None:
    body: dict[str, Any] = {
        "quality": {"min_rows": 3},
        "student": {},
        "generation": {"parallel_shards": 2},
    }
    assert check_changes(body) == body
    assert check_changes({}) == {}


def test_changes_go_over_single_settings_and_leave_the_others() -> None:
    spec = spec_of(
        teacher={"max_tokens": 50, "temperature": 0.5, "seed": 3}, quality={"min_rows": 7}
    )
    after = changed(
        spec, {"teacher": {"max_tokens": 100, "seed": None}, "budget": {"max_requests": 9}}
    )
    assert (after.teacher.max_tokens, after.teacher.temperature, after.teacher.seed) == (
        100,
        0.5,
        None,
    )
    assert (after.budget.max_requests, after.quality.min_rows) == (9, 7)
    assert changed(spec, {}) == spec


def test_changed_settings_are_checked_like_first_ones_together_with_those_that_stay() -> None:
    spec = spec_of(teacher={"temperature": 0})
    changes: JsonObject = {
        "quality": {"samples": 3, "select": "majority"},
        "budget": {"max_cost": 1},
        "teacher": {"max_tokens": 0},
    }
    with pytest.raises(InvalidInput) as error:
        changed(spec, changes)
    assert places(error) == {"teacher.temperature", "teacher.max_tokens", "budget.max_cost"}


def test_another_student_begins_without_the_settings_of_the_one_before() -> None:
    student: JsonObject = {"model": "gpt-4.1-mini", "training_type": "data_zone", "max_hours": 5}
    spec = spec_of(student=student)
    [same] = changed(spec, {"student": {"model": "gpt-4.1-mini", "max_hours": 6}}).students
    assert (same.training_type, same.max_hours) == ("data_zone", 6)
    [other] = changed(spec, {"student": {"model": "Ministral-3B"}}).students
    assert (other.training_type, other.trained_in, other.max_hours) == (None, "global", 48)
    elsewhere: JsonObject = {"model": "azureml://registries/azureml/models/Phi-4/versions/7"}
    [moved] = changed(spec, {"student": elsewhere}).students
    assert moved.training_type is None


async def test_another_student_begins_anew_in_later_rounds_too(folder: RunFolder) -> None:
    run_id = await ended(folder, spec_of())
    first: JsonObject = {"model": "gpt-4.1-mini", "training_type": "developer"}
    await written_round(folder.storage, run_id, {"student": first})
    request = await written_round(folder.storage, run_id, {"student": {"model": "gpt-4.1-nano"}})
    assert request.changes == {"student": {"model": "gpt-4.1-nano"}}


async def test_changes_of_several_rounds_come_together(folder: RunFolder) -> None:
    run_id = await ended(folder, spec_of())
    await written_round(
        folder.storage,
        run_id,
        {"teacher": {"max_tokens": 50, "seed": 1}, "budget": {"max_tokens": 9}},
    )
    await written_round(folder.storage, run_id, {})
    request = await written_round(folder.storage, run_id, {"teacher": {"max_tokens": 70}})
    assert request.round == 3
    assert request.changes == {
        "teacher": {"max_tokens": 70, "seed": 1},
        "budget": {"max_tokens": 9},
    }
    assert (
        RunRequest.model_validate(await folder.storage.read_json(folder.paths.request)) == request
    )
    assert (request.run_id, request.etag) == (run_id, "e")


async def test_a_run_that_was_never_asked_for_cannot_be_resumed(folder: RunFolder) -> None:
    with pytest.raises(NotFound, match=folder.paths.run_id):
        await written_round(folder.storage, folder.paths.run_id, {})


async def test_changes_that_do_not_fit_the_run_leave_it_as_it_was(folder: RunFolder) -> None:
    run_id = await ended(folder, spec_of())
    before = await folder.text(folder.paths.request)
    with pytest.raises(InvalidInput) as error:
        await written_round(
            folder.storage, run_id, {"teacher": {"temperature": 9}, "student": {"colour": "blue"}}
        )
    assert places(error) == {"teacher.temperature", "student.colour"}
    assert await folder.text(folder.paths.request) == before


async def test_a_run_whose_specification_was_never_resolved_is_resumed_all_the_same(
    folder: RunFolder,
) -> None:
    run_id = await ended(folder)
    request = await written_round(folder.storage, run_id, {"student": {"max_hours": 3}})
    assert (request.round, request.changes) == (1, {"student": {"max_hours": 3}})


async def test_a_student_that_may_not_take_in_the_accepted_rows_needs_a_run_of_its_own(
    folder: RunFolder,
) -> None:
    run_id = await ended(folder, spec_of(student={"model": DEFAULT_STUDENT}))
    with pytest.raises(InvalidInput) as error:
        await written_round(folder.storage, run_id, {"student": {"model": PHI_4K}})
    assert places(error) == {"student.model"}
    assert "4,096 tokens" in error.value.details[0]["problem"]
    assert f'"reuse": "{run_id}"' in error.value.details[0]["problem"]


async def test_the_default_student_is_checked_before_the_round_begins(folder: RunFolder) -> None:
    run_id = await ended(folder, spec_of(student={"model": "gpt-4.1-mini"}))
    before = await folder.storage.read(folder.paths.request)
    several: JsonObject = {"student": [{"model": "gpt-4.1-mini"}, {}]}
    with pytest.raises(InvalidInput, match="cannot be resumed with this student"):
        await written_round(folder.storage, run_id, several, PHI_4K)
    assert await folder.storage.read(folder.paths.request) == before


async def test_a_student_that_takes_in_more_is_taken(folder: RunFolder) -> None:
    run_id = await ended(folder, spec_of(student={"model": PHI_4K}))
    request = await written_round(folder.storage, run_id, {"student": {"model": DEFAULT_STUDENT}})
    assert request.changes["student"] == {"model": DEFAULT_STUDENT}
