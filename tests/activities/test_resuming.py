"""Resumed runs: through their activities, on real storage, with a real teacher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from local.emulators.teacher import ChatRequest
from shared.dataset.rows import as_jsonl
from shared.runs.contracts import SUBMIT_FINETUNING
from shared.runs.requests import RunRequest, claim
from shared.runs.resume import next_round
from shared.students.catalogue import DEFAULT_STUDENT
from tests.activities.conftest import Configure, NewRun, OpenWorkspace, Teach
from tests.support.activity_runs import AppRun, sum_row, sums

PHI_4K = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/15"
PHI_MEDIUM = "azureml://registries/azureml/models/Phi-3-medium-128k-instruct/versions/7"
BAD = b"{\n" + as_jsonl([sum_row(0)])  # no JSON, and a duplicate


def unable(*numbers: int) -> Callable[[ChatRequest], str]:
    """A teacher that has no number for these rows."""

    def reply(request: ChatRequest) -> str:
        number = int(request.messages[-1].text.split()[2])
        return "many" if number in numbers else str(number + 1)

    return reply


async def report_of(run: AppRun) -> dict[str, Any]:
    return await run.storage.read_json(run.paths.report)


def reasons_in(rows: list[dict[str, Any]]) -> dict[str, int]:
    return dict(Counter(str(row["reason"]) for row in rows))


async def test_a_resumed_run_asks_only_for_rows_that_were_asked_in_vain(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run()
    await run.begin(sums(12) + BAD)
    async with teach(unable(3, 7)) as first:
        await run.finish()
    before = await run.rows(run.paths.dataset("train"))
    await run.resume()
    async with teach(unable()) as second:
        await run.finish()
    assert (len(first.records), len(second.records)) == (10 + 2 * 3, 2)
    after = await run.rows(run.paths.dataset("train"))
    assert [row["messages"][0]["content"] for row in after] == [
        f"What is {number} + 1?" for number in range(12)
    ]
    assert [row for row in after if row in before] == before
    await run.report()
    counts = (await report_of(run))["counts"]["train"]
    assert (counts["accepted"], counts["requests"]) == (
        12,
        len(first.records) + len(second.records),
    )
    assert counts["rejected"] == {"duplicate": 1, "invalid_json": 1}
    assert (await report_of(run))["round"] == 1


async def test_a_run_that_ended_half_way_goes_on_where_its_journals_end(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(teacher={"concurrency": 1})
    await run.begin(sums(12))
    async with teach(unable(7)):
        await run.generate(0)
        assert (await run.generate(1, max_rejected=0))["error"]["code"] == "success_ratio"
    await run.report("failed")
    await run.resume()
    async with teach(unable()) as teacher:
        await run.finish()
    assert len(teacher.records) == 12 - 5 - 2
    assert (await run.report())["status"] == "ok"
    assert len(await run.rows(run.paths.dataset("train"))) == 12
    assert await run.text(run.paths.rejected) == ""


async def test_the_runs_specification_has_the_changes_of_all_rounds_and_nothing_else_changed(
    new_run: NewRun,
) -> None:
    run = new_run(teacher={"max_tokens": 50, "seed": 4})
    await run.begin(sums(3))
    first = await run.storage.read_json(run.paths.specification)
    await run.upload(
        "run.json", b'{"teacher": {"max_tokens": 7}, "prompt": {"chain_of_thought": true}}'
    )
    await run.resume(teacher={"max_tokens": 100})
    await run.resume(budget={"max_requests": 9})
    changed = await run.storage.read_json(run.paths.specification)
    assert (changed["teacher"]["max_tokens"], changed["budget"]) == (100, {"max_requests": 9})
    expected = {
        **first,
        "teacher": {**first["teacher"], "max_tokens": 100},
        "budget": {"max_requests": 9},
    }
    assert changed == expected


async def test_preparing_a_resumed_run_twice_changes_nothing(new_run: NewRun) -> None:
    run = new_run()
    await run.begin(sums(3))
    await run.resume(student={"hyperparameters": {"n_epochs": 2}})
    before = await run.contents()
    await run.prepare()
    assert await run.contents() == before
    spec = await run.storage.read_json(run.paths.specification)
    assert spec["student"]["hyperparameters"] == {"num_train_epochs": 2}


async def test_a_run_that_never_came_to_a_specification_gets_it_with_the_changes(
    new_run: NewRun, configure: Configure
) -> None:
    run = new_run(teacher={"max_tokens": 50})
    await run.arrive(sums(3))
    configure(TEACHER_MODEL=None)
    assert (await run.prepare())["error"]["code"] == "settings"
    configure(TEACHER_MODEL="m")
    await run.resume(teacher={"seed": 5})
    teacher = (await run.storage.read_json(run.paths.specification))["teacher"]
    assert (teacher["model"], teacher["max_tokens"], teacher["seed"]) == ("m", 50, 5)


async def test_a_run_that_is_resumed_with_other_settings_is_fine_tuned_as_a_job_of_its_own(
    new_run: NewRun, teach: Teach, open_workspace: OpenWorkspace
) -> None:
    workspace = open_workspace()
    run = new_run(rows_per_shard=12)
    await run.begin(sums(12))
    async with teach(unable()):
        await run.finish()
    run.client.statuses[run.paths.run_id] = {"runtimeStatus": "Running"}
    names: list[str] = []
    for number in (0, 1, 2):
        if number == 2:
            await run.resume(student={"hyperparameters": {"n_epochs": 2}})
        submitted = await run.call(SUBMIT_FINETUNING, splits=["train"], round=number)
        names.append(submitted["job"]["job"])
    assert names == [run.paths.run_id, run.paths.run_id, f"{run.paths.run_id}-2"]
    assert all(workspace.ask(f"jobs/{name}")[0] == 200 for name in names)


async def test_a_completed_run_that_is_resumed_with_another_student_gets_datasets_in_that_ones_form(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(student={"model": DEFAULT_STUDENT})
    messages = sum_row(1)["messages"]
    await run.begin(as_jsonl([{"messages": [{"role": "system", "content": "Add."}, *messages]}]))
    async with teach(unable()) as teacher:
        await run.finish()
        await run.resume(student={"model": PHI_MEDIUM})
        await run.finish()
    assert len(teacher.records) == 1
    [row] = await run.rows(run.paths.dataset("train"))
    assert [message["content"] for message in row["messages"]] == ["Add.\n\nWhat is 1 + 1?", "2"]


async def test_the_apps_own_student_is_held_against_the_accepted_rows_like_a_named_one(
    new_run: NewRun, configure: Configure
) -> None:
    run = new_run(student={"model": DEFAULT_STUDENT})
    await run.begin(sums(3))
    await claim(run.storage, RunRequest.model_validate(run.request))
    configure(STUDENT_MODEL=PHI_4K)
    request = await next_round(run.storage, run.paths.run_id, {"student": {"model": None}})
    run.request = request.model_dump(mode="json")
    [problem] = (await run.prepare())["error"]["details"]
    assert problem["where"] == "student.model"
    assert f'"reuse": "{run.paths.run_id}"' in problem["problem"]


async def test_what_is_rejected_of_a_run_that_stopped_midway_is_listed_exactly(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(teacher={"concurrency": 1}, rows_per_shard=4)
    sealed, begun, waiting = sums(3) + BAD[:2], sums(3, 10) + BAD[:2], sums(2, 20) + BAD
    await run.begin(sealed + begun + waiting, sums(2, 30) + as_jsonl([sum_row(1)]))
    async with teach(unable(1, 11)):
        await run.generate(0)
        await run.generate(1, max_rejected=0)
    await run.report("failed")
    rejected = await run.rows(run.paths.rejected)
    assert [(row["split"], row["line"], row["reason"]) for row in rejected] == [
        ("train", 2, "no_number"),
        ("train", 4, "invalid_json"),
        ("train", 6, "no_number"),
        ("train", 8, "invalid_json"),
        ("train", 11, "invalid_json"),
        ("train", 12, "duplicate"),
        ("validation", 3, "overlap"),
    ]
    counts = (await report_of(run))["counts"]
    for split in ("train", "validation"):
        assert counts[split]["rejected"] == reasons_in(
            [row for row in rejected if row["split"] == split]
        )
        assert counts[split]["done"] == counts[split]["accepted"] + sum(
            counts[split]["rejected"].values()
        )
    assert (counts["train"]["rows"], counts["train"]["accepted"]) == (12, 3)
    lines = [
        (line["split"], line["reason"], line["rows"]) for line in (await report_of(run))["reasons"]
    ]
    assert ("train", "invalid_json", 3) in lines
    assert sum(rows for _, _, rows in lines) == len(rejected)


async def test_a_completed_run_that_is_resumed_and_cancelled_is_reported_as_far_as_it_came(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run()
    await run.begin(sums(12))
    async with teach(unable(1, 11)):
        await run.finish()
    await run.report()
    await run.resume()
    async with teach(unable()):
        await run.generate(0)
    reported = await run.report("cancelled")
    assert reported["status"] == "ok", reported
    report = await report_of(run)
    assert (report["status"], report["round"], report["counts"]["train"]["accepted"]) == (
        "cancelled",
        1,
        11,
    )
    assert "train" not in report["outputs"]
    assert (
        reasons_in(await run.rows(run.paths.rejected))
        == report["counts"]["train"]["rejected"]
        == {"no_number": 1}
    )


async def test_a_resumed_run_has_no_manifest_until_it_has_ended_again(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run()
    await run.begin(sums(5))
    async with teach(unable()):
        await run.finish()
    await run.report()
    await run.resume()
    assert "report.json" not in await run.names()
    assert "train.jsonl" in await run.names()
