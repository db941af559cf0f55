"""One storm at each test run; more by `python -m tests.chaos --seeds 0:50`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.storm import weather

SEED = 10  # kills host and storage, and the clock jumps


@pytest.mark.slow
def test_a_run_holds_what_it_promises_through_a_storm(tmp_path: Path) -> None:
    outcome = weather(tmp_path, SEED)
    assert outcome.problems == [], outcome.acts
    assert len(outcome.acts) > 3
