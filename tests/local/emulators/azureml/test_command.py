"""`python -m local.emulators.azureml`: flags become options, and a served process answers and ends
on a signal.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from local.emulators.azureml.__main__ import main, parser
from local.emulators.azureml.environment import app_settings
from local.emulators.azureml.options import EmulatorOptions
from local.emulators.options import parsed
from shared.core.settings import SETTINGS

REPOSITORY = Path(__file__).parents[4]


def test_every_flag_reaches_its_option() -> None:
    line = "--port 0 --data-dir d --pace 2 --seed 4 --fail-rate 0.5 --final-status Paused "
    line += "--identity-header h --run-commands --training-python p"
    assert parsed(EmulatorOptions, parser().parse_args(line.split())) == EmulatorOptions(
        pace=2,
        seed=4,
        fail_rate=0.5,
        final_status="Paused",
        identity_header="h",
        run_commands=True,
        training_python=Path("p"),
    )


def test_the_identity_header_comes_from_the_environment_where_no_flag_gives_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "from-environment")
    chosen = parsed(EmulatorOptions, parser().parse_args(["--port", "0", "--data-dir", "d"]))
    assert chosen.identity_header == "from-environment"
    assert "from-environment" not in repr(chosen)


@pytest.mark.parametrize(
    "flags", [["--pace", "-1"], ["--fail-rate", "2"], ["--final-status", "Nope"]]
)
def test_a_value_out_of_range_is_refused_at_the_start(flags: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--port", "0", "--data-dir", "d", *flags])
    assert ended.value.code == 2


def test_the_app_settings_hold_all_that_the_app_needs_of_azureml() -> None:
    settings = app_settings("http://127.0.0.1:1/", "h")
    assert {name for name in SETTINGS if name.startswith("AZUREML_")} <= settings.keys()
    assert not any("//metadata" in value or "1//identity" in value for value in settings.values())


@pytest.mark.slow
async def test_a_process_serves_until_its_lifeline_is_cut(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "local.emulators.azureml",
            "--port",
            "0",
            "--data-dir",
            str(tmp_path / "deep" / "er"),
            "--lifeline",
        ),
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    stdin: Any = process.stdin
    stdout: Any = process.stdout
    announced = (await asyncio.wait_for(stdout.readline(), 120)).decode()
    assert re.search(r"emulator at http://127\.0\.0\.1:\d+ \(it trains nothing\)", announced)
    stdin.close()
    assert await asyncio.wait_for(process.wait(), 120) == 0
