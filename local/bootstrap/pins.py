"""Whether the pinned requirement files still fit `pyproject.toml`. Needs no network."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from local.bootstrap.interpreters import SUPPORTED, version_name

APP = Path("requirements.txt")
LOCAL = Path("local/requirements.txt")
ADVICE = "compile them again (CONTRIBUTING.md says how)"


@dataclass(frozen=True, slots=True)
class Pins:
    """One file of pins: `requirements` are its exact ones, `problems` its other lines."""

    requirements: list[Requirement] = field(default_factory=list[Requirement])
    problems: list[str] = field(default_factory=list[str])

    def versions(self, python: str) -> dict[str, str]:
        """Return the pinned version of each package that a Python such as 3.12 installs."""
        return {
            canonicalize_name(pin.name): next(iter(pin.specifier)).version
            for pin in self.requirements
            if applies(pin, python)
        }


def check_pins(root: Path) -> list[str]:
    """Return what does not fit on any supported Python, one sentence each.

    Each direct dependency must be pinned inside its range, and the app's pins must be the same in
    both files.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for_app = [Requirement(text) for text in project["dependencies"]]
    for_local = list(for_app)
    for extra in project["optional-dependencies"].values():
        for_local += [Requirement(text) for text in extra]
    app = read_pins(root, APP)
    local = read_pins(root, LOCAL)
    problems = [*app.problems, *local.problems]
    for python in map(version_name, SUPPORTED):
        app_versions = app.versions(python)
        local_versions = local.versions(python)
        problems += _unmet(for_app, app_versions, APP, python)
        problems += _unmet(for_local, local_versions, LOCAL, python)
        problems += _differences(app_versions, local_versions)
    return list(dict.fromkeys(problems))


def read_pins(root: Path, file: Path) -> Pins:
    """Read one file; every line must be an exact pin, a comment or blank."""
    pins = Pins()
    for number, line in enumerate((root / file).read_text(encoding="utf-8").splitlines(), start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        pin = _exact_pin(text)
        if pin is None:
            problem = f"{file}:{number}: {text!r} is not an exact pin (name==version)"
            pins.problems.append(problem)
        else:
            pins.requirements.append(pin)
    return pins


def applies(requirement: Requirement, python: str) -> bool:
    """Whether a Python such as 3.12 installs it on this platform."""
    marker = requirement.marker
    python_full = f"{python}.0"
    return marker is None or marker.evaluate(
        {"python_version": python, "python_full_version": python_full, "extra": ""}
    )


def _exact_pin(text: str) -> Requirement | None:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    specifiers = list(requirement.specifier)
    if len(specifiers) != 1 or specifiers[0].operator != "==" or "*" in specifiers[0].version:
        return None
    return requirement


def _unmet(
    requirements: Iterable[Requirement], versions: dict[str, str], file: Path, python: str
) -> list[str]:
    problems: list[str] = []
    for requirement in requirements:
        if not applies(requirement, python):
            continue
        version = versions.get(canonicalize_name(requirement.name))
        if version is None:
            problems.append(f"{requirement.name} is in pyproject.toml but not in {file}")
        elif not requirement.specifier.contains(version, prereleases=True):
            problems.append(
                f"{requirement.name}=={version} in {file} is outside {requirement.specifier} "
                "of pyproject.toml"
            )
    return problems


def _differences(app: dict[str, str], local: dict[str, str]) -> list[str]:
    return [
        f"{name} is {version} in {APP} and {local.get(name, 'absent')} in {LOCAL}"
        for name, version in app.items()
        if local.get(name) != version
    ]
