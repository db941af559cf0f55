"""`python -m local.emulators.teacher`: serve until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from local.emulators.teacher.options import ANSWER_FAULTS, REQUEST_FAULTS, TeacherOptions
from local.emulators.teacher.server import serve
from local.runtime.lifeline import run_server, told_to_stop

KEY_VARIABLE = "LOCAL_TEACHER_KEY"
FAULT_HELP = {
    "error": "answers 500, 502 or 503",
    "throttle": "stray 429 with retry-after",
    "hang": "never answers",
    "reset": "resets the connection",
    "content_filter": "content filter: half on the prompt (400), half on the answer (finish_reason)",
    "malformed": "prose, broken JSON, an unknown label, or code fences",
    "truncated": "half an answer, finish_reason length",
    "empty": "no text at all",
    "refused": "refusal field or refusal text",
    "wrong": "well-formed, but not right",
}


def parser() -> argparse.ArgumentParser:
    """Every flag, with its unit."""
    flags = argparse.ArgumentParser(
        prog="python -m local.emulators.teacher",
        description="OpenAI-compatible teacher that solves the sample tasks by rules.",
    )
    flags.add_argument(
        "--port",
        type=int,
        required=True,
        help="port on 127.0.0.1; 0 takes a free one and prints it",
    )
    flags.add_argument("--seed", type=int, default=0, help="of the fault lottery")
    flags.add_argument("--model", default="local-teacher", help="model name to serve")
    flags.add_argument(
        "--api-key-file",
        type=Path,
        help=f"key to demand; else {KEY_VARIABLE}; else any key will do",
    )
    flags.add_argument("--latency-ms", type=float, default=0, help="before each answer")
    flags.add_argument("--latency-jitter", type=float, default=0, help="milliseconds added at most")
    flags.add_argument("--rpm", type=int, help="requests a minute")
    flags.add_argument("--tpm", type=int, help="tokens a minute, charged on arrival")
    flags.add_argument(
        "--no-ratelimit-headers",
        action="store_true",
        help="leave out x-ratelimit-remaining-requests etc.",
    )
    flags.add_argument(
        "--retry-after-seconds-only", action="store_true", help="leave out retry-after-ms"
    )
    flags.add_argument(
        "--reject",
        metavar="TEXT",
        help="answer 400, each time, to requests whose messages contain it",
    )
    for fault in (*REQUEST_FAULTS, *ANSWER_FAULTS):
        name = fault.replace("_", "-")
        flags.add_argument(
            f"--{name}-rate",
            type=float,
            default=0,
            metavar="P",
            help=f"0 to 1: {FAULT_HELP[fault]}",
        )
    flags.add_argument(
        "--log", type=Path, help="append one JSON line a chat request: no texts, no keys"
    )
    flags.add_argument("--lifeline", action="store_true", help="end when standard input ends")
    return flags


def options(arguments: argparse.Namespace) -> TeacherOptions:
    """Options from the flags. Raises ValueError for values out of range, OSError for an unreadable key file."""
    own = {"port", "lifeline", "api_key_file"}
    values = {name: value for name, value in vars(arguments).items() if name not in own}
    key = (
        arguments.api_key_file.read_text().strip()
        if arguments.api_key_file
        else os.environ.get(KEY_VARIABLE) or None
    )
    return TeacherOptions(**values, api_key=key)


async def run(chosen: TeacherOptions, port: int) -> None:
    """Serve until a signal says stop."""
    stop = told_to_stop()
    async with serve(chosen, port=port) as teacher:
        print(f"teacher {chosen.model} at {teacher.base_url}", flush=True)
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    flags = parser()
    given = flags.parse_args(arguments)
    try:
        chosen = options(given)
    except (ValueError, OSError) as error:
        flags.error(str(error))
    return run_server(run(chosen, given.port), port=given.port, lifeline=given.lifeline)


if __name__ == "__main__":
    sys.exit(main())
