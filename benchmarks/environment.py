"""Virtual environments for the peers that the benchmark measures beside this app: one each, as
their pins conflict.

`peer_python("curator")` makes `.local/benchmarks/curator` from `benchmarks/peers-curator.txt`, or
brings it up to date, and returns its interpreter: the same one as the project's, so that all
contenders run on one Python. `python -m benchmarks.environment` makes them all. The `.txt` files
are compiled from the `.in` files as CONTRIBUTING.md says.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from pathlib import Path

from local.bootstrap import ROOT
from local.bootstrap.environment import Environment
from local.bootstrap.interpreters import base_python
from local.runtime.locks import FileLock

PEERS = ("curator", "distilabel")
ENVIRONMENTS = ROOT / ".local" / "benchmarks"
SHOWN_LINES = 15


class InstallFailed(RuntimeError):
    """uv failed. The message shows the end of its output."""


def peer_python(peer: str) -> Path:
    """Path of the peer's interpreter, with its pins installed.

    Of several processes at once, one installs and the others wait.
    """
    folder = ENVIRONMENTS / peer
    pins = ROOT / "benchmarks" / f"peers-{peer}.txt"
    python = folder / ("bin/python" if os.name == "posix" else "Scripts/python.exe")
    stamp = folder / "benchmark-stamp"  # written last, so that it proves a finished installation
    fingerprint = _fingerprint(pins, folder)
    with FileLock(ENVIRONMENTS / f"{peer}.lock"):
        if not (
            python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == fingerprint
        ):
            _uv(
                "venv", "--quiet", "--clear", "--no-project", "--python", base_python(), str(folder)
            )
            # compiled, as otherwise every run would compile thousands of modules where bytecode
            # isn't written
            _uv("pip", "sync", "--quiet", "--compile-bytecode", "--python", str(python), str(pins))
            stamp.write_text(fingerprint, encoding="utf-8")
    return python


def _fingerprint(pins: Path, folder: Path) -> str:
    """What an environment is made from: it is of no use after a move or under another Python."""
    digest = hashlib.sha256(pins.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
    return f"{digest} {platform.python_version()} {folder}"


def _uv(*arguments: str) -> None:
    command = [str(Environment(ROOT).programs / "uv"), *arguments]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        end = "\n".join(f"    {line}" for line in done.stdout.splitlines()[-SHOWN_LINES:])
        raise InstallFailed(
            f"`{' '.join(command)}` failed with exit code {done.returncode}:\n{end}"
        )


def main() -> None:
    for peer in PEERS:
        print(f"{peer}: {peer_python(peer)}")


if __name__ == "__main__":
    main()
