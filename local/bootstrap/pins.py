"""Whether the pinned requirement files still are what `pyproject.toml` asks for. Needs no network."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

APP = Path("requirements.txt")
LOCAL = Path("local/requirements.txt")
REMEDY = "compile them again (CONTRIBUTING.md says how)"


def check_pins(root: Path) -> list[str]:
    """What does not fit: each direct dependency pinned inside its range, and the app's pins the same in both files."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    app_wants: list[str] = project["dependencies"]
    local_wants = [
        *app_wants,
        *(wanted for extra in project["optional-dependencies"].values() for wanted in extra),
    ]
    app, app_problems = read_pins(root, APP)
    local, local_problems = read_pins(root, LOCAL)
    problems = [*app_problems, *local_problems]
    problems += _unmet(app_wants, app, APP) + _unmet(local_wants, local, LOCAL)
    for name, version in app.items():
        if local.get(name) != version:
            problems.append(
                f"{name} is {version} in {APP} and {local.get(name, 'absent')} in {LOCAL}"
            )
    return problems


def read_pins(root: Path, file: Path) -> tuple[dict[str, str], list[str]]:
    """Version by package name, and the lines that are no exact pins."""
    pins: dict[str, str] = {}
    problems: list[str] = []
    for number, line in enumerate((root / file).read_text(encoding="utf-8").splitlines(), start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        pin = _exact_pin(text)
        if pin is None:
            problems.append(f"{file}:{number}: {text!r} is not an exact pin (name==version)")
        else:
            pins[pin[0]] = pin[1]
    return pins, problems


def _exact_pin(text: str) -> tuple[str, str] | None:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    specifiers = list(requirement.specifier)
    if len(specifiers) != 1 or specifiers[0].operator != "==" or "*" in specifiers[0].version:
        return None
    return canonicalize_name(requirement.name), specifiers[0].version


def _unmet(wanted: list[str], pins: dict[str, str], file: Path) -> list[str]:
    problems: list[str] = []
    for requirement in map(Requirement, wanted):
        version = pins.get(canonicalize_name(requirement.name))
        if version is None:
            problems.append(f"{requirement.name} is in pyproject.toml but not in {file}")
        elif not requirement.specifier.contains(version, prereleases=True):
            problems.append(
                f"{requirement.name}=={version} in {file} is outside {requirement.specifier} of pyproject.toml"
            )
    return problems
