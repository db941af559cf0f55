"""Dry runs: what a run would find and take, told without asking the teacher or writing anything."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from pydantic_core import to_jsonable_python

from shared.core.errors import InvalidInput, NotFound, PermanentError
from shared.core.paths import DATASETS, RunPaths, split_path
from shared.core.settings import STORAGE, Settings, load
from shared.core.storage import Storage
from shared.dataset.rows import Row, as_jsonl
from shared.generation.cache_key import CacheKeys
from shared.runs.dry_run import MAX_REJECTED, dry_run, parse_dry_run
from shared.runs.usage_range import usage_range
from shared.scan.range_plan import plan_in_memory
from shared.scan.row_checks import RowChecks
from shared.spec.budget import Usage
from shared.spec.models import RunSpec
from shared.spec.parse import parse_spec
from shared.students.catalogue import DEFAULT_STUDENT
from tests.shared.conftest import question, questions


async def uploaded(storage: Storage, **files: bytes) -> dict[str, Any]:
    """Datasets in a folder of their own: `train` and `validation` of a specification."""
    folder = f"{DATASETS}/math/{uuid4().hex[:12]}"
    service = storage._client  # pyright: ignore[reportPrivateUsage]
    for name, content in files.items():
        container, blob = split_path(f"{folder}/{name}.jsonl")
        await service.get_blob_client(container, blob).upload_blob(content)
    return {name: f"{folder}/{name}.jsonl" for name in files}


def spec_of(**fields: Any) -> RunSpec:
    return parse_spec({"task": "math", "student": {"model": DEFAULT_STUDENT}, **fields})


def settings_of(**values: str) -> Settings:
    complete = {
        STORAGE: "AccountName=a",
        "TEACHER_BASE_URL": "https://teacher/v1",
        "TEACHER_MODEL": "m",
    }
    return load({**complete, **values})


async def answer_to(storage: Storage, spec: RunSpec) -> Any:
    """What a dry run finds, as users see it."""
    return to_jsonable_python(await dry_run(storage, spec, settings_of()))


async def test_a_dry_run_checks_a_test_set_which_costs_nothing(storage: Storage) -> None:
    paths = await uploaded(storage, train=questions(60), test=questions(1) + b"{\n")
    with_test = await answer_to(storage, spec_of(**paths))
    assert with_test["splits"]["test"] == {
        "rows": 2,
        "valid": 0,
        "shards": 1,
        "rejected": {"invalid_json": 1, "overlap": 1},
    }
    assert "test.jsonl" in with_test["error"]["details"][0]["where"]
    del paths["test"]
    without = await answer_to(storage, spec_of(**paths))
    assert with_test["estimate"] == without["estimate"]


async def test_a_dry_run_warns_of_questions_with_different_references(storage: Storage) -> None:
    again = as_jsonl([question("Which?", answer=1), question("which?", answer=2)])
    paths = await uploaded(storage, train=questions(60) + again)
    found = await answer_to(storage, spec_of(**paths))
    sample = "line 62 of train: 2, but 1 on line 61 of train"
    assert found["splits"]["train"]["conflicts"] == {"rows": 1, "samples": [sample]}
    [warning] = found["warnings"]
    assert warning.startswith("1 train row repeats an earlier question with a different reference")
    assert sample in warning


async def test_a_dry_run_finds_what_the_scan_of_a_run_would(storage: Storage) -> None:
    train = questions(60) + b"{\n" + as_jsonl([question("What is 3 + 1?", id="twice")])
    paths = await uploaded(
        storage, train=train, validation=questions(2) + as_jsonl([question("What is 99 + 1?")])
    )
    spec = spec_of(
        **paths,
        generation={"rows_per_shard": 25},
        budget={"prompt_price": 10, "completion_price": 10},
    )
    found = await answer_to(storage, spec)
    assert found["splits"] == {
        "train": {
            "rows": 62,
            "valid": 60,
            "shards": 3,
            "rejected": {"invalid_json": 1, "duplicate": 1},
        },
        "validation": {"rows": 3, "valid": 1, "shards": 1, "rejected": {"overlap": 2}},
    }
    assert [
        (row["split"], row["line"], row["id"], row["reason"]) for row in found["rejected_rows"]
    ] == [
        ("train", 61, None, "invalid_json"),
        ("train", 62, "twice", "duplicate"),
        ("validation", 1, None, "overlap"),
        ("validation", 2, None, "overlap"),
    ]
    assert (found["dry_run"], found["task"], found["error"], found["warnings"]) == (
        True,
        "math",
        None,
        [],
    )
    plans, _ = await plan_in_memory(
        {"train": (partial(storage.stream_path, paths["train"]), len(train))}, spec
    )
    assert found["estimate"]["requests"] == 61
    assert found["estimate"]["prompt_tokens"] > plans["train"].estimate.prompt_tokens
    assert found["estimate"]["cost"] == pytest.approx(
        (found["estimate"]["prompt_tokens"] + found["estimate"]["completion_tokens"]) / 100_000
    )


async def test_a_dry_run_finds_provided_answers_that_cannot_be_used_and_no_cost(
    storage: Storage,
) -> None:
    rows = [question(f"What is {number} + 1?") for number in range(60)]
    for number, row in enumerate(rows[1:], 1):
        row["messages"].append({"role": "assistant", "content": str(number + 1)})
    rows[7]["messages"][1]["content"] = "Let me see."
    paths = await uploaded(storage, train=as_jsonl(rows))
    budget = {"prompt_price": 1, "completion_price": 2}
    found = await answer_to(
        storage, spec_of(**paths, answers={"source": "provided"}, budget=budget)
    )
    usage = {"requests": 0, "prompt_tokens": 0, "completion_tokens": 0, "cost": 0}
    assert found["estimate"] == usage
    assert found["splits"]["train"]["valid"] == 58
    rejected = [(row["line"], row["reason"], row["reply"]) for row in found["rejected_rows"]]
    assert rejected == [(1, "no_answer", None), (8, "no_number", "Let me see.")]
    assert found["error"] is None


async def test_what_would_stop_the_run_is_told(storage: Storage) -> None:
    paths = await uploaded(storage, train=questions(50))
    few = await answer_to(storage, spec_of(**paths, quality={"min_rows": 51}))
    assert (few["error"]["code"], "50 usable rows" in few["error"]["details"][0]["problem"]) == (
        "dataset",
        True,
    )
    dear = await answer_to(storage, spec_of(**paths, budget={"max_requests": 49, "max_tokens": 9}))
    assert dear["error"]["code"] == "budget"
    assert [problem["where"] for problem in dear["error"]["details"]] == [
        "budget.max_requests",
        "budget.max_tokens",
    ]


async def test_datasets_alone_are_quoted_so_whatever_their_rows(storage: Storage) -> None:
    paths = await uploaded(storage, train=questions(3))
    found = await answer_to(storage, spec_of(**paths, student=None))
    assert (found["datasets_only"], found["error"], found["warnings"]) == (True, None, [])
    with_student = await answer_to(storage, spec_of(**paths))
    assert not with_student["datasets_only"]
    assert with_student["error"] is not None


async def test_the_quote_counts_what_is_trained_on_without_duplicates(storage: Storage) -> None:
    student = {"model": "Ministral-3B", "backend": "azure_openai"}
    rows = questions(50)
    amounts: list[float] = []
    for content in (rows, rows + questions(10)):
        paths = await uploaded(storage, train=content)
        items = (await answer_to(storage, spec_of(**paths, student=student)))["quote"]["items"]
        [training] = [item for item in items if item["item"] == "training"]
        amounts.append(training["amount"])
    assert amounts[1] == pytest.approx(amounts[0], rel=0.01)
    assert 50 * 15 < amounts[0] < 50 * 30


async def test_warnings_of_the_student_are_told(storage: Storage) -> None:
    paths = await uploaded(storage, train=questions(50))
    student = {"model": "azureml://registries/r/models/Novel-7B/versions/1"}
    [warning] = (await answer_to(storage, spec_of(**paths, student=student)))["warnings"]
    assert "Novel-7B" in warning


async def test_the_end_of_a_student_is_told_by_the_catalogue_where_no_service_is_asked(
    storage: Storage,
) -> None:
    paths = await uploaded(storage, train=questions(50))
    spec = spec_of(**paths, student={"model": "gpt-4.1-mini"})
    [warning] = (await answer_to(storage, spec))["warnings"]
    assert "closes to new fine-tuning customers" in warning


async def test_fields_that_a_run_does_not_use_are_named_once(storage: Storage) -> None:
    row = b'{"messages": [{"role": "user", "name": "Ann", "content": "%d + 1?"}], "tools": [1]}\n'
    paths = await uploaded(storage, train=b"".join(row % number for number in range(50)))
    [warning] = (await dry_run(storage, spec_of(**paths), settings_of()))["warnings"]
    assert warning.endswith(": messages[].name, tools")


async def test_of_many_rejected_rows_some_are_listed_and_all_are_counted(storage: Storage) -> None:
    found = await answer_to(storage, spec_of(**await uploaded(storage, train=b"{\n" * 250)))
    assert (len(found["rejected_rows"]), found["splits"]["train"]["rejected"]) == (
        MAX_REJECTED,
        {"invalid_json": 250},
    )


async def answered(storage: Storage, count: int) -> str:
    """A run with an answer to each of the first questions."""
    paths, spec = (
        RunPaths(f"math-earlier-{uuid4().hex[:12]}"),
        spec_of(train="datasets/math/x/train.jsonl"),
    )
    records: list[dict[str, Any]] = []
    for line, content in enumerate(questions(count).splitlines(), 1):
        row = RowChecks(spec).row(content)
        assert isinstance(row, Row)
        records.append(
            {
                "line": line,
                "status": "accepted",
                "replies": [{"text": "1", "answer": {}}],
                "key": CacheKeys(spec).of(row),
            }
        )
    name = paths.journal("train", 0)
    await storage.append(name, as_jsonl(records), await storage.journal_position(name))
    return paths.run_id


async def test_rows_that_an_earlier_run_answered_are_told_and_no_part_of_the_estimate(
    storage: Storage,
) -> None:
    paths = await uploaded(
        storage, train=questions(50) + b"{\n", validation=as_jsonl([question("What is 99 + 1?")])
    )
    reuse = await answered(storage, 48)
    found = await answer_to(storage, spec_of(**paths, reuse=reuse, budget={"max_requests": 3}))
    assert (found["splits"]["train"]["valid"], found["splits"]["train"]["reused"]) == (50, 48)
    assert found["splits"]["validation"]["reused"] == 0
    assert (found["estimate"]["requests"], found["error"], found["warnings"]) == (3, None, [])


async def test_a_dry_run_that_finds_nothing_to_reuse_warns_with_the_reason(
    storage: Storage,
) -> None:
    paths = await uploaded(storage, train=questions(50))
    found = await answer_to(storage, spec_of(**paths, reuse="math-gone-1"))
    assert found["splits"]["train"]["reused"] == 0
    [warning] = found["warnings"]
    assert "must be the same" in warning


async def test_answers_that_a_request_cannot_wait_for_are_refused_like_datasets(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = questions(10)
    paths, reuse = await uploaded(storage, train=content), await answered(storage, 40)
    monkeypatch.setattr("shared.runs.dry_run.MAX_BYTES", len(content))
    with pytest.raises(PermanentError, match="the datasets and the answers to reuse have"):
        await dry_run(storage, spec_of(**paths, reuse=reuse), settings_of())


async def test_datasets_that_a_request_cannot_wait_for_are_refused_together(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = questions(10)
    paths = await uploaded(storage, train=content, validation=content)
    monkeypatch.setattr("shared.runs.dry_run.MAX_BYTES", 2 * len(content))
    await dry_run(storage, spec_of(**paths), settings_of())
    monkeypatch.setattr("shared.runs.dry_run.MAX_BYTES", 2 * len(content) - 1)
    with pytest.raises(PermanentError, match="start the run") as error:
        await dry_run(storage, spec_of(**paths), settings_of())
    assert error.value.code == "too_large"


async def test_less_fits_into_a_dry_run_that_reads_answers(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = questions(10)
    paths = await uploaded(storage, train=content)
    monkeypatch.setattr("shared.runs.dry_run.MAX_BYTES_WITH_ANSWERS", len(content) - 1)
    await dry_run(storage, spec_of(**paths), settings_of())
    with pytest.raises(PermanentError, match="start the run"):
        await dry_run(storage, spec_of(**paths, answers={"source": "provided"}), settings_of())


async def test_nothing_is_written(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = await uploaded(storage, train=questions(50))
    for name in (
        "write",
        "create",
        "stage",
        "commit",
        "append",
        "set_metadata",
        "copy_in",
        "journal_position",
    ):
        monkeypatch.setattr(Storage, name, None)
    assert (await answer_to(storage, spec_of(**paths)))["error"] is None


async def test_a_dataset_that_does_not_exist_is_named(storage: Storage) -> None:
    with pytest.raises(NotFound, match="datasets/math/none/train"):
        await dry_run(storage, spec_of(train="datasets/math/none/train.jsonl"), settings_of())


def test_a_slip_in_the_query_is_told_with_every_problem() -> None:
    queries = [parse_dry_run({"dry_run": text}) for text in ("true", "True", "false")]
    assert queries == [(True, 0), (True, 0), (False, 0)]
    assert parse_dry_run({}) == (False, 0)
    assert parse_dry_run({"dry_run": "true", "probe": "20"}) == (True, 20)
    with pytest.raises(InvalidInput) as error:
        parse_dry_run({"dry_run": "yes", "dryrun": "true"})
    assert {problem["where"] for problem in error.value.details} == {"dry_run", "dryrun"}


@pytest.mark.parametrize("probe", ["0", "51", "-1", "all", "", "1e1", "²", "9" * 5000])
def test_a_probe_of_no_usable_number_of_rows_is_refused(probe: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_dry_run({"dry_run": "true", "probe": probe})
    [problem] = error.value.details
    assert problem["where"] == "probe"
    assert "from 1 to 50" in problem["problem"]


def test_a_probe_without_a_dry_run_starts_no_run() -> None:
    with pytest.raises(InvalidInput) as error:
        parse_dry_run({"probe": "20"})
    assert error.value.details == [
        {"where": "probe", "problem": "is for a dry run: add dry_run=true"}
    ]


async def test_a_budget_between_the_ends_of_the_range_is_warned_of(storage: Storage) -> None:
    paths = await uploaded(storage, train=questions(60))
    ends = (await answer_to(storage, spec_of(**paths)))["range"]
    assert (ends["low"]["requests"], ends["high"]["requests"]) == (60, 180)
    assert ends["low"]["completion_tokens"] == 60
    assert ends["high"]["completion_tokens"] == 180 * 1024
    low = ends["low"]["prompt_tokens"] + ends["low"]["completion_tokens"]
    just = await answer_to(storage, spec_of(**paths, budget={"max_tokens": low}))
    assert just["error"] is None
    assert just["warnings"][0].startswith("budget.max_tokens: ")
    short = await answer_to(storage, spec_of(**paths, budget={"max_tokens": low - 1}))
    assert short["error"]["code"] == "budget"


def test_the_low_end_of_the_range_has_one_sample_a_row() -> None:
    quality = {"samples": 3, "select": "majority"}
    ends = usage_range(
        Usage(requests=30, prompt_tokens=300, completion_tokens=90),
        spec_of(train="datasets/math/x/train.jsonl", quality=quality),
    )
    assert (ends["low"].requests, ends["high"].requests) == (10, 90)


async def test_a_target_is_quoted_instead_of_the_whole_dataset(storage: Storage) -> None:
    paths = await uploaded(storage, train=questions(60))
    every = await answer_to(storage, spec_of(**paths, student=None))
    quality = {"target_rows": 15, "min_success_ratio": 0.5}
    some = await answer_to(storage, spec_of(**paths, student=None, quality=quality))
    assert (every["estimate"]["requests"], some["estimate"]["requests"]) == (60, 15)
    ends = some["range"]
    assert (ends["low"]["requests"], ends["high"]["requests"]) == (15, 3 * 30)
    assert some["warnings"] == every["warnings"]


async def test_a_target_that_the_dataset_cannot_reach_is_warned_of(storage: Storage) -> None:
    paths = await uploaded(storage, train=questions(60))
    answer = await answer_to(
        storage, spec_of(**paths, holdout={"fraction": 0.25}, quality={"target_rows": 65})
    )
    [warning] = [text for text in answer["warnings"] if "target_rows" in text]
    assert warning.startswith("quality.target_rows takes about 87 accepted rows")
    assert answer["estimate"]["requests"] == 60
