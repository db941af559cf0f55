"""What activities return: permanent failures as data that orchestrators can decide on, everything else raised."""

from __future__ import annotations

import inspect
import json
import typing

import pytest

from activities import names
from activities.names import PREPARE_RUN, SCAN_DATASET
from activities.outcome import Payload, ok, returns_permanent_failures
from shared.core.errors import InvalidInput, Problem, ShardContended, TransientError
from tests.activities.conftest import Configure, NewRun
from tests.support.activities import ACTIVITIES, call
from tests.support.activity_runs import sums


async def test_a_permanent_failure_becomes_data_with_every_problem() -> None:
    problems: list[Problem] = [
        {"where": "a", "problem": "is missing"},
        {"where": "b", "problem": "is wrong"},
    ]

    @returns_permanent_failures
    async def fails() -> Payload:
        raise InvalidInput("two problems", details=problems)

    result = json.loads(json.dumps(await fails()))
    assert result == {
        "status": "failed",
        "error": {"code": "invalid_input", "message": "two problems", "details": problems},
    }


@pytest.mark.parametrize(
    "error", [TransientError("later"), ShardContended("other"), OSError("disk"), KeyError("x")]
)
async def test_anything_else_is_raised_for_durable_to_try_again(error: Exception) -> None:
    @returns_permanent_failures
    async def fails() -> Payload:
        raise error

    with pytest.raises(type(error)):
        await fails()


async def test_a_success_is_passed_on_as_it_is() -> None:
    @returns_permanent_failures
    async def succeeds() -> Payload:
        return ok(rows=3)

    assert await succeeds() == {"status": "ok", "rows": 3}


def test_every_name_that_orchestrators_use_is_an_activity() -> None:
    used = {value for name, value in vars(names).items() if name.isupper()}
    assert used == set(ACTIVITIES)


@pytest.mark.parametrize("name", sorted(ACTIVITIES))
def test_activities_take_and_return_plain_objects_under_annotations_that_the_worker_accepts(
    name: str,
) -> None:
    activity = ACTIVITIES[name]
    hints = typing.get_type_hints(activity.call)
    assert (hints[activity.input_name], hints["return"]) == (Payload, Payload)
    assert inspect.iscoroutinefunction(activity.call)


async def test_storage_that_refuses_is_tried_again(
    new_run: NewRun, app: Configure, azurite: str
) -> None:
    run = new_run()
    await run.arrive(sums(1))
    app(DISTILLATION_STORAGE=azurite.replace("AccountKey=", "AccountKey=AAAA"))
    for name in (PREPARE_RUN, SCAN_DATASET):
        with pytest.raises(TransientError, match="the storage account could not be used"):
            await call(name, {**run.request, "splits": ["train"]})
