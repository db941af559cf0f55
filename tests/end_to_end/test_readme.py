"""The README's walk-through works as it is written: its commands are run, in order, in one
shell.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.bootstrap import ROOT
from tests.support.app import App, jsonl

README = (ROOT / "README.md").read_text(encoding="utf-8")
LIMIT_SECONDS = 180
NEEDED = ("bash",)


def commands() -> list[str]:
    """Return the blocks that a reader pastes into the second terminal."""
    return re.findall(r"^```bash\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def examples() -> list[str]:
    """Return the JSON examples."""
    return re.findall(r"^```json\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(
    not all(shutil.which(program) for program in NEEDED), reason=f"needs {', '.join(NEEDED)}"
)
def test_the_walk_through_starts_one_run_and_downloads_its_results(
    app: App, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    script = "\n".join(["set -eu", *commands()])
    script = script.replace("python3 -m client", f'"{sys.executable}" -m client')
    deployment = {
        "DISTILLATION_URL": app.endpoints.host_url,
        "DISTILLATION_KEY": app.endpoints.function_key,
    }
    script = script.replace(".local/results", str(results))

    ended = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env={**os.environ, **deployment},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr + ended.stdout
    [run_id] = app.run_ids("math-mine-")
    assert run_id in ended.stdout
    assert len(jsonl((results / run_id / "train.jsonl").read_bytes())) == 96
    assert (results / run_id / "report.json").exists()


@pytest.mark.slow
def test_the_examples_of_row_and_specification_make_a_run(app: App) -> None:
    row, specification = examples()
    question = '"content": "'
    assert question in row
    rows = [row.replace(question, f"{question}Number {number}: ") for number in range(45)]
    files = {
        "run.json": app.write("readme/run.json", specification.encode()),
        "train.jsonl": app.write("readme/train.jsonl", "".join(rows).encode()),
    }
    view = app.ended(app.upload("math", "readme", files))
    assert view["error"] is None, view
    counts = view["splits"]["train"]
    assert counts["accepted"] + counts["rejected"] == 45
