"""The virtual environment of a checkout, and what it needs, as told by its stamp.

The stamp is written last, so it proves a finished installation. It holds what the environment was
made from (hashes of the pins, the Python version, the folder) and the names in site-packages, so
that a removed or changed package shows without asking pip.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from local.bootstrap.interpreters import SUPPORTED

PRINT_VERSION = "import sys; print('%d.%d.%d' % sys.version_info[:3])"


@dataclass(frozen=True, slots=True)
class Repair:
    """What an environment needs: to be made anew (`rebuild`), or packages installed over it."""

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
        """Return None if the file is missing or isn't a stamp."""
        try:
            data: dict[str, Any] = json.loads(path.read_text())
            packages = tuple(map(str, data.pop("packages")))
            return cls(packages=packages, **data)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def write(self, path: Path) -> None:
        """Write the stamp whole or not at all."""
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self), indent=1))
        draft.replace(path)


class Environment:
    """An environment of a checkout, and the files it is made from.

    `version` such as "3.12" is one of its own for that Python (`.venv-3.12`). Without it, it is
    the one that this process runs in, or `.venv`.
    """

    def __init__(self, root: Path, version: str | None = None) -> None:
        self.root = root
        self.folder = root / f".venv-{version}" if version else _current_folder(root)
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
        return self.folder / "bin"

    @property
    def python(self) -> Path:
        return self.programs / "python"

    def is_current(self) -> bool:
        """Whether this process runs in it."""
        return Path(sys.prefix).resolve() == self.folder.resolve()

    def repair(self) -> Repair | None:
        """Return what it needs, or None if it is complete and up to date."""
        if not self.folder.exists():
            return Repair("there is no environment yet", rebuild=True)
        if self.unfinished.exists():
            return Repair("an earlier installation was not finished", rebuild=True)
        python = self.python_version()
        if python is None:
            return Repair("its Python interpreter does not start", rebuild=True)
        if not _is_supported(python):
            return Repair(f"its Python {python} isn't supported", rebuild=True)
        stamp = Stamp.read(self.stamp)
        if stamp is None:
            return Repair("it was not made by this command", rebuild=not self._has_pip())
        return self._difference(stamp, python)

    def current_stamp(self) -> Stamp:
        """Return the stamp of the environment as it is now."""
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
        """Return its Python's version, such as `3.11.7`; None if it cannot be started."""
        if self.is_current():
            return "{}.{}.{}".format(*sys.version_info[:3])
        try:
            answer = subprocess.run(
                [self.python, "-I", "-S", "-c", PRINT_VERSION],
                capture_output=True,
                text=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        return answer.stdout.strip()

    def _difference(self, stamp: Stamp, python: str) -> Repair | None:
        if stamp.folder != str(self.folder):
            reason = f"it was made for {stamp.folder}, and does not work after a move"
            return Repair(reason, rebuild=True)
        if stamp.python != python:
            reason = f"it was made with Python {stamp.python}, which is now {python}"
            return Repair(reason, rebuild=True)
        missing = sorted(set(stamp.packages) - self._packages())
        if missing:
            return Repair(f"{missing[0]} was removed or changed in it", rebuild=True)
        if stamp.requirements != _digest(self.requirements):
            return Repair("local/requirements.txt has changed", rebuild=False)
        if stamp.azurite != _digest(*self.azurite_pins) or not self._has_azurite():
            return Repair("Azurite's pins have changed", rebuild=False)
        return None

    def _packages(self) -> set[str]:
        """Return the names in site-packages, without pip's: anyone may upgrade that."""
        names: set[str] = set()
        for folder in self.folder.glob("lib/python*/site-packages"):
            names |= {entry.name for entry in folder.iterdir()}
        return {name for name in names if not name.startswith(("pip", "__pycache__"))}

    def _has_azurite(self) -> bool:
        return (self.azurite / "node_modules" / "azurite").exists()

    def _has_pip(self) -> bool:
        return any(self.programs.glob("pip*"))


def _current_folder(root: Path) -> Path:
    """Return the environment that this process runs in if it is one of this checkout."""
    current = Path(sys.prefix)
    is_versioned = current.name.startswith(".venv-") and current.parent.resolve() == root.resolve()
    return root / current.name if is_versioned else root / ".venv"


def _is_supported(version: str) -> bool:
    return tuple(int(part) for part in version.split(".")[:2]) in SUPPORTED


def _digest(*files: Path) -> str:
    """Return a SHA-256 of the files' text, whatever line endings the checkout has."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
        digest.update(b"\0")
    return digest.hexdigest()
