"""What a blob that starts nothing is told, by its name and by what is beside it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from shared.core.ids import upload_run_id
from shared.core.paths import PROBLEM_SUFFIX
from shared.runs.near_misses import MissCode, check_name, nearest_task
from shared.runs.problem_files import ProblemFiles, unused_files
from tests.support.memory_storage import MemoryBlobs

TRAIN = "nli/mine/train.jsonl"
VALIDATION = "nli/mine/validation.jsonl"
FILE, FORMAT, SEVERAL = MissCode.FILE_NAME, MissCode.FILE_FORMAT, MissCode.SEVERAL_FILES
FOLDER, TASK, NAME = MissCode.WRONG_FOLDER, MissCode.UNKNOWN_TASK, MissCode.DATASET_NAME
MISSES = (
    ("nli/mine/train.JSONL", FILE, TRAIN),
    ("nli/mine/Train.jsonl", FILE, TRAIN),
    ("nli/mine/train.jsonl ", FILE, TRAIN),
    ("nli/mine/ train\u200b.jsonl", FILE, TRAIN),
    ("nli/mine/trian.jsonl", FILE, TRAIN),
    ("nli/mine/training_set.jsonl", FILE, TRAIN),
    ("nli/mine/train.jsonl.txt", FILE, TRAIN),
    ("nli/mine/train", FILE, TRAIN),
    ("nli/mine/rows.jsonl", FILE, TRAIN),
    *((f"nli/mine/train.{suffix}", FORMAT, TRAIN) for suffix in ("json", "csv", "parquet", "gz")),
    *((f"nli/mine/train.{suffix}", FORMAT, TRAIN) for suffix in ("zip", "xlsx", "tsv", "txt")),
    ("nli/mine/train.jsonl.gz", FORMAT, TRAIN),
    ("nli/mine/train-00000-of-00004.jsonl", SEVERAL, TRAIN),
    ("nli/mine/train (1).jsonl", SEVERAL, TRAIN),
    ("train.jsonl", FOLDER, "<task>/<name>/train.jsonl"),
    ("nli/train.jsonl", FOLDER, "nli/<name>/train.jsonl"),
    ("mine/train.jsonl", FOLDER, "<task>/mine/train.jsonl"),
    ("mine/nli/train.jsonl", FOLDER, TRAIN),
    ("datasets/nli/mine/train.jsonl", FOLDER, TRAIN),
    ("NLI/mine/train.jsonl", TASK, TRAIN),
    ("math_qa/mine/train.jsonl", TASK, "math/mine/train.jsonl"),
    ("summarisation/mine/Train.csv", TASK, "summarization/mine/train.jsonl"),
    ("poetry/odes/train.jsonl", TASK, "<task>/odes/train.jsonl"),
    ("nli//train.jsonl", NAME, "nli/<name>/train.jsonl"),
    ("/nli/mine/train.jsonl", NAME, TRAIN),
    ("nli/is it?/train.jsonl", NAME, "nli/is it-/train.jsonl"),
    *((f"nli/mine/{name}.jsonl", FILE, VALIDATION) for name in ("val", "valid", "dev", "eval")),
    ("nli/mine/Test.jsonl", FILE, "nli/mine/test.jsonl"),
    *((f"nli/mine/{name}", FILE, "nli/mine/run.json") for name in ("spec.json", "run.JSON")),
    ("nli/mine/config.json", FILE, "nli/mine/run.json"),
    ("nli/mine/run.yaml", FORMAT, "nli/mine/run.json"),
)


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


async def delivered(blobs: MemoryBlobs, *names: str) -> None:
    """Deliver the events of these blobs."""
    for name in names:
        await ProblemFiles(blobs, blobs).update(name)


def problem(blobs: MemoryBlobs, name: str) -> dict[str, Any] | None:
    """Return the content of a blob's problem file, None if it has none."""
    file = f"{name}{PROBLEM_SUFFIX}"
    return json.loads(blobs.contents[file]) if file in blobs.blobs else None


@pytest.mark.parametrize(("name", "code", "use"), MISSES)
async def test_a_near_miss_leaves_a_file_with_the_name_to_use(
    blobs: MemoryBlobs, name: str, code: MissCode, use: str
) -> None:
    blob = blobs.put(name)
    await delivered(blobs, name)
    written = problem(blobs, name)
    assert written is not None
    assert (written["code"], written["use"]) == (code, f"datasets/{use}")
    assert (written["blob"], written["etag"]) == (f"datasets/{name}", blob.etag)
    assert f"datasets/{use}" in written["remedy"]
    assert written["problem"].endswith((".", "?"))
    assert written["time"]


