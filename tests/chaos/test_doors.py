"""A small storm at the doors of two runs; larger ones by `python -m tests.chaos.doors`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.doors import play

SEED = 3


@pytest.mark.slow
def test_runs_hold_what_they_promise_whichever_door_is_used_at_which_moment(tmp_path: Path) -> None:
    outcome = play(tmp_path, SEED, runs=2, kills=1, acts=4)
    assert outcome.problems == [], outcome.acts
    assert outcome.rounds > 2, "no run was resumed"
