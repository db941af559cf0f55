"""`python -m local.emulators.teacher`: serve until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from local.emulators.service import run_command, usual_flags
from local.emulators.teacher.answer_key import AnswerKey
from local.emulators.teacher.options import ANSWER_FAULTS, REQUEST_FAULTS, TeacherOptions
from local.emulators.teacher.server import serve
from local.runtime.lifeline import told_to_stop

KEY_VARIABLE = "LOCAL_TEACHER_KEY"
FAULT_HELP = {
    "error": "answers 500, 502 or 503",
    "throttle": "answers 429 with retry-after, whatever the limits",
    "hang": "never answers",
    "reset": "resets the connection",
    "content_filter": "half on the prompt (400), half on the answer (finish_reason)",
    "malformed": "prose, broken JSON, a borderline case, or code fences",
    "truncated": "half an answer, finish_reason length",
    "empty": "no text at all",
    "refused": "refusal field or refusal text",
    "wrong": "well-formed, but not right",
}


def parser() -> argparse.ArgumentParser:
    """Return every flag, with its unit."""
    flags = usual_flags("teacher", "OpenAI-compatible teacher that answers from keys.")
    flags.add_argument(
        "--model",
        type=_skill,
        action="append",
        default=[],
        dest="skills",
        metavar="NAME[:SKILL]",
        help="serve this model, too; 0 to 1: its probability of a right answer (default 1)",
    )
    flags.add_argument(
        "--key",
        type=Path,
        action="append",
        default=[],
        dest="keys",
        metavar="FILE",
        help="answer key, JSON Lines of chats with answers (those of the samples are built in)",
    )
    key_help = f"file of the API key to demand; else {KEY_VARIABLE}; else any key will do"
    flags.add_argument("--api-key-file", type=Path, help=key_help)
    flags.add_argument("--latency-ms", type=float, default=0, help="before each answer")
    flags.add_argument("--latency-jitter", type=float, default=0, help="milliseconds added at most")
    flags.add_argument("--rpm", type=int, help="requests a minute")
    flags.add_argument("--tpm", type=int, help="tokens a minute, charged on arrival")
    headers_help = "leave out x-ratelimit-remaining-requests etc."
    flags.add_argument("--no-ratelimit-headers", action="store_true", help=headers_help)
    seconds_help = "leave out retry-after-ms"
    flags.add_argument("--retry-after-seconds-only", action="store_true", help=seconds_help)
    reject_help = "always answer 400 to requests whose messages contain this text"
    flags.add_argument("--reject", metavar="TEXT", help=reject_help)
    for fault in (*REQUEST_FAULTS, *ANSWER_FAULTS):
        flag = f"--{fault.replace('_', '-')}-rate"
        help_text = f"0 to 1: {FAULT_HELP[fault]}"
        flags.add_argument(flag, type=float, default=0, metavar="P", help=help_text)
    log_help = "append one JSON line for each chat request: no texts, no keys"
    flags.add_argument("--log", type=Path, help=log_help)
    return flags


def _skill(text: str) -> tuple[str, float]:
    """Parse NAME or NAME:SKILL; a name may contain colons itself."""
    name, colon, skill = text.rpartition(":")
    if colon:
        try:
            return name, float(skill)
        except ValueError:
            pass  # the colon belongs to the name
    return text, 1.0


def options(arguments: argparse.Namespace) -> TeacherOptions:
    """Return the options. Raises ValueError for values out of range, OSError for a missing file."""
    values = dict(vars(arguments))
    for name in ("port", "lifeline"):
        del values[name]
    values["skills"] = dict(arguments.skills)
    values["keys"] = tuple(arguments.keys)
    AnswerKey(arguments.keys)  # raises for a bad file before anything is served
    key_file: Path | None = values.pop("api_key_file")
    from_environment = os.environ.get(KEY_VARIABLE) or None
    key = key_file.read_text().strip() if key_file else from_environment
    return TeacherOptions(**values, api_key=key)


async def run(chosen: TeacherOptions, arguments: argparse.Namespace) -> None:
    """Serve until a signal says stop."""
    stop = told_to_stop()
    async with serve(chosen, port=arguments.port) as teacher:
        print(f"teacher {', '.join(chosen.models)} at {teacher.base_url}", flush=True)
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(parser(), arguments, options, run)


if __name__ == "__main__":
    sys.exit(main())
