"""The command line and its help, which should make a manual unnecessary. Standard library alone."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from local.bootstrap import ROOT
from local.bootstrap.interpreters import supported_versions
from local.runtime.ports import DEFAULT_PORT

# The registry of tasks needs packages that may not be installed yet; every task has a sample.
TASKS = tuple(sorted(file.parent.name for file in (ROOT / "samples").glob("*/train.jsonl")))
DEFAULT_DATA_DIR = ROOT / ".local"
DEMO_MINUTES = 30

DESCRIPTION = f"""\
Model distillation on one machine: the Azure Functions app with local stand-ins for storage
(Azurite), the teacher model, AzureML and Azure OpenAI. Runs on Python {supported_versions()} and
needs nothing else: the first command installs the rest into .venv."""

EPILOG = """\
examples:
  python3 -m local demo                          run the five sample datasets from start to finish
  python3 -m local demo --train                  run one of them, and train a tiny student for real
  python3 -m local up                            serve until Ctrl-C: upload datasets, call the API
  python3 -m local run nli my-pairs.jsonl        run a dataset of your own
  python3 -m local check my-pairs.jsonl          tell offline what a run would find in it
  python3 -m local convert rows.csv --task math  make JSON lines of a file in another form
  python3 -m local test                          run the checks and tests, in minutes

`python3 -m local <command> --help` shows a command's options."""

UP = """\
Serve the app until Ctrl-C. To start a run, upload a dataset to datasets/<task>/<name>/train.jsonl
or POST to /api/runs. Addresses and keys are printed and written to <data-dir>/endpoints.json.
Runs that were interrupted last time continue."""

DEMO = """\
Upload the five sample datasets, follow their runs, check every result (row counts, training files,
report, registered model) and download them to <data-dir>/demo/. The exit code is 0 only if all
checks pass.

With --train: make one run instead, whose student the backend azureml_command trains for real on
this machine's CPU. The exit code is 0 only if its loss fell and it answers better than before.
The first time, PyTorch and its companions are installed (1.5 GB on disk)."""

RUN = """\
Distil one dataset of your own, follow the run and download its results to
<data-dir>/runs/<run id>/. Uses the `up` that serves the same data directory, if any; otherwise
starts everything and stops it afterwards.
Exit code: 0 the run completed, 1 it did not, 2 the command line or a file is wrong."""

CONVERT = """\
Make JSON lines in UTF-8 of a file in another form: UTF-16 or UTF-32, gzip, zip, bzip2, xz, a JSON
array, CSV, Parquet (with pyarrow installed); with rows of messages or in the formats of Alpaca,
ShareGPT, prompt and completion, question and answer (GSM8K), multiple choice, or NLI.
Logs of chat completions become rows that end with the reply: stored completions and batches of
OpenAI and Azure OpenAI, and the logs of API Management and LiteLLM.
Rows in = rows out + rejected; each rejected row is printed with its line or place and the reason.
Exit code: 0 all rows were converted, 1 some were not, 2 the command line or the file is wrong."""

CHECK = """\
Tell what a run would find in a dataset, and what it would take: usable rows, rejected ones with
the reason and their lines, labels, duplicates, references, tokens and prices. Nothing is uploaded
or sent: it needs no server and no key. It is the dry run of POST /api/runs?dry_run=true, offline.
FILE is a training set or the folder of one. validation.jsonl, test.jsonl and run.json beside it
are used too. The task follows from --task, run.json, a path such as datasets/nli/..., or the rows.
TEACHER_MODEL, STUDENT_MODEL and their prices are taken from the environment, if they are set.
Exit code: 0 a run could use it, 1 something would stop a run, 2 the command line is wrong."""

TEST = """\
Run ruff, pyright (strict), the check of the pins, and every test but the slow repetitions.
With --all, as CI does, run the slow ones too, and the tests on every supported Python of this
machine, each in an environment of its own (such as .venv-3.12).
Other arguments go to pytest, for example: python3 -m local test tests/shared -k journal"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the chosen command and its options.

    Exits with 2 on a wrong command line, and with 0 after printing help.
    """
    parser = build_parser()
    chosen, rest = parser.parse_known_args(arguments)
    if chosen.command == "test":
        chosen.pytest_arguments = [argument for argument in rest if argument != "--"]
    elif rest:
        parser.error(
            f"unrecognized arguments: {' '.join(rest)} "
            f"(see python3 -m local {chosen.command} --help)"
        )
    return chosen


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="python3 -m local",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def add_command(name: str, summary: str, description: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=summary,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    up = add_command("up", "serve the app until Ctrl-C", UP)
    demo = add_command("demo", "run the five sample datasets and check the results", DEMO)
    run = add_command("run", "distil one dataset of your own", RUN)
    check = add_command("check", "tell offline whether a dataset can be used", CHECK)
    convert = add_command("convert", "make JSON lines of a file in another form", CONVERT)
    test = add_command("test", "run the checks and tests", TEST)
    for parsed in (up, demo, run):
        _add_cloud_options(parsed)
        _add_teacher_options(parsed)
        _add_service_options(parsed)
    _add_timeout(demo, DEMO_MINUTES)
    _add_timeout(run, None)
    _add_run_arguments(run)
    _add_check_arguments(check)
    _add_convert_arguments(convert)
    _add_test_options(test)
    demo.add_argument(
        "--train",
        action="store_true",
        dest="trains",
        help="train a tiny student for real, and check that it learns",
    )
    return parser


def _add_test_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--all",
        action="store_true",
        help="run the slow repetitions too, and the tests on every supported Python found here",
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        help="leave out pyright and the tests on the large real datasets",
    )


