"""A run whose first rows are no use: it stops, shows why, and goes on when that is mended."""

from __future__ import annotations

import json

from tests.support.app import App, jsonl, requests_of_rows, sums

ROWS = 70  # of which more than the first 20 may fail: the success ratio ends no wave early
FIRST = 20


def test_a_run_stops_at_its_first_wave_and_goes_on_with_other_settings(app: App) -> None:
    run_id = app.start(
        "wave",
        sums(ROWS, 300_000),
        teacher={"max_tokens": 4},
        prompt={"chain_of_thought": True},
    )
    view = app.ended(run_id)
    assert (view["status"], view["error"]["code"]) == ("failed", "first_wave")
    reasons, *replies = view["error"]["details"]
    assert f"{FIRST} truncated" in reasons["problem"]
    assert [reply["where"] for reply in replies] == [f"line {line} of train" for line in (1, 2, 3)]
    assert all("the teacher's reply: " in reply["problem"] for reply in replies)
    counts = view["splits"]["train"]
    assert (counts["accepted"], counts["rejected"], counts["not_asked"]) == (0, FIRST, ROWS - FIRST)
    assert [row["line"] for row in jsonl(app.read(run_id, "rejected.jsonl"))] == list(range(1, 21))
    assert json.loads(app.read(run_id, "report.json"))["error"]["code"] == "first_wave"
    app.resume(run_id, teacher={"max_tokens": 1024})
    again = app.ended(run_id)
    assert (again["status"], again["splits"]["train"]["accepted"]) == ("completed", ROWS)
    assert requests_of_rows(again) == requests_of_rows(view) + ROWS
    assert again["expected"]["requests"] == again["requests"]
