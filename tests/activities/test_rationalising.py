"""Rationalised rows are marked wherever a run is accounted for."""

from __future__ import annotations

import json
from typing import Any

from local.emulators.teacher import ChatRequest
from shared.dataset.rows import as_jsonl
from shared.runs.requests import RunRequest, claim
from tests.activities.conftest import NewRun, Teach
from tests.support.activity_runs import AppRun, sum_row

PROMPT = {"chain_of_thought": True, "student_learns": "reasoning"}
SHOWN = {"samples": 2, "select": "reference", "rationalise": True}
NOT_SHOWN = {"samples": 2, "select": "reference"}


def rows(*numbers: int) -> bytes:
    return as_jsonl([{**sum_row(number), "answer": str(number + 1)} for number in numbers])


def wrong_unless_shown(request: ChatRequest) -> str:
    """The reply of a teacher that miscounts even numbers unless it is shown the answer."""
    number = int(request.messages[-1].text.split()[2])
    is_shown = f"The right answer here is: {number + 1}." in request.messages[0].text
    is_right = number % 2 or is_shown
    return json.dumps({"reasoning": "I count.", "answer": str(number + 1 if is_right else 0)})


async def finished(run: AppRun, teach: Teach, content: bytes) -> list[Any]:
    """Take a run through its stages, and return the requests to the teacher."""
    await run.begin(content)
    if run.spec.get("reuse"):
        await run.reuse()
    async with teach(wrong_unless_shown) as teacher:
        await run.finish()
    return teacher.records


async def test_report_card_and_provenance_mark_rationalised_rows(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(prompt=PROMPT, quality=SHOWN)
    assert len(await finished(run, teach, rows(1, 2, 3))) == 1 + 3 + 1
    origins = await run.rows(run.paths.provenance("train"))
    marks = [(origin.get("rationalised"), origin["agrees"], origin["sample"]) for origin in origins]
    assert marks == [(None, True, 1), (True, False, 3), (None, True, 1)]
    assert "The right answer" not in await run.text(run.paths.dataset("train"))
    assert (await run.report())["status"] == "ok"
    report = await run.storage.read_json(run.paths.report)
    counts = report["counts"]["train"]
    assert (counts["accepted"], counts["rationalised"], counts["requests"]) == (3, 1, 5)
    assert (report["agreement"]["train"]["rows"], report["agreement"]["train"]["agreeing"]) == (
        3,
        2,
    )
    assert "1 accepted row is rationalised: " in await run.text(run.paths.card)


async def test_the_estimate_counts_the_request_that_may_be_necessary(
    new_run: NewRun, teach: Teach
) -> None:
    shown = await new_run(prompt=PROMPT, quality=SHOWN).begin(rows(1, 2))
    not_shown = await new_run(prompt=PROMPT, quality=NOT_SHOWN).begin(rows(1, 2))
    estimates = [scan["splits"]["train"]["estimate"]["requests"] for scan in (shown, not_shown)]
    assert estimates == [6, 4]


async def test_a_resumed_run_may_rationalise_the_rows_that_it_had_rejected(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(prompt=PROMPT, quality=NOT_SHOWN)
    await finished(run, teach, rows(1, 2))
    assert (await run.progress())["train"]["rejected"] == {"disagrees": 1}
    await run.resume(quality={"rationalise": True})
    async with teach(wrong_unless_shown) as teacher:
        await run.finish()
    counts = (await run.progress())["train"]
    assert (counts["accepted"], counts["rationalised"]) == (2, 1)
    assert len(teacher.records) == 1  # the samples that missed are stored
    await run.resume(quality={"rationalise": False})
    async with teach(wrong_unless_shown) as teacher:
        await run.finish()
    # a reply that saw the reference is no sample that agrees with it
    assert (await run.progress())["train"]["rejected"] == {"disagrees": 1}
    assert len(teacher.records) == 2
    await run.resume(quality={"rationalise": True})
    async with teach(wrong_unless_shown) as teacher:
        await run.finish()
    counts = (await run.progress())["train"]
    assert (counts["accepted"], counts["rationalised"]) == (2, 1)
    assert not teacher.records


async def test_rationalised_answers_are_reused_only_where_the_run_would_make_them(
    new_run: NewRun, teach: Teach
) -> None:
    first = new_run(prompt=PROMPT, quality=SHOWN)
    await finished(first, teach, rows(1, 2))
    await claim(first.storage, RunRequest.model_validate(first.request))
    same = new_run(prompt=PROMPT, quality=SHOWN, reuse=first.paths.run_id)
    assert await finished(same, teach, rows(1, 2)) == []
    assert (await same.progress())["train"]["rationalised"] == 1
    other = new_run(prompt=PROMPT, quality=NOT_SHOWN, reuse=first.paths.run_id)
    assert len(await finished(other, teach, rows(1, 2))) == 2
    assert (await other.progress())["train"]["rejected"] == {"disagrees": 1}
