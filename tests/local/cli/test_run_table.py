"""The table of runs: legible on any terminal, with whole ids and the reasons of failed runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from local.cli.run_table import table_lines, total_text
from tests.support.views import View, counts, view

LONG = "nli-" + "very-long-" * 7 + "0123456789ab"


def generating(run_id: str, **changes: Any) -> View:
    shown: dict[str, Any] = {
        "status": "running",
        "stage": "generate",
        "splits": {"train": counts(960, 340, rejected=2), "validation": counts(40, 10)},
        "tokens": {"prompt": 12_000, "completion": 345},
        "elapsed_seconds": 62,
        "remaining_seconds": 3700,
        "rows_per_second": 12.34,
        "cost": 0.125,
    }
    return view(run_id, **{**shown, **changes})


def failed(run_id: str, message: str, **details: str) -> View:
    problems = [{"where": where, "problem": problem} for where, problem in details.items()]
    error = {"code": "too_few_rows", "message": message, "details": problems}
    return view(run_id, status="failed", stage="scan", elapsed_seconds=5, error=error)


def text(views: Sequence[View], width: int, **options: Any) -> str:
    lines = table_lines(views, width=width, **options)
    return "\n".join(line.text for line in lines)


VIEWS = (
    generating("nli-mine-0123456789ab"),
    failed("math-b-0123456789ab", "too few rows", train="has 2 of 40", validation="has 0"),
)


def test_at_80_columns_a_run_has_everything_down_to_its_cost() -> None:
    assert text(VIEWS, 80).splitlines() == [
        "run                        state        rows elapsed    left rows/s     cost",
        "nli-mine-0123456789ab   generate    350/1000   1m02s  ~1h01m   12.3   0.1250",
        "math-b-0123456789ab       failed           -      5s       -      -        -",
        "  too few rows: train: has 2 of 40 (and 1 more)",
        "2 runs: 1 running, 1 failed, 350/1,000 rows, 12.3 rows/s, 12.3k tokens, cost",
        "  0.1250 (1 without prices)",
    ]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
@pytest.mark.parametrize("run_id", ["a-1", "nli-mine-0123456789ab", LONG])
def test_ids_are_whole_and_nothing_is_wider_than_the_terminal(width: int, run_id: str) -> None:
    views = [generating(run_id), failed(f"{run_id}2", "word " * 60 + "x" * 300)]
    lines = [line.text for line in table_lines(views, [f"{run_id}3"], width=width)]
    assert max(map(len, lines)) <= width
    joined = "".join(lines)
    assert all(each in joined for each in (run_id, f"{run_id}2", f"{run_id}3"))
    assert any(line.rstrip().endswith("failed") or " failed " in line for line in lines)


def test_60_columns_keep_the_time_that_is_left_and_120_have_all_columns() -> None:
    assert text(VIEWS, 60).splitlines()[0].split() == ["run", "state", "rows", "elapsed", "left"]
    head = text(VIEWS, 120).splitlines()[0].split()
    assert head[-4:] == ["rows/s", "cost", "rejected", "tokens"]


def test_a_long_id_has_a_line_of_its_own() -> None:
    lines = text([generating(LONG[:70])], 80).splitlines()
    assert lines[1] == LONG[:70]
    assert text([generating(LONG[:70])], 60).splitlines()[1:3] == [LONG[:60], LONG[60:70]]
    assert lines[2].split()[:2] == ["generate", "350/1000"]


def test_of_50_runs_a_short_terminal_shows_active_ones_and_the_newest() -> None:
    views = [view(f"nli-{number:02}", status="completed") for number in range(50)]
    views[3] = generating("nli-03")
    lines = text(views, 80, height=24).splitlines()
    assert len(lines) <= 24
    assert "nli-03" in lines[2]
    assert lines[-3].startswith("nli-49")
    assert lines[1] == "30 other runs: GET /api/runs lists all"
    assert lines[-2].startswith("50 runs: 49 completed, 1 running")


def test_a_plain_ascii_terminal_gets_ascii() -> None:
    views = [failed("a", "word " * 100), generating("b")]
    assert text(views, 80, is_ascii=True).isascii()


def test_a_run_in_training_shows_its_jobs() -> None:
    job = {"status": "running", "service_status": "Running", "metrics": {"loss": 0.51234}}
    lines = text([generating("a", stage="finetune", finetune=job)], 80).splitlines()
    assert lines[2] == "  fine-tuning: Running (loss 0.512)"


def test_a_queued_run_has_its_place() -> None:
    queued = view("a", status="queued", stage="queue", queue={"place": 2, "waiting": 5})
    assert "queued 2" in text([queued], 80)


def test_a_total_has_no_number_that_is_not_known() -> None:
    assert total_text([view("a"), view("b")], waiting=1) == "3 runs: 2 pending, 1 waiting, 0 tokens"
    assert total_text([]) == "0 runs, 0 tokens"
