"""A run that stops at a number of rows, and goes on to more: by HTTP, as its users do it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local.cli.verification import check_run
from local.runtime.client import download_outputs
from tests.support.app import App, jsonl, sums

ROWS = 130
SETTINGS: dict[str, Any] = {"student": None, "generation": {"rows_per_shard": 20}}


def test_a_run_buys_the_rows_of_its_target_and_a_resumed_one_what_is_missing(
    app: App, tmp_path: Path
) -> None:
    rows = sums(ROWS, 310_000)
    run_id = app.start("target", rows, quality={"target_rows": 50}, **SETTINGS)
    view = app.ended(run_id)
    counts = view["splits"]["train"]
    assert (view["status"], bought(app, run_id), counts["accepted"]) == ("completed", 50, 50)
    assert (counts["not_needed"], counts["not_asked"]) == (ROWS - 50, 0)
    assert view["expected"]["requests"] == view["requests"]
    assert lines_of(app, run_id) == list(range(1, 51))
    with app.storage() as storage:
        download_outputs(storage, run_id, tmp_path)
    assert check_run(view, {"train": app.write("target.jsonl", rows)}, tmp_path) == []
    app.resume(run_id, quality={"target_rows": 75})
    assert app.ended(run_id)["status"] == "completed"
    assert bought(app, run_id) == 75
    assert lines_of(app, run_id) == list(range(1, 76))
    app.resume(run_id, quality={"target_rows": 30})
    view = app.ended(run_id)
    assert (view["status"], bought(app, run_id)) == ("completed", 75)
    assert view["splits"]["train"]["not_needed"] == ROWS - 30
    assert lines_of(app, run_id) == list(range(1, 31))


def bought(app: App, run_id: str) -> int:
    """The requests for rows. The view counts those of preflights, too."""
    return sum(record["requests"] for record in app.journal_records(run_id))


def lines_of(app: App, run_id: str) -> list[int]:
    """The input lines of the training set's examples."""
    return [row["line"] for row in jsonl(app.read(run_id, "train.provenance.jsonl"))]
