"""preflight: one real call to each service finds what would waste the whole run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local.emulators.teacher import ChatRequest
from shared.core.errors import TransientError
from shared.core.process import Process, use
from shared.runs.contracts import PREFLIGHT
from shared.students.catalogue import DEFAULT_STUDENT
from tests.activities.conftest import NOBODY, Configure, NewRun, OpenWorkspace, Teach
from tests.support.activity_runs import AppRun, answered, sums
from tests.support.http_teacher import SelectiveTeacher, serving

TYPO = "azureml://registries/azureml-mistral/models/Typo/versions/1"


async def check(run: AppRun) -> dict[str, Any]:
    await run.arrive(sums(1))
    await run.prepare()
    return await run.call(PREFLIGHT)


def problems(checked: dict[str, Any]) -> dict[str, str]:
    """What is wrong, by place; every problem must be in the message as well."""
    assert (checked["status"], checked["error"]["code"]) == ("failed", "preflight")
    by_place = {problem["where"]: problem["problem"] for problem in checked["error"]["details"]}
    assert all(problem in checked["error"]["message"] for problem in by_place.values())
    return by_place


async def test_a_run_that_can_begin_costs_one_request_and_no_job(
    new_run: NewRun, teach: Teach, open_workspace: OpenWorkspace
) -> None:
    workspace, run = open_workspace(), new_run()
    async with teach() as teacher:
        first = await check(run)
        again = await run.call(PREFLIGHT)
    assert (first["status"], first["warnings"]) == ("ok", [])
    assert (first["usage"]["requests"], again["usage"]["requests"]) == (1, 2)
    assert [record.status for record in teacher.records] == [200, 200]
    assert workspace.ask("jobs")[1]["value"] == []
    assert "plan/train.json" not in await run.names()


async def test_a_wrong_key_is_found(
    new_run: NewRun, teach: Teach, open_workspace: OpenWorkspace, configure: Configure
) -> None:
    open_workspace()
    async with teach() as teacher:
        configure(TEACHER_API_KEY="wrong")
        by_place = problems(await check(new_run()))
    assert list(by_place) == ["teacher"]
    assert "HTTP 401: The API key is missing or wrong" in by_place["teacher"]
    assert by_place["teacher"].endswith("Check the app setting TEACHER_API_KEY")
    assert len(teacher.records) == 1


async def test_a_teacher_that_does_not_know_the_model_is_found(
    new_run: NewRun, teach: Teach, open_workspace: OpenWorkspace
) -> None:
    open_workspace()
    async with teach():
        by_place = problems(await check(new_run(teacher={"model": "gpt-x"})))
    assert "The model 'gpt-x' does not exist here" in by_place["teacher"]


async def test_a_teacher_that_is_not_there_is_found(
    new_run: NewRun, open_workspace: OpenWorkspace
) -> None:
    open_workspace()
    by_place = problems(await check(new_run(teacher={"max_attempts": 1})))
    assert "gives no usable answer (connection)" in by_place["teacher"]
    assert "127.0.0.1:9" in by_place["teacher"] != NOBODY


async def test_a_student_that_no_registry_has_is_found(
    new_run: NewRun, teach: Teach, open_workspace: OpenWorkspace
) -> None:
    open_workspace()
    async with teach():
        by_place = problems(await check(new_run(student={"model": TYPO})))
    assert list(by_place) == ["student"]
    assert TYPO in by_place["student"]
    assert "has no model 'Typo'" in by_place["student"]


async def test_a_workspace_that_does_not_exist_is_found_with_the_settings_that_name_it(
    new_run: NewRun, teach: Teach, open_workspace: OpenWorkspace, configure: Configure
) -> None:
    open_workspace()
    async with teach():
        configure(AZUREML_WORKSPACE="typo")
        by_place = problems(await check(new_run()))
    assert "workspace typo cannot be used (check the settings AZUREML_*)" in by_place["student"]


async def test_what_stands_in_the_way_of_several_students_is_told_once(
    new_run: NewRun, teach: Teach, open_workspace: OpenWorkspace, configure: Configure
) -> None:
    open_workspace()
    async with teach():
        configure(AZUREML_WORKSPACE="typo")
        by_place = problems(
            await check(new_run(student=[{"model": DEFAULT_STUDENT}, {"model": TYPO}]))
        )
    assert list(by_place) == ["student.0, student.1", "student.1"]
    assert "workspace typo" in by_place["student.0, student.1"]
    assert TYPO in by_place["student.1"]


async def test_everything_that_stands_in_the_way_is_told_at_once(
    new_run: NewRun, teach: Teach, open_workspace: OpenWorkspace, configure: Configure
) -> None:
    open_workspace()
    async with teach():
        configure(TEACHER_API_KEY="wrong", AZUREML_WORKSPACE="typo")
        checked = await check(new_run(student={"model": TYPO}))
    assert len(checked["error"]["details"]) == 3


@pytest.mark.parametrize("fault", ["content_filter", "empty", "refused", "truncated"])
async def test_an_odd_answer_to_the_test_question_stands_in_nobodys_way(
    new_run: NewRun, teach: Teach, open_workspace: OpenWorkspace, fault: str
) -> None:
    open_workspace()
    rates: dict[str, Any] = {f"{fault}_rate": 1.0}
    async with teach(**rates):
        assert (await check(new_run()))["status"] == "ok"


async def test_a_row_of_the_dataset_is_not_what_the_teacher_is_tried_with(
    new_run: NewRun, teach: Teach, open_workspace: OpenWorkspace
) -> None:
    open_workspace()
    questions: list[str] = []

    def answer(request: ChatRequest) -> str:
        questions.extend(message.text for message in request.messages)
        return "ready"

    async with teach(answer):
        await check(new_run())
    assert questions == ['Reply with the JSON: {"answer": "ready"}']


def o_series(body: dict[str, Any]) -> dict[str, Any] | None:
    """What OpenAI's reasoning models say to a request, one parameter at a time."""
    unsupported = "Unsupported parameter: '{}' is not supported with this model."
    if "max_tokens" in body:
        message = unsupported.format("max_tokens") + " Use 'max_completion_tokens' instead."
        return {"code": "unsupported_parameter", "param": "max_tokens", "message": message}
    for name in ("top_p", "presence_penalty", "top_k"):
        if name in body:
            message = unsupported.format(name)
            return {"code": "unsupported_parameter", "param": name, "message": message}
    if body.get("temperature", 1) != 1:
        message = "Unsupported value: 'temperature' does not support 0.7 with this model."
        return {"code": "unsupported_value", "param": "temperature", "message": message}
    return None