@pytest.mark.parametrize(
    "name",
    [
        TRAIN,
        "nli/mine/deeper/train.jsonl",
        "nli/mine/train.jsonl.bak",
        "nli/mine/.train.jsonl",
        "nli/mine/notes.txt",
        "nli/mine/images/cat.png",
        "models/x/config.json",
        "config.json",
        "rows.jsonl",
        "archive/rows.jsonl",
        "nli/mine/",
        "nli/mine/%2e%3f.png",
    ],
)
async def test_what_is_right_or_has_nothing_to_do_with_runs_is_left_alone(
    blobs: MemoryBlobs, name: str
) -> None:
    blobs.put(name)
    await delivered(blobs, name)
    assert set(blobs.blobs) == {name}


async def test_unrelated_blobs_and_problem_files_cost_no_request(blobs: MemoryBlobs) -> None:
    blobs.put("nli/mine/Train.jsonl")
    await delivered(blobs, "nli/mine/Train.jsonl")
    before = blobs.requests
    own = f"nli/mine/Train.jsonl{PROBLEM_SUFFIX}"
    await delivered(blobs, own, f"{own}{PROBLEM_SUFFIX}", "nli/mine/cat.png", "nli/mine/")
    assert blobs.requests == before


async def test_a_repeated_event_rewrites_nothing_and_a_new_version_does(blobs: MemoryBlobs) -> None:
    name = "nli/mine/train.csv"
    blobs.put(name)
    await delivered(blobs, name)
    first = blobs.blobs[f"{name}{PROBLEM_SUFFIX}"]
    await delivered(blobs, name, name)
    assert blobs.blobs[f"{name}{PROBLEM_SUFFIX}"] == first
    second = blobs.put(name, b"a,b\n")
    await delivered(blobs, name)
    written = problem(blobs, name)
    assert written is not None
    assert written["etag"] == second.etag


async def test_a_users_own_file_of_that_name_is_never_overwritten_or_removed(
    blobs: MemoryBlobs,
) -> None:
    name = "nli/mine/train.csv"
    blobs.put(name)
    blobs.put(f"{name}{PROBLEM_SUFFIX}", b"mine")
    await delivered(blobs, name)
    del blobs.blobs[name]
    await delivered(blobs, name)
    assert blobs.contents[f"{name}{PROBLEM_SUFFIX}"] == b"mine"
    assert f"{name}{PROBLEM_SUFFIX}" in blobs.blobs


async def test_files_that_wait_for_a_training_set_say_so_until_it_comes(blobs: MemoryBlobs) -> None:
    waiting = (VALIDATION, "nli/mine/run.json", "nli/mine/test.jsonl")
    for name in waiting:
        blobs.put(name)
    await delivered(blobs, *waiting)
    for name in waiting:
        written = problem(blobs, name)
        assert written is not None
        assert written["code"] == MissCode.NO_TRAINING_SET
        assert "nothing is wrong" in written["remedy"]
    blobs.put(TRAIN)
    await delivered(blobs, TRAIN)
    assert [name for name in blobs.blobs if name.endswith(PROBLEM_SUFFIX)] == []


