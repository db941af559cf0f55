"""One kill between submission and response; `python -m tests.chaos.submissions --kills 50` does it
as often as you like.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.submissions import kill_while_submitting


@pytest.mark.slow
def test_a_host_that_is_killed_before_it_hears_of_its_job_makes_no_second_one(
    tmp_path: Path,
) -> None:
    jobs, view = kill_while_submitting(tmp_path, kills=1)
    assert (jobs, view["status"]) == (1, "completed")
    assert view["finetune"]["job"] == view["id"]
