"""Shards are byte ranges that cover every row once; duplicates are found before paying."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Mapping

from hypothesis import given
from hypothesis import strategies as st

from shared.core.paths import Split
from shared.dataset.lines import ReadBytes
from shared.dataset.rejection import RejectedRow, Rejection, RejectionReason
from shared.dataset.rows import Row, as_jsonl
from shared.scan.findings import Findings
from shared.scan.plan import MAX_SAMPLES, Plan, RangePlan, shard_lines
from shared.scan.range_plan import plan_in_memory
from shared.scan.row_checks import RowChecks
from shared.spec.models import RunSpec
from shared.spec.parse import parse_spec
from tests.shared.conftest import question, questions


def spec_of(per_shard: int = 3) -> RunSpec:
    generation = {"rows_per_shard": per_shard}
    return parse_spec(
        {"task": "math", "train": "datasets/math/x/train.jsonl", "generation": generation}
    )


async def chunked(data: bytes, size: int = 11) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def reading(data: bytes) -> ReadBytes:
    def read(start: int, end: int) -> AsyncIterator[bytes]:
        return chunked(data[start:end])

    return read


def plans_of(
    contents: Mapping[Split, bytes],
) -> tuple[dict[Split, RangePlan], list[RejectedRow]]:
    inputs: dict[Split, tuple[ReadBytes, int]] = {}
    for split, content in contents.items():
        inputs[split] = (reading(content), len(content))
    return asyncio.run(plan_in_memory(inputs, spec_of()))


def plan_of(data: bytes, per_shard: int = 3) -> tuple[RangePlan, list[RejectedRow]]:
    plans, rejections = asyncio.run(
        plan_in_memory({"train": (reading(data), len(data))}, spec_of(per_shard))
    )
    return plans["train"], rejections


def test_the_first_shard_has_the_20_rows_that_are_asked_before_all_others() -> None:
    plan, _ = plan_of(b"{\n" * 3 + questions(90), 50)
    assert [(shard.first_line, shard.rows) for shard in plan.shards] == [
        (1, 23),
        (24, 50),
        (74, 20),
    ]


def test_only_the_training_set_begins_with_a_small_shard() -> None:
    content = questions(30)
    plans, _ = asyncio.run(
        plan_in_memory(
            {
                "train": (reading(content), len(content)),
                "validation": (reading(questions(60)[len(content) :]), len(content)),
            },
            spec_of(40),
        )
    )
    assert [shard.rows for shard in plans["train"].shards] == [20, 10]
    assert len(plans["validation"].shards) == 1


def rows_of(plan: RangePlan, data: bytes) -> list[tuple[int, Row | Rejection]]:
    """(line, row) of every shard, each read from its own byte range."""

    async def read() -> list[tuple[int, Row | Rejection]]:
        found: list[tuple[int, Row | Rejection]] = []
        for shard in plan.shards:
            content = chunked(data[shard.start : shard.end])
            async for lines in shard_lines(content, shard):
                found += [(line.number, RowChecks(spec_of()).usable(line, shard)) for line in lines]
        return found

    return asyncio.run(read())


lines = st.lists(
    st.sampled_from([b"", b"  ", b"{", b"\xff", *questions(6).splitlines()]), max_size=25
)


@given(lines, st.integers(1, 6), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_shards_cover_every_row_once_whatever_is_in_the_file(
    content: list[bytes], per_shard: int, newline: bytes, ends: bool
) -> None:
    data = newline.join(content) + (newline if ends else b"")
    plan, rejections = plan_of(data, per_shard)
    given_rows = [number for number, line in enumerate(content, 1) if line.strip()]
    read = rows_of(plan, data)
    assert [number for number, _ in read] == given_rows
    assert plan.rows == len(given_rows) == plan.valid + sum(plan.rejected.values())
    assert [shard.rows for shard in plan.shards[:-1]] == [per_shard] * (len(plan.shards) - 1)
    rejected = [(number, row.reason) for number, row in read if isinstance(row, Rejection)]
    assert rejected == [(row.line, row.reason) for row in rejections]


def test_a_row_is_the_same_as_another_whatever_its_id_and_answer() -> None:
    data = as_jsonl(
        [question("2 + 2?", id="a"), question(" 2 + 2? \n", id="b", answer=4), question("2 + 3?")]
    )
    plan, rejections = plan_of(data)
    assert (plan.valid, plan.rejected) == (2, {"duplicate": 1})
    assert rejections == [
        RejectedRow("train", 2, "b", RejectionReason.DUPLICATE, "the same as line 1 of train")
    ]


def test_validation_rows_that_stand_in_the_training_set_are_excluded_from_validation() -> None:
    plans, rejections = plans_of({"train": questions(3), "validation": questions(5)})
    train, validation = plans["train"], plans["validation"]
    assert (train.valid, validation.valid, validation.rejected) == (3, 2, {"overlap": 3})
    assert rejections[0].detail == "the same as line 1 of train"


def test_a_question_with_different_references_is_a_conflict_wherever_it_stands() -> None:
    train = [question("2 + 2?"), question("2 + 2?", answer=4), question("2 + 3?", answer="5.0")]
    again = [question("2 + 2?", answer="unknown"), question("2 + 2?", answer=5)]
    validation = [question("2 + 3?", answer=6), question("2 + 3?", answer=5)]
    contents: dict[Split, bytes] = {
        "train": as_jsonl([*train, *again]),
        "validation": as_jsonl(validation),
    }
    plans, rejections = plans_of(contents)
    assert plans["train"].conflicts == Findings(
        rows=1, samples=["line 5 of train: 5, but 4 on line 2 of train"]
    )
    assert plans["validation"].conflicts == Findings(
        rows=1, samples=["line 1 of validation: 6, but 5 on line 3 of train"]
    )
    details = {(row.split, row.line): row.detail for row in rejections}
    same = "the same as line 3 of train"
    assert (
        details["validation", 1]
        == f"{same}, with different references: 6, but 5 on line 3 of train"
    )
    assert details["validation", 2] == same


def test_examples_are_few_and_say_line_and_reason() -> None:
    plan, rejections = plan_of(b"{\n" * 20)
    assert (len(plan.samples), len(rejections)) == (MAX_SAMPLES, 20)
    assert plan.samples[0].startswith("line 1: invalid_json: column 2")


def test_the_estimate_grows_with_the_rows_that_will_be_asked() -> None:
    few, more, bad = [
        plan_of(data)[0].estimate.tokens for data in (questions(5), questions(50), b"{\n" * 99)
    ]
    assert 8 < more / few < 12
    assert bad == 0


def test_a_plan_is_read_back_as_it_was_written() -> None:
    plan, _ = plan_of(b"{\n" + questions(5) + questions(2))
    assert RangePlan.model_validate_json(plan.model_dump_json(exclude_defaults=True)) == plan


def test_the_plan_of_a_split_is_small_and_knows_where_each_range_stands() -> None:
    whole, ranges = Plan(), [plan_of(questions(count))[0] for count in (7, 0, 4)]
    for first_line, one in zip((1, 8, 8), ranges, strict=True):
        whole.append(one.model_copy(update={"first_line": first_line}))
    assert (whole.rows, whole.valid, whole.shards) == (11, 11, 5)
    assert [(one.first_shard, one.first_line) for one in whole.ranges] == [(0, 1), (3, 8), (3, 8)]
    assert "ranges" not in whole.scan().model_dump()


def test_a_file_in_another_encoding_has_its_rows_and_one_sentence() -> None:
    text = questions(7).decode()
    for encoding in ("utf-16", "utf-16-be", "utf-32"):
        plan, rejections = plan_of(text.replace("\n", "\r\n").encode(encoding))
        assert (plan.rows, plan.valid, len(rejections)) == (7, 0, 7)
        assert "UTF-8" in plan.file_form


def test_a_compressed_file_has_no_rows() -> None:
    plan, rejections = plan_of(gzip.compress(questions(50)))
    assert (plan.rows, len(plan.shards), rejections) == (0, 0, [])
    assert "gzip" in plan.file_form
