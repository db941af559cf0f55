"""Replies, prompts and rows that real users of such systems tripped over, through the whole app.

They are kept beside the checkout with the program that judges them.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from local.bootstrap import ROOT

CASES = ROOT.parent / "shared" / "cases"
JUDGE = CASES / "check.py"
SECONDS = 500


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not JUDGE.is_file(), reason="the cases are not beside this checkout")
def test_no_recorded_case_is_read_wrongly() -> None:
    ended = subprocess.run(
        [sys.executable, str(JUDGE), str(ROOT), str(CASES)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stdout[-4000:]}\n{ended.stderr[-2000:]}"
    assert "\n0 wrong," in f"\n{ended.stdout}"
