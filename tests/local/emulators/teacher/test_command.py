"""`python -m local.emulators.teacher`: flags become options, and a served process answers and ends
on a signal.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

from local.emulators.teacher.__main__ import main, options, parser
from tests.support.teacher import REPOSITORY


def test_every_flag_reaches_its_option(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("from-a-file\n")
    line = "--port 0 --seed 4 --rpm 60 --tpm 900 --content-filter-rate 0.1 "
    line += f"--api-key-file {key} --log {tmp_path}/log"
    chosen = options(parser().parse_args(line.split()))
    assert (chosen.seed, chosen.rpm, chosen.tpm, chosen.content_filter_rate) == (4, 60, 900, 0.1)
    assert chosen.api_key == "from-a-file"
    assert chosen.log == tmp_path / "log"
    models = ["--model", "student:0.7", "--model", "llama3:8b", "--model", "exact"]
    chosen = options(parser().parse_args(["--port", "0", *models]))
    assert chosen.skills == {"student": 0.7, "llama3:8b": 1.0, "exact": 1.0}
    chosen = options(parser().parse_args(["--port", "0", "--reject", "Problem 7:"]))
    assert chosen.reject == "Problem 7:"


def test_an_empty_key_file_is_an_error_rather_than_an_open_door(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "key").write_text("\n")
    with pytest.raises(SystemExit):
        main(["--port", "0", "--api-key-file", str(tmp_path / "key")])
    assert "empty" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--key", "missing.jsonl"], ["--model", "student:1.5"]])
def test_a_missing_key_and_an_impossible_skill_fail_at_the_start(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--port", "0", *flags])
    assert flags[1].split(":")[0] in capsys.readouterr().err


async def test_a_process_serves_until_its_lifeline_is_cut() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local.emulators.teacher", "--port", "0", "--lifeline"),
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    announced = (await asyncio.wait_for(process.stdout.readline(), 120)).decode()
    assert re.search(r"local-teacher at http://127\.0\.0\.1:\d+/v1", announced)
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 120) == 0
