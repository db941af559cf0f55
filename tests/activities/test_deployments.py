"""A run whose teacher has several deployments: each is tried, and none is indispensable."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.core.process import Process, use
from shared.runs.contracts import PREFLIGHT, READ_PROGRESS
from shared.runs.requests import RunRequest, claim
from tests.activities.conftest import Configure, NewRun, OpenWorkspace
from tests.support.activity_runs import AppRun, answered, sums
from tests.support.http_teacher import Script, SelectiveTeacher, serving


def refuses_everything(status: int, message: str) -> Script:
    reply: tuple[int, Any, dict[str, str]] = (status, {"error": {"message": message}}, {})
    return Script(*[reply] * 100)


def plus_one(text: str) -> str:
    words = text.split()
    return str(int(words[2]) + 1) if words[0] == "What" else "ready"


def teacher(error: dict[str, Any] | None = None) -> SelectiveTeacher:
    return SelectiveTeacher(lambda _: error, answer=plus_one)


def endpoints(*urls: str) -> dict[str, Any]:
    entries = [{"base_url": url, "model": f"m-{number}"} for number, url in enumerate(urls)]
    return {"TEACHER_BASE_URL": None, "TEACHER_ENDPOINTS": json.dumps(entries)}


async def warnings_of(run: AppRun) -> list[str]:
    return (await run.call(READ_PROGRESS, splits=["train"]))["warnings"]


async def test_preflight_asks_each_deployment_and_warns_of_one_that_does_not_work(
    new_run: NewRun, open_workspace: OpenWorkspace, app: Configure
) -> None:
    open_workspace()
    works = teacher()
    refuses = refuses_everything(401, "wrong key")
    run = new_run()
    async with serving(refuses.answer) as one, serving(works.answer) as two:
        app(**endpoints(one, two))
        await run.begin(sums(5))
        checked = await run.call(PREFLIGHT)
    assert checked["status"] == "ok"
    [warning] = checked["warnings"]
    assert warning.startswith("TEACHER_ENDPOINTS.0 was left out")
    assert "wrong key" in warning
    assert (len(works.bodies), len(refuses.bodies)) == (1, 1)
    assert await warnings_of(run) == [warning]


async def test_a_run_whose_deployments_all_fail_cannot_begin_and_names_each(
    new_run: NewRun, open_workspace: OpenWorkspace, app: Configure
) -> None:
    open_workspace()
    run = new_run()
    async with (
        serving(refuses_everything(401, "wrong key").answer) as one,
        serving(refuses_everything(404, "no such model").answer) as two,
    ):
        app(**endpoints(one, two))
        await run.begin(sums(5))
        error = (await run.call(PREFLIGHT))["error"]
    assert [problem["where"] for problem in error["details"]] == [
        "TEACHER_ENDPOINTS.0",
        "TEACHER_ENDPOINTS.1",
    ]
    assert "Check the app setting TEACHER_ENDPOINTS.1 and" in error["details"][1]["problem"]


async def test_a_parameter_that_one_deployment_refuses_cannot_be_sent_to_all(
    new_run: NewRun, open_workspace: OpenWorkspace, app: Configure
) -> None:
    open_workspace()
    run = new_run(teacher={"temperature": 0.5})

    def error_for(body: dict[str, Any]) -> dict[str, Any] | None:
        message = "Unsupported value: 'temperature' does not support 0.5 with this model."
        return {"message": message} if "temperature" in body else None

    async with (
        serving(teacher().answer) as one,
        serving(SelectiveTeacher(error_for).answer) as two,
    ):
        app(**endpoints(one, two))
        await run.begin(sums(5))
        [problem] = (await run.call(PREFLIGHT))["error"]["details"]
    assert problem["where"] == "teacher.temperature"
    assert "(TEACHER_ENDPOINTS.1)" in problem["problem"]


async def test_a_deployment_that_rejects_every_request_is_named_before_it_rejects_its_rows(
    new_run: NewRun, open_workspace: OpenWorkspace, app: Configure
) -> None:
    open_workspace()
    run = new_run()
    wrong_model = "The chatCompletion operation does not work with the specified model"
    async with (
        serving(refuses_everything(400, wrong_model).answer) as one,
        serving(teacher().answer) as two,
    ):
        app(**endpoints(one, two))
        await run.begin(sums(5))
        [problem] = (await run.call(PREFLIGHT))["error"]["details"]
    assert problem["where"] == "TEACHER_ENDPOINTS.0"
    assert wrong_model in problem["problem"]


async def test_a_deployment_that_goes_down_costs_no_row_and_is_in_the_status_until_the_next_round(
    new_run: NewRun, open_workspace: OpenWorkspace, app: Configure
) -> None:
    open_workspace()
    works = teacher()
    run = new_run(teacher={"max_attempts": 1})
    async with serving(works.answer) as one:
        async with serving(teacher().answer) as two:
            app(**endpoints(one, two))
            await run.begin(sums(10))
            assert (await run.call(PREFLIGHT))["warnings"] == []
        assert await warnings_of(run) == []
        for index in (0, 1):
            use(Process())
            assert await run.generate(index) == answered(accepted=5)
        [warning] = await warnings_of(run)
        assert warning.startswith("TEACHER_ENDPOINTS.1 was left out")
        app(TEACHER_BASE_URL=one, TEACHER_ENDPOINTS=None)
        await run.call(PREFLIGHT)
        assert "left-out/TEACHER_ENDPOINTS.1.txt" not in await run.names()


async def test_answers_of_one_deployment_are_reused_whichever_is_asked_next(
    new_run: NewRun, app: Configure
) -> None:
    first = new_run()
    async with serving(teacher().answer) as one, serving(teacher().answer) as two:
        app(**endpoints(one, two))
        await first.begin(sums(10))
        await claim(first.storage, RunRequest.model_validate(first.request))
        await first.finish()
        app(TEACHER_BASE_URL=two, TEACHER_ENDPOINTS=None)
        second = new_run(reuse=first.paths.run_id)
        await second.begin(sums(10))
        [seeded] = await second.reuse()
    assert (seeded["reused"], seeded["estimate"]["requests"]) == (10, 0)


@pytest.mark.parametrize("count", [1, 2])
async def test_capabilities_are_kept_for_each_deployment(
    new_run: NewRun, open_workspace: OpenWorkspace, app: Configure, count: int
) -> None:
    open_workspace()
    run = new_run()
    async with serving(teacher().answer) as one, serving(teacher().answer) as two:
        app(**endpoints(*[one, two][:count]))
        await run.begin(sums(5))
        await run.call(PREFLIGHT)
    kept = json.loads(await run.text(run.paths.capabilities))
    assert len(kept["endpoints"]) == count
