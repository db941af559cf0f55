"""The command line: what can be asked for, and the help that should make a manual unnecessary. Standard library alone."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from local.bootstrap import ROOT

TASKS = ("nli", "conversation", "nlu_qa", "math", "summarization")
DEFAULT_PORT = 7071
DEFAULT_DATA_DIR = ROOT / ".local"
DEMO_MINUTES = 30

DESCRIPTION = """\
Model distillation on one machine: the Azure Functions app with local stand-ins for storage (Azurite),
the teacher model, AzureML and Azure OpenAI. Needs nothing but Python 3.11; the first command installs the rest into .venv."""

EPILOG = """\
examples:
  python3 -m local demo                          the five sample datasets, start to finish
  python3 -m local demo --train                  one of them, with a tiny student that is trained for real
  python3 -m local up                            serve until Ctrl-C; drop datasets, call the HTTP API
  python3 -m local run nli my-pairs.jsonl        one dataset of your own
  python3 -m local test                          the checks and tests, in minutes

`python3 -m local <command> --help` shows a command's options."""

UP = """\
Serve until Ctrl-C. A dataset uploaded to datasets/<task>/<name>/train.jsonl starts a run, POST /api/runs does too.
Addresses and keys are printed and written to <data-dir>/endpoints.json. Runs that were cut off last time go on."""

DEMO = """\
Upload the five sample datasets, follow their runs, check every result (row counts, training files, report,
registered model) and download them to <data-dir>/demo/. The exit code is 0 only if all is well.

With --train: one run instead, whose student is trained for real, by the backend azureml_command on this machine's CPU. The exit
code is 0 only if its loss fell and it has learned. The first time, PyTorch and what it needs are installed (1.5 GB on disk)."""

RUN = """\
Distil one dataset of your own, follow the run and download its results to <data-dir>/runs/<run id>/.
Uses the `up` that serves the same data directory if there is one; otherwise starts everything and stops it after.
Exit code: 0 the run completed, 1 it did not, 2 the command line or a file is wrong."""

TEST = """\
Run ruff, pyright (strict), the check of the pins, and every test but the slow repetitions. With --all, as CI does,
run the slow ones too, and the tests on every supported Python of this machine, each in an environment of its own.
Other arguments go to pytest, for example: python3 -m local test tests/shared -k journal"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The chosen command and its options. Exits with 2 on a wrong command line, and with 0 after printing help."""
    parser = build_parser()
    chosen, rest = parser.parse_known_args(arguments)
    if chosen.command == "test":
        chosen.pytest_arguments = [argument for argument in rest if argument != "--"]
    elif rest:
        parser.error(
            f"unrecognized arguments: {' '.join(rest)} (see python3 -m local {chosen.command} --help)"
        )
    return chosen


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m local",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def command(name: str, help_line: str, description: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=help_line,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    up = command("up", "serve the app until Ctrl-C", UP)
    demo = command("demo", "run the five sample datasets through, and check the results", DEMO)
    run = command("run", "distil one dataset of your own", RUN)
    test = command("test", "run the checks and tests", TEST)
    for parsed in (up, demo, run):
        _add_cloud_options(parsed)
    _add_timeout(demo, DEMO_MINUTES)
    demo.add_argument(
        "--train",
        action="store_true",
        dest="trains",
        help="train a tiny student for real, and see whether it learns",
    )
    _add_timeout(run, None)
    _add_run_arguments(run)
    test.add_argument(
        "--all",
        action="store_true",
        help="run the slow repetitions too, and the tests on every supported Python found here",
    )
    test.add_argument(
        "--fast",
        action="store_true",
        help="leave out pyright and the tests on the large real datasets",
    )
    return parser


def _add_run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", choices=TASKS, metavar="TASK", help=f"one of {', '.join(TASKS)}")
    parser.add_argument(
        "train",
        type=_file,
        metavar="TRAIN",
        help="training set, JSON lines: one {messages: [...]} a line",
    )
    parser.add_argument(
        "--validation", type=_file, metavar="FILE", help="validation set, of the same form"
    )
    parser.add_argument(
        "--spec",
        type=_file,
        metavar="FILE",
        help="run specification (run.json): teacher, prompt, student",
    )
    parser.add_argument("--name", help="name of the dataset (default: made from TRAIN's file name)")


def _add_timeout(parser: argparse.ArgumentParser, minutes: int | None) -> None:
    parser.add_argument(
        "--timeout",
        type=_minutes,
        default=minutes,
        metavar="MINUTES",
        help=f"give up after so many minutes (default: {minutes or 'never'})",
    )


def _add_cloud_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-dir",
        type=_folder,
        default=DEFAULT_DATA_DIR,
        metavar="DIR",
        help="where storage, run state, keys and logs are kept (default: .local)",
    )
    parser.add_argument(
        "--port", type=_port, help=f"port of the Functions host (default: {DEFAULT_PORT})"
    )
    teacher = parser.add_argument_group("a teacher of your own instead of the local one")
    teacher.add_argument(
        "--teacher-url",
        metavar="URL",
        help="base URL of an OpenAI-compatible API, for example https://NAME.openai.azure.com/openai/v1",
    )
    teacher.add_argument("--teacher-model", metavar="NAME", help="its model or deployment name")
    teacher.add_argument(
        "--teacher-key",
        metavar="KEY",
        help="its API key. Better set TEACHER_API_KEY: command lines are visible to other users (ps) and kept in shell history",
    )
    parser.add_argument(
        "--teacher-option",
        action="append",
        default=[],
        dest="teacher_options",
        metavar="NAME=VALUE",
        help="option of the local teacher, repeatable: latency_ms=500, rpm=600, error_rate=0.1, seed=7 "
        "(all of them: python -m local.emulators.teacher --help)",
    )
    parser.add_argument(
        "--azureml-option",
        action="append",
        default=[],
        dest="azureml_options",
        metavar="NAME=VALUE",
        help="option of the AzureML emulator, repeatable: pace=60, fail_rate=0.5, seed=7 "
        "(all of them: python -m local.emulators.azureml --help)",
    )
    parser.add_argument(
        "--azureml-url",
        metavar="URL",
        help="an AzureML emulator that already runs, instead of starting one",
    )
    parser.add_argument(
        "--openai-option",
        action="append",
        default=[],
        dest="openai_options",
        metavar="NAME=VALUE",
        help="option of the Azure OpenAI emulator, repeatable: pace=60, status_path=queued,running,failed "
        "(all of them: python -m local.emulators.azure_openai --help)",
    )
    parser.add_argument(
        "--openai-url",
        metavar="URL",
        help="another Azure OpenAI to fine-tune at, ending in /openai/v1, with the key in AZURE_OPENAI_API_KEY",
    )


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is not a file")
    if path.stat().st_size == 0:
        raise argparse.ArgumentTypeError(f"{text} is empty")
    if not os.access(path, os.R_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be read: check its permissions")
    return path


def _folder(text: str) -> Path:
    """It need not be there yet."""
    path = Path(text)
    lowest = next(place for place in (path, *path.parents) if place.exists())
    if not lowest.is_dir():
        raise argparse.ArgumentTypeError(f"{lowest} is not a folder")
    if not os.access(lowest, os.W_OK):
        raise argparse.ArgumentTypeError(f"{lowest} cannot be written to: check its permissions")
    return path


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is not a port: give a number from 1 to 65535")
    return int(text)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number of minutes")
    return minutes
