"""write_report: every row accounted for, and the manifest last, for runs that ended in any way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from local.emulators.teacher import ChatRequest
from shared.core.paths import Split
from shared.core.storage import Storage
from shared.dataset.rows import as_jsonl
from shared.report.model import report_of as shown
from shared.tasks import PROMPT_VERSION
from tests.activities.conftest import NewRun, Teach
from tests.support.activity_runs import AppRun, sum_row, sums

JOB: dict[str, Any] = {
    "job": "j",
    "status": "completed",
    "service_status": "Completed",
    "url": "https://studio/j",
    "model": "student:1",
    "message": None,
    "metrics": {},
}
BAD = b"{\n" + as_jsonl(
    [sum_row(2), {"id": "odd", "messages": [{"role": "user", "content": "odd"}]}]
)


def plus_one(request: ChatRequest) -> str:
    text = request.messages[-1].text
    return "many" if text == "odd" else str(int(text.split()[2]) + 1)


@pytest.fixture
async def run(new_run: NewRun, teach: Teach) -> AsyncIterator[AppRun]:
    """A run after fan-in: 9 of 12 training rows and 2 of 3 validation rows were accepted."""
    made = new_run(name="sums", teacher={"max_tokens": 77})
    await made.begin(sums(9) + BAD, sums(2, first=40) + as_jsonl([sum_row(1)]))
    async with teach(plus_one):
        await made.finish()
    yield made


async def report_of(run: AppRun) -> dict[str, Any]:
    return await run.storage.read_json(run.paths.report)


async def test_the_report_accounts_for_every_row_and_file(run: AppRun) -> None:
    written = await run.report(finetune=JOB, warnings=["mind the gap"])
    assert written["status"] == "ok"
    report = await report_of(run)
    assert (report["run"], report["status"], report["task"]) == (
        run.paths.run_id,
        "completed",
        "math",
    )
    expected: dict[Split, tuple[int, int]] = {"train": (12, 9), "validation": (3, 2)}
    for split, (rows, accepted) in expected.items():
        counts = report["counts"][split]
        assert (counts["rows"], counts["accepted"], sum(counts["rejected"].values())) == (
            rows,
            accepted,
            rows - accepted,
        )
        assert report["outputs"][split]["lines"] == accepted
        content = await run.storage.read(run.paths.input(split))
        assert report["inputs"][split]["sha256"] == hashlib.sha256(content).hexdigest()
    assert report["outputs"]["rejected"]["lines"] == 4
    assert (report["finetune"], report["warnings"], report["error"]) == (
        JOB,
        ["mind the gap"],
        None,
    )


async def test_every_rejected_row_is_listed_with_its_place_and_reason(run: AppRun) -> None:
    await run.report()
    rejected = await run.rows(run.paths.rejected)
    assert [(row["split"], row["line"], row["id"], row["reason"]) for row in rejected] == [
        ("train", 10, None, "invalid_json"),
        ("train", 11, "sum-2", "duplicate"),
        ("train", 12, "odd", "no_number"),
        ("validation", 3, "sum-1", "overlap"),
    ]
    assert all(row["detail"] for row in rejected)


async def test_the_specification_in_the_report_is_the_resolved_one_without_secrets(
    run: AppRun,
) -> None:
    await run.report()
    report = await report_of(run)
    assert (
        report["specification"]["teacher"]["model"],
        report["specification"]["teacher"]["max_tokens"],
    ) == (
        "local-teacher",
        77,
    )
    assert "sesame" not in json.dumps(report)


async def test_the_card_tells_people_the_same(run: AppRun) -> None:
    written = await run.report(finetune=JOB)
    card = await run.text(run.paths.card)
    assert card.startswith("# sums\n")
    for text in (
        "| train | 12 | 9 | 3 |",
        "| validation | 3 | 2 | 1 |",
        "| train | duplicate | 1 |",
        "max_tokens 77",
    ):
        assert text in card
    assert "[job](https://studio/j)" in card
    assert "`student:1`" in card
    facts = (await report_of(run))["outputs"]["train"]
    assert f"`{facts['sha256']}`" in card
    assert written["outputs"]["card"] == f"runs/{run.paths.card}"


async def test_questions_with_different_references_are_in_report_and_card(new_run: NewRun) -> None:
    made = new_run()
    await made.begin(sums(3) + as_jsonl([{**sum_row(1), "answer": n} for n in (2, 3)]), sums(1))
    await made.report("cancelled")
    sample = "line 5 of train: 3, but 2 on line 4 of train"
    assert (await report_of(made))["conflicts"] == {"train": {"rows": 1, "samples": [sample]}}
    card = await made.text(made.paths.card)
    assert "1 train row repeats an earlier question with a different reference" in card
    assert f"- {sample}" in card


async def test_near_duplicates_across_splits_are_in_report_and_card(new_run: NewRun) -> None:
    story = " ".join(f"Heron {name} sees a fish and eats it." for name in "abcdefghi")
    rows = [
        {"messages": [{"role": "user", "content": f"{story} {end}"}]} for end in ("So?", "And?")
    ]
    made = new_run()
    await made.begin(sums(3) + as_jsonl(rows[:1]), sums(5, first=40) + as_jsonl(rows[1:]))
    await made.report("cancelled")
    near_duplicates = (await report_of(made))["near_duplicates"]
    assert near_duplicates["validation"]["rows"] == 1
    [sample] = near_duplicates["validation"]["samples"]
    assert sample.endswith("the same as line 4 of train")
    card = await made.text(made.paths.card)
    assert "1 validation row is nearly the same as a row of an earlier split (counted only)" in card
    assert f"- {sample}" in card


async def test_outputs_are_named_by_path(run: AppRun) -> None:
    outputs = (await run.report())["outputs"]
    datasets = {"train", "validation", "train_provenance", "validation_provenance"}
    assert set(outputs) == {*datasets, "rejected", "card", "report"}
    for path in outputs.values():
        assert await run.storage.properties(path) is not None


async def test_a_second_execution_changes_no_byte(run: AppRun) -> None:
    written, before = await run.report(finetune=JOB), await run.contents()
    assert await run.report(finetune=JOB) == written
    assert await run.contents() == before


async def test_the_report_says_what_would_mend_each_reason_and_what_the_datasets_are_like(
    run: AppRun,
) -> None:
    await run.report(estimate={"requests": 14, "cost": None})
    report = await report_of(run)
    lines = {(line["split"], line["reason"]): line for line in report["reasons"]}
    assert set(lines) == {
        (row["split"], row["reason"]) for row in await run.rows(run.paths.rejected)
    }
    assert lines["train", "duplicate"]["tokens"] is None
    assert lines["train", "no_number"]["tokens"] > 0
    assert report["datasets"]["train"]["answers"] == {str(number): 1 for number in range(1, 10)}
    assert [row[0]["content"] for row in report["datasets"]["validation"]["examples"]] == [
        "What is 40 + 1?",
        "What is 41 + 1?",
    ]
    assert (report["estimate"]["requests"], report["round"]) == (14, 0)
    card = await run.text(run.paths.card)
    assert "Expected were 14 requests, 0 prompt tokens, 0 completion tokens." in card
    for text in (
        "| train | duplicate | 1 | none needed: the first of them is used |",
        "## Dataset `validation.jsonl`",
    ):
        assert text in card


async def test_what_was_quoted_is_compared_with_what_was_used(run: AppRun) -> None:
    job = {**JOB, "trained_tokens": 4321}
    await run.report(finetune=job, estimate={"requests": 14, "prompt_tokens": 500, "cost": None})
    report = await report_of(run)
    amounts = {item["item"]: item["amount"] for item in report["quote"]["items"]}
    assert amounts["teacher prompts"] == 500
    assert report["finetune"]["trained_tokens"] == 4321
    card = await run.text(run.paths.card)
    quoted = f"was quoted at {amounts['training']:,.0f} tokens; its service bills 4,321."
    assert quoted in card


async def test_a_dataset_that_does_not_have_the_accepted_rows_fails_the_run(run: AppRun) -> None:
    content = await run.text(run.paths.dataset("train"))
    await run.storage.write(run.paths.dataset("train"), content.partition("\n")[2].encode())
    reported = await run.report()
    assert (reported["status"], reported["error"]["code"]) == ("failed", "conservation")
    assert "8 lines, but 9 examples" in reported["error"]["message"]
    assert "report.json" not in await run.names()


async def test_the_manifest_is_written_last(run: AppRun, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    write, commit = Storage.write, Storage.commit

    async def noted_write(self: Storage, name: str, data: bytes, **options: Any) -> None:
        written.append(name)
        await write(self, name, data, **options)

    async def noted_commit(self: Storage, name: str, block_ids: list[str]) -> None:
        written.append(name)
        await commit(self, name, block_ids)

    monkeypatch.setattr(Storage, "write", noted_write)
    monkeypatch.setattr(Storage, "commit", noted_commit)
    await run.report()
    assert written == [run.paths.rejected, run.paths.card, run.paths.report]


async def test_a_run_that_ended_before_the_teacher_was_asked_lists_what_the_scan_rejected(
    new_run: NewRun,
) -> None:
    run = new_run()
    await run.begin(BAD + BAD)
    problems = [{"where": run.train, "problem": "1 usable rows, but at least 40 are required"}]
    error = {
        "code": "dataset",
        "message": "the dataset cannot be used",
        "details": problems,
    }
    reported = await run.report("failed", error=error)
    assert set(reported["outputs"]) == {"rejected", "card", "report"}
    assert [row["reason"] for row in await run.rows(run.paths.rejected)] == [
        "invalid_json",
        "invalid_json",
        "duplicate",
        "duplicate",
    ]
    assert (await report_of(run))["error"] == error
    card = await run.text(run.paths.card)
    assert "but at least 40 are required" in card
    assert "no fine-tuning job was submitted" in card
    assert "training data of run" not in card
    opening = card.split("\n\n")[:2]
    assert opening[0].endswith(" (failed, not complete)")
    missing = "Missing: an outcome of 2 rows, `train.jsonl`, the student `"
    assert opening[1].startswith("**These are the remains of a run") and missing in opening[1]


async def test_the_counts_of_a_run_whose_teacher_was_never_asked_are_those_of_the_scan(
    new_run: NewRun,
) -> None:
    run = new_run()
    await run.begin(BAD + sums(3))
    await run.report("failed")
    counts = (await report_of(run))["counts"]["train"]
    assert (counts["rows"], counts["accepted"]) == (6, 0)
    assert counts["rejected"] == {"duplicate": 1, "invalid_json": 1}
    card = await run.text(run.paths.card)
    assert "| train | 6 | 0 | 2 |" in card
    assert "No row was rejected" not in card


async def test_a_run_that_was_cancelled_before_the_scan_has_a_report_all_the_same(
    new_run: NewRun,
) -> None:
    run = new_run()
    await run.arrive(sums(3))
    await run.prepare()
    reported = await run.report("cancelled")
    assert (reported["status"], set(reported["outputs"])) == ("ok", {"rejected", "card", "report"})
    assert await run.text(run.paths.rejected) == ""
    report = await report_of(run)
    assert (report["status"], report["counts"], report["totals"]) == ("cancelled", {}, {})
    card = await run.text(run.paths.card)
    assert "The rows were not counted" in card
    assert "| train |" not in card and "No row was rejected" not in card


async def test_a_run_that_was_stopped_half_way_is_reported_as_far_as_it_came(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run()
    await run.begin(sums(12))
    async with teach(plus_one):
        await run.generate(0)
    reported = await run.report("cancelled")
    assert (reported["status"], set(reported["outputs"])) == ("ok", {"rejected", "card", "report"})
    report = await report_of(run)
    counts = report["counts"]["train"]
    assert (report["status"], counts["rows"], counts["accepted"]) == ("cancelled", 12, 5)


async def test_a_run_shows_its_report_once_it_has_one(run: AppRun) -> None:
    assert await shown(run.storage, run.paths.run_id) is None
    await run.report()
    report = await shown(run.storage, run.paths.run_id)
    assert report is not None
    assert {"reasons", "datasets", "round"} <= report.model_dump().keys()


async def test_each_teacher_has_its_own_number_of_rows(new_run: NewRun, teach: Teach) -> None:
    run = new_run(teacher={"temperature": 0.5})
    await run.begin(sums(5))

    def unable(request: ChatRequest) -> str:
        return "many" if "What is 3" in request.messages[-1].text else plus_one(request)

    async with teach(unable):
        await run.finish()
    await run.report()
    await run.resume(teacher={"temperature": 0, "concurrency": 3})
    assert not {"report.json", "README.md"} & await run.names()  # they are of the earlier round
    async with teach(plus_one):
        await run.finish()
    await run.report()
    teachers = (await report_of(run))["teachers"]
    named = [(teacher["model"], teacher["parameters"], teacher["rows"]) for teacher in teachers]
    model = "local-teacher"
    assert named == [(model, {"temperature": 0.5}, 4), (model, {"temperature": 0.0}, 1)]
    card = await run.text(run.paths.card)
    assert f"| `{model}` | `{model}` | temperature 0.5 | {PROMPT_VERSION} | 4 |" in card