async def test_a_training_set_that_comes_during_the_check_leaves_no_file(
    blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs.put(VALIDATION)
    write = blobs.write

    async def write_late(*arguments: Any) -> bool:
        blobs.put(TRAIN)
        return await write(*arguments)

    monkeypatch.setattr(blobs, "write", write_late)
    await delivered(blobs, VALIDATION)
    assert problem(blobs, VALIDATION) is None


@pytest.mark.parametrize("name", ["mine", "<b>%41 & ünï"])
async def test_the_right_file_solves_the_problem_of_the_wrong_one(
    blobs: MemoryBlobs, name: str
) -> None:
    folder = f"nli/{name}"
    for file in ("train.csv", "val.jsonl"):
        blobs.put(f"{folder}/{file}")
        await delivered(blobs, f"{folder}/{file}")
    blobs.put(f"{folder}/train.jsonl")
    await delivered(blobs, f"{folder}/train.jsonl")
    assert problem(blobs, f"{folder}/train.csv") is None
    assert problem(blobs, f"{folder}/val.jsonl") is not None
    blobs.put(f"{folder}/validation.jsonl")
    await delivered(blobs, f"{folder}/validation.jsonl")
    assert problem(blobs, f"{folder}/val.jsonl") is None


async def test_the_problem_of_a_deleted_blob_goes_with_the_next_event_of_its_folder(
    blobs: MemoryBlobs,
) -> None:
    blobs.put("nli/mine/val.jsonl")
    await delivered(blobs, "nli/mine/val.jsonl")
    del blobs.blobs["nli/mine/val.jsonl"]
    blobs.put(TRAIN)
    await delivered(blobs, TRAIN)
    assert set(blobs.blobs) == {TRAIN}


@pytest.mark.parametrize("late", [VALIDATION, "nli/mine/run.json"])
async def test_what_comes_after_the_run_began_is_told_which_run_has_not_used_it(
    blobs: MemoryBlobs, late: str
) -> None:
    train = blobs.put(TRAIN)
    run_id = upload_run_id(f"datasets/{TRAIN}", train.etag)
    before = blobs.put(late)
    await delivered(blobs, late)
    assert problem(blobs, late) is None  # the run hasn't begun
    blobs.copied[f"runs/{run_id}/input/train.jsonl"] = before.modified
    await delivered(blobs, late)
    assert problem(blobs, late) is None  # in time
    blobs.put(late)
    await delivered(blobs, late)
    written = problem(blobs, late)
    assert written is not None
    assert (written["code"], written["run"]) == (MissCode.AFTER_RUN_BEGAN, run_id)
    assert f'"reuse": "{run_id}"' in written["remedy"]
    blobs.put(TRAIN)
    await delivered(blobs, TRAIN)
    assert problem(blobs, late) is None


async def test_a_corrected_run_json_is_told_how_to_get_a_failed_run_going(
    blobs: MemoryBlobs,
) -> None:
    train = blobs.put(TRAIN)
    run_id = upload_run_id(f"datasets/{TRAIN}", train.etag)
    blobs.copied[f"runs/{run_id}/request.json"] = train.modified
    blobs.put("nli/mine/run.json")
    await delivered(blobs, "nli/mine/run.json")
    assert problem(blobs, "nli/mine/run.json") is None  # the run is about to read it
    blobs.now += timedelta(hours=1)
    blobs.put("nli/mine/run.json")
    await delivered(blobs, "nli/mine/run.json")
    written = problem(blobs, "nli/mine/run.json")
    assert written is not None
    assert (written["code"], written["run"]) == (MissCode.AFTER_RUN_BEGAN, run_id)
    assert "resume" in written["remedy"]


async def test_an_empty_file_says_so_and_a_directory_does_not(blobs: MemoryBlobs) -> None:
    blobs.put(TRAIN, b"")
    blobs.put("nli/dir/train.jsonl", b"", hdi_isfolder="true")
    await delivered(blobs, TRAIN, "nli/dir/train.jsonl")
    written = problem(blobs, TRAIN)
    assert written is not None
    assert written["code"] == MissCode.EMPTY_FILE
    assert problem(blobs, "nli/dir/train.jsonl") is None
    blobs.put(TRAIN)
    await delivered(blobs, TRAIN)
    assert problem(blobs, TRAIN) is None


async def test_a_name_without_room_for_the_suffix_is_only_logged(
    blobs: MemoryBlobs, caplog: pytest.LogCaptureFixture
) -> None:
    folder = "nli/" + "é" * (1024 - len("nli//train.csv"))
    blobs.put(f"{folder}/train.csv")
    await delivered(blobs, f"{folder}/train.csv")
    assert set(blobs.blobs) == {f"{folder}/train.csv"}
    assert "too long" in caplog.text


async def test_a_name_that_storage_clients_cannot_address_is_only_logged(
    blobs: MemoryBlobs, caplog: pytest.LogCaptureFixture
) -> None:
    await delivered(blobs, "nli/../x/train.csv")
    assert (blobs.requests, len(caplog.records)) == (0, 1)


async def test_a_name_cannot_forge_a_line_of_the_log_or_run_in_the_shell(
    blobs: MemoryBlobs, caplog: pytest.LogCaptureFixture
) -> None:
    name = "nli/a\nERROR forged/train; rm -rf ~.csv"
    blobs.put(name)
    await delivered(blobs, name)
    written = problem(blobs, name)
    assert written is not None
    assert "convert 'train; rm -rf ~.csv'" in written["remedy"]
    (record,) = caplog.records
    assert "\n" not in record.getMessage()


async def test_of_many_parts_the_first_ones_speak_for_the_others(blobs: MemoryBlobs) -> None:
    names = [f"nli/mine/train-{number:05d}-of-01000.jsonl" for number in range(1000)]
    for name in names:
        blobs.put(name)
    await delivered(blobs, *names)
    assert sum(name.endswith(PROBLEM_SUFFIX) for name in blobs.blobs) == 2


async def test_a_run_warns_of_the_files_beside_it_that_it_does_not_use(blobs: MemoryBlobs) -> None:
    for name in (TRAIN, "nli/mine/val.jsonl", "nli/mine/train.csv", "nli/mine/notes.txt"):
        blobs.put(name)
    (warning,) = await unused_files(blobs, f"datasets/{TRAIN}")
    checked = check_name("nli/mine/val.jsonl")
    assert checked is not None
    assert checked.miss is not None
    assert warning == f'file "val.jsonl" isn\'t used: {checked.miss.sentence}'


@pytest.mark.parametrize(
    ("folder", "task"),
    [
        ("NLI", "nli"),
        ("nlu-qa", "nlu_qa"),
        ("Chat", "conversation"),
        ("maths", "math"),
        ("x", None),
    ],
)
def test_the_nearest_task_is_named_or_none(folder: str, task: str | None) -> None:
    assert nearest_task(folder) == task
