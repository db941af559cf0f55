"""The welcome of `up`: where everything is, and lines that can be pasted as they are."""

from __future__ import annotations

import shlex
from pathlib import Path

from local.cli.commands.arguments import DEFAULT_DATA_DIR, parse
from local.cli.commands.up import welcome
from local.runtime.options import CloudOptions, cloud_options
from tests.support.views import endpoints


def command_in(text: str, start: str) -> list[str]:
    """The command that begins so, as a shell would read it."""
    return next(
        shlex.split(line[line.index(start) :]) for line in text.splitlines() if start in line
    )


def test_it_tells_where_everything_is() -> None:
    text = welcome(endpoints(), CloudOptions(data_dir=Path("/data")))
    for part in (
        "http://127.0.0.1:1/api/runs",
        "http://127.0.0.1:2/v1",
        "http://127.0.0.1:3",
        "/data/logs",
    ):
        assert part in text
    assert "/data/endpoints.json" in text


def test_keys_that_open_more_than_the_api_are_not_shown() -> None:
    text = welcome(endpoints(), CloudOptions(data_dir=Path("/data")))
    for secret in ("secret-master", "secret-system", "secret-account"):
        assert secret not in text


def test_the_command_it_suggests_goes_to_the_same_data_directory() -> None:
    for folder in (Path("/my data/dir"), DEFAULT_DATA_DIR):
        text = welcome(endpoints(), CloudOptions(data_dir=folder))
        suggested = command_in(text, "python3 -m local run")[3:]
        assert cloud_options(parse(suggested)).data_dir == folder
