"""`python -m local.emulators.teacher`: serve until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from local.emulators.options import options_parser, parsed, run_command
from local.emulators.teacher.answer_key import AnswerKey
from local.emulators.teacher.options import TeacherOptions
from local.emulators.teacher.server import serve
from local.runtime.lifeline import told_to_stop


def parser() -> argparse.ArgumentParser:
    """Return every flag, with its unit."""
    description = "OpenAI-compatible teacher that answers from keys."
    flags = options_parser("teacher", description, TeacherOptions)
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
    key_help = "file of the API key to demand (default: any key will do)"
    flags.add_argument("--api-key-file", type=Path, help=key_help)
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
    """Return the options. Raises ValueError for bad values and keys, OSError for a missing file."""
    AnswerKey(arguments.keys)  # raises for a bad file before anything is served
    key_file: Path | None = arguments.api_key_file
    return parsed(
        TeacherOptions,
        arguments,
        skills=dict(arguments.skills),
        keys=tuple(arguments.keys),
        api_key=key_file.read_text().strip() if key_file else None,
    )


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
