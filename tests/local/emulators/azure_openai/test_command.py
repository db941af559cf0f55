"""`python -m local.emulators.azure_openai`: flags become options, and a served process answers and
ends on a signal.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from local.emulators.azure_openai import EmulatorOptions, app_settings
from local.emulators.azure_openai.__main__ import main, parser
from local.emulators.options import parsed
from shared.core.settings import SETTINGS
from tests.support.programs import REPOSITORY


def test_every_flag_reaches_its_option() -> None:
    line = (
        "--port 0 --data-dir d --pace 2 --file-pace 1 --seed 4 --fail-rate 0.5 "
        "--final-status paused "
        "--status-path queued,running --api-key k"
    )
    assert parsed(EmulatorOptions, parser().parse_args(line.split())) == EmulatorOptions(
        pace=2,
        file_pace=1,
        seed=4,
        fail_rate=0.5,
        final_status="paused",
        status_path=("queued", "running"),
        api_key="k",
    )


@pytest.mark.parametrize(
    "flags",
    [
        ["--pace", "-1"],
        ["--file-pace", "-1"],
        ["--fail-rate", "2"],
        ["--final-status", "nope"],
        ["--status-path", "succeeded,running"],
    ],
)
def test_a_value_out_of_range_is_refused_at_the_start(flags: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--port", "0", "--data-dir", "d", *flags])
    assert ended.value.code == 2


def test_the_app_settings_hold_all_that_the_app_needs_of_azure_openai() -> None:
    settings = app_settings("http://127.0.0.1:1/openai/v1/")
    assert {name for name in SETTINGS if name.startswith("AZURE_OPENAI_")} == settings.keys()
    assert settings["AZURE_OPENAI_BASE_URL"] == "http://127.0.0.1:1/openai/v1"


async def test_a_process_serves_until_its_lifeline_is_cut(tmp_path: Path) -> None:
    flags = ("--port", "0", "--data-dir", str(tmp_path / "deep" / "er"), "--lifeline")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local.emulators.azure_openai", *flags),
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    stdin: Any = process.stdin
    stdout: Any = process.stdout
    announced = (await asyncio.wait_for(stdout.readline(), 120)).decode()
    assert re.search(
        r"emulator at http://127\.0\.0\.1:\d+/openai/v1 \(it trains nothing\)", announced
    )
    stdin.close()
    assert await asyncio.wait_for(process.wait(), 120) == 0
