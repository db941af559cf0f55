"""Which Python runs the app: finds the interpreters on this machine and chooses one that works.

`SUPPORTED` lists the versions that the whole app is tested on. A newer Python may lack packages
or find them without wheels, so it is named as the cause before pip can blame the package index.
Any Python from 3.7 on reads this module, and may find a supported one with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Iterator, NamedTuple, NoReturn, Sequence  # noqa: UP035 (for Python 3.7)

from local.bootstrap import ROOT

SUPPORTED = ((3, 11), (3, 12), (3, 13))
PROBE_SECONDS = 20.0
# The base interpreter is named, as an environment must not be made from another environment.
PROBE = (
    "import sys, ensurepip, ssl, venv; "
    "print('%d.%d' % sys.version_info[:2], getattr(sys, '_base_executable', sys.executable))"
)


class Interpreter(NamedTuple):
    """A Python that starts and can make virtual environments. `version` is (3, minor)."""

    version: tuple[int, ...]
    path: str

    @property
    def is_supported(self) -> bool:
        return self.version in SUPPORTED


def supported_versions() -> str:
    """Return the supported versions in words: `3.11, 3.12 and 3.13`."""
    names = [version_name(version) for version in SUPPORTED]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def version_name(version: tuple[int, ...]) -> str:
    """Return `3.12` for (3, 12)."""
    return ".".join(map(str, version[:2]))


def base_python() -> str:
    """Return the interpreter behind the current one, which may run in a virtual environment."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def leave_unsupported_python(arguments: Sequence[str], module: str = "local") -> None:
    """Continue in a supported Python if this one isn't. Exits if the machine has none."""
    if sys.version_info[:2] in SUPPORTED:
        return
    this_python = f"Python {version_name(sys.version_info[:2])}"
    interpreter = next(_usable_interpreters(), None)
    if interpreter is None:
        example = "local demo" if module == "local" else f"{module} --help"
        sys.exit(
            f"This app runs on Python {supported_versions()}, and this is {this_python} "
            f"({sys.executable}).\nNo other one was found: install one of these versions and run "
            f"the command with it, for example: python{version_name(SUPPORTED[-1])} -m {example}"
        )
    print(
        f"This app runs on Python {supported_versions()}, not {this_python}: "
        f"using {interpreter.path} ({version_name(interpreter.version)}).",
        file=sys.stderr,
        flush=True,
    )
    replace_process([interpreter.path, "-m", module, *arguments])


def replace_process(command: Sequence[str]) -> NoReturn:
    """Run a command in place of this process."""
    os.execv(command[0], list(command))  # noqa: S606 (no shell is wanted)


def choose_interpreter() -> str:
    """Return the Python to make an environment with: the current one, or another that works.

    If none works, the current one is returned: its failure says what it lacks.
    """
    current = probe(base_python())
    if current is not None and current.is_supported:
        return current.path
    other = next(_usable_interpreters(), None)
    if other is None:
        return base_python()
    print(f"{base_python()} can't make virtual environments: using {other.path}.", flush=True)
    return other.path


def find_interpreters() -> dict[str, Interpreter]:
    """Return one working interpreter for each supported version on this machine, by `3.12`."""
    by_version: dict[str, Interpreter] = {}
    for interpreter in _usable_interpreters():
        by_version.setdefault(version_name(interpreter.version), interpreter)
    return {name: by_version[name] for name in map(version_name, SUPPORTED) if name in by_version}


def probe(path: str) -> Interpreter | None:
    """Return the interpreter at a path, or None if it doesn't start or lacks venv or ssl."""
    try:
        answer = subprocess.run(
            [path, "-I", "-c", PROBE],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
            timeout=PROBE_SECONDS,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    version, _, base = answer.strip().partition(" ")
    return Interpreter(tuple(int(part) for part in version.split(".")), base)


def _usable_interpreters() -> Iterator[Interpreter]:
    for path in _candidates():
        interpreter = probe(path)
        if interpreter is not None and interpreter.is_supported:
            yield interpreter


def _candidates() -> Iterator[str]:
    """Yield each path that may be a supported Python once: ours, those on PATH, pyenv's, uv's.

    A name on PATH may be a pyenv shim that fails, so later folders are searched too.
    """
    paths = [Path(base_python()), ROOT / ".venv" / "bin" / "python"]
    folders = [Path(folder) for folder in os.get_exec_path()]
    names = [f"python{version_name(version)}" for version in reversed(SUPPORTED)]
    paths += [folder / name for name in (*names, "python3") for folder in folders]
    pyenv = Path(os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv")))
    for name in names:
        version = name[len("python") :]
        paths += sorted((pyenv / "versions").glob(f"{version}.*/bin/{name}"), reverse=True)
        uv = Path.home() / ".local" / "share" / "uv" / "python"
        paths += sorted(uv.glob(f"cpython-{version}*/bin/{name}"), reverse=True)
    seen: set[str] = set()
    for path in paths:
        if str(path) not in seen and path.exists():
            seen.add(str(path))
            yield str(path)