def _add_run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", choices=TASKS, metavar="TASK", help=f"one of {', '.join(TASKS)}")
    parser.add_argument(
        "train",
        type=_file,
        metavar="TRAIN",
        help="training set, JSON lines: one {messages: [...]} a line",
    )
    parser.add_argument(
        "--validation",
        type=_file,
        metavar="FILE",
        help="validation set, of the same form (default: validation.jsonl beside TRAIN, if any)",
    )
    parser.add_argument(
        "--test",
        type=_file,
        metavar="FILE",
        help="test set, of the same form (default: test.jsonl beside TRAIN, if any)",
    )
    parser.add_argument(
        "--spec",
        type=_file,
        metavar="FILE",
        help="run specification: teacher, prompt, student (default: run.json beside TRAIN, if any)",
    )
    parser.add_argument("--name", help="name of the dataset (default: made from TRAIN's file name)")


def _add_check_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", type=_dataset, metavar="FILE", help="training set, or the folder of one"
    )
    parser.add_argument("--task", choices=TASKS, metavar="TASK", help=f"one of {', '.join(TASKS)}")
    parser.add_argument(
        "--spec",
        type=_file,
        metavar="FILE",
        help="run specification (default: run.json beside FILE, if any)",
    )
    parser.add_argument(
        "--json", action="store_true", dest="as_json", help="print JSON, for programs"
    )


def _add_convert_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=_file, metavar="FILE", help="file to convert")
    parser.add_argument(
        "--task", choices=TASKS, help="also reject the rows that this task can't use"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        help="file to write (default: <name>.converted.jsonl beside FILE)",
    )
    parser.add_argument(
        "--labels",
        type=_labels,
        metavar="NAME,NAME",
        help="NLI: names of the labels in the order of their class numbers",
    )
    parser.add_argument(
        "--requests",
        type=_file,
        metavar="FILE",
        help="logs without questions: the batch's input, or the messages of stored completions",
    )
    parser.add_argument(
        "--assume-finished",
        action="store_true",
        help="logs without finish reasons: take their replies as whole",
    )


def _labels(text: str) -> list[str]:
    return [label.strip() for label in text.split(",") if label.strip()]


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
        help="folder of storage, run state, keys and logs (default: .local)",
    )
    parser.add_argument(
        "--port",
        type=_port,
        help=f"port of the Functions host (default: {DEFAULT_PORT}; if that is taken, `run` and "
        "`demo` use a free one)",
    )


def _add_teacher_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the teacher: the local one, or one of your own")
    group.add_argument(
        "--teacher-url",
        metavar="URL",
        help="base URL of an OpenAI-compatible API to use instead of the local teacher, "
        "for example https://NAME.openai.azure.com/openai/v1",
    )
    group.add_argument("--teacher-model", metavar="NAME", help="its model or deployment name")
    group.add_argument(
        "--teacher-key",
        metavar="KEY",
        help="its API key. Prefer the variable TEACHER_API_KEY: other users can see command lines "
        "(ps), and the shell keeps them in its history",
    )
    group.add_argument(
        "--teacher-option",
        action="append",
        default=[],
        dest="teacher_options",
        metavar="NAME=VALUE",
        help=_option_help(
            "the local teacher", "rpm=600, error_rate=0.1, model=NAME:0.7", "teacher"
        ),
    )


def _add_service_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("fine-tuning: emulators of AzureML and Azure OpenAI")
    group.add_argument(
        "--azureml-option",
        action="append",
        default=[],
        dest="azureml_options",
        metavar="NAME=VALUE",
        help=_option_help("the AzureML emulator", "pace=60, fail_rate=0.5, seed=7", "azureml"),
    )
    group.add_argument(
        "--azureml-url", metavar="URL", help="a running AzureML emulator to use instead"
    )
    examples = "pace=60, status_path=queued,running,failed"
    group.add_argument(
        "--openai-option",
        action="append",
        default=[],
        dest="openai_options",
        metavar="NAME=VALUE",
        help=_option_help("the Azure OpenAI emulator", examples, "azure_openai"),
    )
    group.add_argument(
        "--openai-url",
        metavar="URL",
        help="another Azure OpenAI to fine-tune at, ending in /openai/v1, "
        "with its key in AZURE_OPENAI_API_KEY",
    )


def _option_help(owner: str, examples: str, module: str) -> str:
    return (
        f"option of {owner}, repeatable: {examples} "
        f"(all of them: python -m local.emulators.{module} --help)"
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


def _dataset(text: str) -> Path:
    """Accept a file that can be read, also an empty one, or a folder."""
    path = Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"{text} doesn't exist")
    if not path.is_file() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is neither a file nor a folder")
    if not os.access(path, os.R_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be read: check its permissions")
    return path


def _folder(text: str) -> Path:
    """Accept a folder that can be written to, or made."""
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
