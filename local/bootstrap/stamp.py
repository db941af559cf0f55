"""What state the virtual environment is in, told from its stamp: a file written last, so that it proves a finished install.

The stamp holds what the environment was made from (hashes of the pins, the Python version, the folder) and the names that
were in site-packages then, so that a removed or changed package shows without asking pip.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

IDENTITY = "import sys; print('%d.%d.%d' % sys.version_info[:3])"


@dataclass(frozen=True, slots=True)
class Repair:
    """What the environment needs. `rebuild` starts from an empty folder; otherwise packages are installed over it."""

    reason: str
    rebuild: bool


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a finished environment was made from."""

    folder: str
    python: str
    requirements: str
    azurite: str
    packages: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """None when there is no stamp, or not one of ours."""
        try:
            data: dict[str, Any] = json.loads(path.read_text())
            packages = tuple(map(str, data.pop("packages")))
            return cls(packages=packages, **data)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def write(self, path: Path) -> None:
        """Whole or not at all."""
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self), indent=1))
        draft.replace(path)


class Environment:
    """The virtual environment of a checkout, and the files it is made from."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.azurite = self.folder / "azurite"
        self.requirements = root / "local" / "requirements.txt"
        self.azurite_pins = tuple(
            root / "local" / "emulators" / "azurite" / name
            for name in ("package.json", "package-lock.json")
        )
        self.stamp = self.folder / "local-stamp.json"
        self.unfinished = self.folder / "local-unfinished"
        self.lock = root / ".local" / "install.lock"
        self.log = root / ".local" / "install.log"

    @property
    def programs(self) -> Path:
        return self.folder / ("bin" if os.name == "posix" else "Scripts")

    @property
    def python(self) -> Path:
        return self.programs / ("python" if os.name == "posix" else "python.exe")

    def is_current(self) -> bool:
        """Whether this very process runs in it."""
        return Path(sys.prefix).resolve() == self.folder.resolve()

    def repair(self) -> Repair | None:
        """What it needs; None when it is complete and up to date."""
        if not self.folder.exists():
            return Repair("there is no environment yet", rebuild=True)
        if self.unfinished.exists():
            return Repair("an earlier installation was not finished", rebuild=True)
        python = self.python_version()
        if python is None:
            return Repair("its Python interpreter does not start", rebuild=True)
        stamp = Stamp.read(self.stamp)
        if stamp is None:
            old = _older_than_3_11(python)
            return Repair("it was not made by this command", rebuild=old or not self._has_pip())
        return self._difference(stamp, python)

    def current_stamp(self) -> Stamp:
        """The stamp of the environment as it is now."""
        python = self.python_version()
        if python is None:
            raise RuntimeError(f"{self.python} does not start")
        return Stamp(
            folder=str(self.folder),
            python=python,
            requirements=_digest(self.requirements),
            azurite=_digest(*self.azurite_pins),
            packages=tuple(sorted(self._packages())),
        )

    def python_version(self) -> str | None:
        """Version of its interpreter, such as `3.11.7`; None when that cannot be started."""
        if self.is_current():
            return "{}.{}.{}".format(*sys.version_info[:3])
        try:
            answer = subprocess.run(
                [self.python, "-I", "-S", "-c", IDENTITY],
                capture_output=True,
                text=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        return answer.stdout.strip()

    def _difference(self, stamp: Stamp, python: str) -> Repair | None:
        if stamp.folder != str(self.folder):
            return Repair(
                f"it was made for {stamp.folder}, and does not work after a move", rebuild=True
            )
        if stamp.python != python:
            return Repair(
                f"it was made with Python {stamp.python}, which is now {python}", rebuild=True
            )
        missing = sorted(set(stamp.packages) - self._packages())
        if missing:
            return Repair(f"{missing[0]} was removed or changed in it", rebuild=True)
        if stamp.requirements != _digest(self.requirements):
            return Repair("local/requirements.txt has changed", rebuild=False)
        if (
            stamp.azurite != _digest(*self.azurite_pins)
            or not (self.azurite / "node_modules" / "azurite").exists()
        ):
            return Repair("Azurite's pins have changed", rebuild=False)
        return None

    def _packages(self) -> set[str]:
        """Names in site-packages, without pip's own: that may be upgraded by anyone."""
        found: set[str] = set()
        for folder in (
            *self.folder.glob("lib/python*/site-packages"),
            *self.folder.glob("Lib/site-packages"),
        ):
            found |= {
                entry.name
                for entry in folder.iterdir()
                if not entry.name.startswith(("pip", "__pycache__"))
            }
        return found

    def _has_pip(self) -> bool:
        return any(self.programs.glob("pip*"))


def _older_than_3_11(version: str) -> bool:
    return tuple(int(part) for part in version.split(".")[:2]) < (3, 11)


def _digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
        digest.update(b"\0")
    return digest.hexdigest()
