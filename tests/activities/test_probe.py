"""A dry run that asks the teacher for a few rows, with a real teacher on real storage."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from pydantic_core import to_jsonable_python

from local.emulators.teacher import ChatRequest
from shared.core.errors import InvalidInput
from shared.core.process import current
from shared.core.storage import Storage
from shared.dataset.rows import as_jsonl
from shared.runs.dry_run import dry_run
from shared.spec.parse import parse_spec
from shared.students.catalogue import DEFAULT_STUDENT
from tests.activities.conftest import Configure, NewRun, Teach
from tests.support.activity_runs import AppRun, plus_one, sum_row, sums
from tests.support.http_teacher import completion, serving

MODEL = "local-teacher"


async def probed(storage: Storage, run: AppRun, count: int, **fields: Any) -> Any:
    """What a dry run with a probe answers, as users see it."""
    fields = {"student": {"model": DEFAULT_STUDENT}, "teacher": {"model": MODEL}, **fields}
    spec = parse_spec({"task": "math", "train": run.train, **fields})
    answer = await dry_run(storage, spec, current().settings, "math-probe", count)
    return to_jsonable_python(answer)


def without_numbers(*numbers: int) -> Any:
    def reply(request: ChatRequest) -> str:
        number = int(request.messages[-1].text.split()[2])
        return "at a loss" if number in numbers else str(number + 1)

    return reply


async def test_a_probe_asks_the_first_usable_rows_and_quotes_by_what_they_took(
    storage: Storage, new_run: NewRun, teach: Teach
) -> None:
    run = new_run()
    await run.upload("train.jsonl", b"{\n" + as_jsonl([sum_row(0)]) + sums(60))
    budget = {"prompt_price": 1, "completion_price": 1}
    async with teach(without_numbers(1)) as teacher:
        found = await probed(storage, run, 10, budget=budget)
        assert len({record.request for record in teacher.records}) == 10 + 2
    probe = found["probe"]
    assert (probe["rows_asked"], probe["usable"], probe["unusable"]) == (10, 9, 1)
    assert (probe["reasons"], probe["is_cut_short"], found["error"]) == (
        {"no_number": 1},
        False,
        None,
    )
    assert [(reply["line"], reply["reply"]) for reply in probe["replies"]] == [
        (4, "at a loss"),
        (2, "1"),
        (5, "3"),
    ]
    assert found["estimate"]["requests"] == round(60 * 12 / 10)
    assert probe["tokens_per_row"] == pytest.approx(
        (probe["taken"]["prompt_tokens"] + probe["taken"]["completion_tokens"]) / 10, abs=0.05
    )
    amounts = {item["item"]: item["amount"] for item in found["quote"]["items"]}
    assert amounts["teacher answers"] == found["estimate"]["completion_tokens"]
    names = [name async for name, _ in storage.metadata_under("math-probe/")]
    assert names == []


async def test_a_probe_of_no_use_says_why_the_run_would_stop(
    storage: Storage, new_run: NewRun, teach: Teach
) -> None:
    run = new_run()
    await run.upload("train.jsonl", sums(60))
    async with teach(without_numbers(*range(60))):
        found = await probed(storage, run, 5)
    assert found["error"]["code"] == "first_wave"
    assert found["probe"]["usable"] == 0


async def test_a_probe_shows_that_a_budget_is_too_small(
    storage: Storage, new_run: NewRun, teach: Teach
) -> None:
    run = new_run()
    await run.upload("train.jsonl", sums(60))
    async with teach(without_numbers(*range(0, 60, 2))):
        found = await probed(storage, run, 10, budget={"max_requests": 80})
    assert found["error"]["code"] == "budget"
    assert found["error"]["details"][0]["problem"].startswith("120 are expected")


async def test_a_probe_that_takes_too_long_says_that_it_was_cut_short(
    storage: Storage, new_run: NewRun, teach: Teach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.runs.dry_run.MAX_SECONDS", 0.0)
    run = new_run()
    await run.upload("train.jsonl", sums(60))
    async with teach(plus_one, latency_ms=2000):
        found = await probed(storage, run, 4)
    assert (found["probe"]["is_cut_short"], found["probe"]["usable"]) == (True, 0)
    assert found["error"] is None


async def test_a_teacher_that_refuses_is_told_in_its_words(
    storage: Storage, new_run: NewRun, teach: Teach
) -> None:
    run = new_run()
    await run.upload("train.jsonl", sums(60))
    async with teach(plus_one):
        found = await probed(storage, run, 3, teacher={"model": "another-model"})
    assert "'another-model' does not exist here" in found["error"]["message"]
    assert [problem["where"] for problem in found["error"]["details"]] == ["teacher.model"]
    assert found["probe"]["error"] == found["error"]


async def test_answers_that_came_before_a_refusal_are_counted(
    storage: Storage, new_run: NewRun, app: Configure
) -> None:
    answered: list[web.Request] = []

    async def refuses_the_fourth(request: web.Request) -> web.StreamResponse:
        answered.append(request)
        if len(answered) == 4:
            error = {"error": {"code": "invalid_key", "message": "the key has expired"}}
            return web.json_response(error, status=401)
        return web.json_response(completion("7"))

    run = new_run()
    await run.upload("train.jsonl", sums(60))
    async with serving(refuses_the_fourth) as base_url:
        app(TEACHER_BASE_URL=base_url)
        found = await probed(storage, run, 10, teacher={"model": MODEL, "concurrency": 1})
    probe = found["probe"]
    assert "the key has expired" in probe["error"]["message"]
    assert (probe["usable"], probe["taken"]["requests"]) == (3, 3)


async def test_a_teacher_that_reports_no_tokens_leaves_those_of_the_scan(
    storage: Storage, new_run: NewRun, app: Configure
) -> None:
    async def without_usage(_: web.Request) -> web.StreamResponse:
        return web.json_response({**completion("7"), "usage": None})

    run = new_run()
    await run.upload("train.jsonl", sums(60))
    expected = (await probed(storage, run, 0))["estimate"]
    async with serving(without_usage) as base_url:
        app(TEACHER_BASE_URL=base_url)
        found = await probed(storage, run, 5)
    assert found["estimate"] == expected
    assert any("report no tokens" in warning for warning in found["warnings"])


async def test_a_dataset_that_could_not_be_used_is_not_probed(
    storage: Storage, new_run: NewRun, teach: Teach
) -> None:
    run = new_run()
    await run.upload("train.jsonl", sums(5))
    async with teach(plus_one) as teacher:
        found = await probed(storage, run, 3)
        assert (found["error"]["code"], "probe" in found) == ("dataset", False)
        assert len(teacher.records) == 0


async def test_provided_answers_leave_nothing_to_probe(storage: Storage, new_run: NewRun) -> None:
    run = new_run()
    await run.upload("train.jsonl", sums(5))
    with pytest.raises(InvalidInput, match="nothing can be probed"):
        await probed(storage, run, 3, answers={"source": "provided"}, teacher={})


async def test_a_probe_of_rows_that_were_all_answered_earlier_asks_nothing(
    storage: Storage, new_run: NewRun, teach: Teach
) -> None:
    run = new_run(teacher={"model": MODEL})
    await run.begin(sums(60))
    async with teach(plus_one) as teacher:
        await run.generate_all()
        asked = len(teacher.records)
        found = await probed(storage, run, 3, reuse=run.paths.run_id)
        assert len(teacher.records) == asked
    assert (found["splits"]["train"]["reused"], found["error"]) == (60, None)
    assert (found["probe"]["rows_asked"], found["probe"]["is_cut_short"]) == (0, False)
