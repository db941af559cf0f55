"""The edge of activities: models in and out, permanent failures as data, everything else raised."""

from __future__ import annotations

import inspect
import json
import typing
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from shared.core.errors import InvalidInput, Problem, ShardContended, TransientError
from shared.runs import contracts
from shared.runs.activity import implements
from shared.runs.contracts import (
    PREFLIGHT,
    PREPARE_RUN,
    SCAN_DATASET,
    PreflightPassed,
    RunReference,
)
from tests.activities.conftest import Configure, NewRun
from tests.support.activities import ACTIVITIES, call
from tests.support.activity_runs import sums


def raising(error: Exception) -> Any:
    @implements(PREFLIGHT)
    async def fails(run: RunReference) -> PreflightPassed:
        raise error

    return fails


async def test_a_permanent_failure_becomes_data_with_every_problem() -> None:
    problems: list[Problem] = [
        {"where": "a", "problem": "is missing"},
        {"where": "b", "problem": "is wrong"},
    ]
    fails = raising(InvalidInput("two problems", details=problems))
    result = json.loads(json.dumps(await fails(run={"run_id": "r"})))
    assert result == {
        "status": "failed",
        "error": {"code": "invalid_input", "message": "two problems", "details": problems},
    }


@pytest.mark.parametrize(
    "error", [TransientError("later"), ShardContended("other"), OSError("disk"), KeyError("x")]
)
async def test_anything_else_is_raised_for_durable_to_retry(error: Exception) -> None:
    with pytest.raises(type(error)):
        await raising(error)(run={"run_id": "r"})


async def test_an_activity_takes_and_returns_models_and_durable_sees_json() -> None:
    @implements(PREFLIGHT)
    async def succeeds(run: RunReference) -> PreflightPassed:
        return PreflightPassed(warnings=[run.run_id])

    usage = {"requests": 0, "prompt_tokens": 0, "completion_tokens": 0}
    output = await succeeds(run={"run_id": "r"})
    assert output == {"status": "ok", "usage": usage, "warnings": ["r"]}


async def test_an_input_that_does_not_fit_is_refused() -> None:
    fails = raising(KeyError("never reached"))
    with pytest.raises(ValidationError, match="run_id"):
        await fails(run={"id": "r"})


def is_activity(value: object) -> bool:
    return isinstance(value, contracts.Activity)


def test_every_name_in_the_contracts_is_an_activity() -> None:
    names = {str(value) for value in vars(contracts).values() if is_activity(value)}
    assert names == set(ACTIVITIES)


@pytest.mark.parametrize("name", sorted(ACTIVITIES))
def test_activities_are_annotated_with_the_models_of_their_contract(name: str) -> None:
    """Classes, not generic types: the Functions worker refuses those."""
    activity = ACTIVITIES[name]
    hints = typing.get_type_hints(activity.call)
    contract = next(value for value in vars(contracts).values() if value == name)
    assert (hints[activity.input_name], hints["return"]) == (contract.takes, contract.returns)
    assert issubclass(hints["return"], BaseModel)
    assert all(map(inspect.isclass, hints.values()))
    assert inspect.iscoroutinefunction(activity.call)


async def test_storage_that_refuses_is_retried(
    new_run: NewRun, app: Configure, azurite: str
) -> None:
    run = new_run()
    await run.arrive(sums(1))
    app(DISTILLATION_STORAGE=azurite.replace("AccountKey=", "AccountKey=AAAA"))
    scan = {"run_id": run.request["run_id"], "splits": ["train"]}
    for name, payload in ((PREPARE_RUN, run.request), (SCAN_DATASET, scan)):
        with pytest.raises(TransientError, match="the storage account could not be used"):
            await call(name, payload)
