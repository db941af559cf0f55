"""What the peers' scripts share: arguments, a scratch folder, measuring, and the end after a time
limit.

A script gives `compete` a class: made untimed with its rows, then `generate` is timed. Standard
library alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

BEGUN = time.perf_counter()
MAX_TOKENS = 256

# No telemetry, nothing from the Hugging Face hub, no proxy between a peer and the teacher on this
# machine.
ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "NO_PROXY": "127.0.0.1,localhost",
    "OPENAI_API_KEY": "none",
}
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class Peer:
    """One run of a peer.

    `rows` are the input's, `folder` an empty one that is removed afterwards.
    """

    package: ClassVar[str]
    environment: ClassVar[dict[str, str]] = {}

    def __init__(
        self, arguments: argparse.Namespace, rows: list[dict[str, Any]], folder: Path
    ) -> None:
        self.arguments = arguments
        self.rows = rows
        self.folder = folder
        self.options: dict[str, Any] = json.loads(arguments.options)

    def generate(self) -> None:
        """Ask for every row. Timed."""
        raise NotImplementedError

    def answers(self) -> Iterable[tuple[str, str | None]]:
        """Identifier and text of what has been answered so far; also called from another thread
        when time is up.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """End the child processes, if there are any left."""


def compete(peer: type[Peer]) -> None:
    """Run the peer as the command line says, and print what was measured as one line of JSON."""
    arguments = _arguments()
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the peer prints is not ours
    scratch = Path(tempfile.mkdtemp(prefix="peer-"))
    _prepare_environment(scratch, peer.environment)
    rows = [
        json.loads(line)
        for line in arguments.input.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
    folder = scratch / "run"
    folder.mkdir()
    contender = peer(arguments, rows, folder)
    one_end = threading.Lock()
    cpu, begun = cpu_seconds(), time.perf_counter()

    def end(why: str | None) -> None:
        """Whoever comes first, the run or its time limit, reports and ends the process."""
        one_end.acquire()
        seconds = time.perf_counter() - begun
        contender.stop()
        used, peak = cpu_seconds() - cpu, peak_mb()
        delivered = {
            identifier: text for identifier, text in contender.answers() if text and text.strip()
        }
        with arguments.output.open("w", encoding="utf-8") as file:
            file.writelines(
                json.dumps({"id": key, "text": text}) + "\n" for key, text in delivered.items()
            )
        measured: dict[str, Any] = {
            "rows": len(rows),
            "answered": len(delivered),
            "seconds": round(seconds, 4),
        }
        measured |= {
            "total_seconds": round(time.perf_counter() - BEGUN, 4),
            "cpu_seconds": round(used, 4),
        }
        measured |= {"peak_mb": round(peak, 1), "version": metadata.version(peer.package)}
        print(json.dumps(measured | ({"failure": why} if why else {})), file=results, flush=True)
        shutil.rmtree(scratch, ignore_errors=True)
        os._exit(0)  # threads and locks of a peer that was cut short would hold up an ordinary exit

    def terminated(number: int, frame: FrameType | None) -> None:
        end("terminated")

    signal.signal(signal.SIGTERM, terminated)
    os.register_at_fork(after_in_child=_die_of_sigterm)
    limit = threading.Timer(arguments.timeout, end, [f"not done within {arguments.timeout:g} s"])
    limit.daemon = True
    limit.start()
    why = None
    try:
        contender.generate()
    except Exception as error:
        traceback.print_exc()
        why = f"{type(error).__name__}: {error}"[:300]
    end(why)


def cpu_seconds() -> float:
    """Processor time of this process and of those of its children that it has waited for."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in both)


def peak_mb() -> float:
    """Peak memory of the largest process."""
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return (
        max(
            resource.getrusage(who).ru_maxrss
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        / unit
    )


def read_lines(file: Path) -> Iterable[dict[str, Any]]:
    """Its lines as far as they are whole: another thread may be writing."""
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            yield json.loads(line)


def _die_of_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _arguments() -> argparse.Namespace:
    flags = argparse.ArgumentParser()
    flags.add_argument("--base-url", required=True)
    flags.add_argument("--model", required=True)
    flags.add_argument("--input", type=Path, required=True)
    flags.add_argument("--concurrency", type=int, default=64)
    flags.add_argument("--output", type=Path, required=True)
    flags.add_argument("--options", default="{}", help="JSON; see the class for the names")
    flags.add_argument(
        "--timeout", type=float, default=600, help="seconds after which it reports what it has"
    )
    return flags.parse_args()


def _prepare_environment(scratch: Path, extra: dict[str, str]) -> None:
    """Before the peer is imported: its caches, and the home folder it may write to, are new and
    empty.
    """
    for name in PROXIES:
        for spelling in (name, name.lower()):
            os.environ.pop(spelling, None)
    places = {name: str(scratch) for name in ("HOME", "XDG_CACHE_HOME", "HF_HOME", "TMPDIR")}
    os.environ.update({**places, **ENVIRONMENT, **extra})
    tempfile.tempdir = None  # read again