async def test_every_parameter_that_the_teacher_refuses_is_named_at_once(
    new_run: NewRun, open_workspace: OpenWorkspace, app: Configure
) -> None:
    open_workspace()
    teacher = SelectiveTeacher(o_series)
    settings = {"temperature": 0.7, "top_p": 0.9, "seed": 1, "extra_body": {"top_k": 5}}
    async with serving(teacher.answer) as base_url:
        app(TEACHER_BASE_URL=base_url)
        by_place = problems(await check(new_run(teacher=settings)))
    assert set(by_place) == {"teacher.temperature", "teacher.top_p", "teacher.extra_body.top_k"}
    assert "change or remove it" in by_place["teacher.temperature"]
    assert len(teacher.bodies) == 5, "each refusal once, and one request that is answered"


async def test_a_reasoning_model_passes_if_the_user_sets_nothing_that_it_refuses(
    new_run: NewRun, open_workspace: OpenWorkspace, app: Configure
) -> None:
    open_workspace()
    teacher = SelectiveTeacher(o_series)
    async with serving(teacher.answer) as base_url:
        app(TEACHER_BASE_URL=base_url)
        checked = await check(new_run(teacher={"temperature": 1, "reasoning_effort": "low"}))
    assert (checked["status"], checked["warnings"]) == ("ok", [])
    assert len(teacher.bodies) == 2


def no_formats(body: dict[str, Any]) -> dict[str, Any] | None:
    is_formatted = "response_format" in body
    return {"message": "response_format is not supported"} if is_formatted else None


async def test_a_teacher_that_holds_no_reply_to_a_form_is_warned_of(
    new_run: NewRun, open_workspace: OpenWorkspace, app: Configure
) -> None:
    open_workspace()
    teacher = SelectiveTeacher(no_formats)
    async with serving(teacher.answer) as base_url:
        app(TEACHER_BASE_URL=base_url)
        [warning] = (await check(new_run()))["warnings"]
    assert "rejects response_format" in warning


async def test_what_preflight_learns_costs_no_worker_a_request(
    new_run: NewRun, open_workspace: OpenWorkspace, app: Configure
) -> None:
    def error_for(body: dict[str, Any]) -> dict[str, Any] | None:
        return o_series(body) or no_formats(body)

    open_workspace()
    teacher = SelectiveTeacher(error_for, answer=lambda _: '{"reasoning": "by one", "answer": 7}')
    run = new_run(prompt={"chain_of_thought": True}, teacher={"max_attempts": 1})
    async with serving(teacher.answer) as base_url:
        app(TEACHER_BASE_URL=base_url)
        await run.begin(sums(10))
        assert (await run.call(PREFLIGHT))["status"] == "ok"
        learned = len(teacher.rejected)
        for index in (0, 1):
            use(Process())  # another worker
            outcome = await run.generate(index)
            assert outcome == answered(accepted=5)
    assert learned == 3, "the token parameter, and two formats"
    assert len(teacher.rejected) == learned
    assert len(teacher.bodies) == learned + 1 + 10


async def test_a_fine_tuning_service_that_cannot_be_reached_is_tried_again(
    new_run: NewRun, teach: Teach, open_workspace: OpenWorkspace, environment: Callable[[str], None]
) -> None:
    open_workspace()
    environment("http://127.0.0.1:9")
    async with teach():
        with pytest.raises(TransientError):
            await check(new_run())
