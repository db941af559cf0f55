"""Opens the fine-tuning backend that a student names; `shared/students/backends.py` lists them."""

from __future__ import annotations

from importlib import import_module

from shared.core.errors import InvalidInput, Problem, SettingsError
from shared.core.settings import SETTINGS, Settings
from shared.finetuning.base import FineTuningBackend
from shared.finetuning.redacting import RedactingBackend
from shared.students.backends import BACKENDS, BackendDescriptor


def get_backend(name: str | None, settings: Settings) -> FineTuningBackend:
    """Return the backend of this name.

    Raises InvalidInput for an unknown name, and SettingsError when the backend isn't configured.
    """
    if name is None or name not in BACKENDS:
        raise InvalidInput(
            f"{name!r} is not a fine-tuning backend: use one of {', '.join(BACKENDS)}"
        )
    descriptor = BACKENDS[name]
    _check_app_settings(descriptor, settings)
    return RedactingBackend(import_module(descriptor.module).open_backend(settings))


def _check_app_settings(descriptor: BackendDescriptor, settings: Settings) -> None:
    missing = [name for name in descriptor.app_settings if not getattr(settings, name.lower())]
    if not missing:
        return
    problems: list[Problem] = [
        {"where": name, "problem": f"is missing: set it to the {SETTINGS[name][1]}"}
        for name in missing
    ]
    needed = ", ".join(descriptor.app_settings)
    raise SettingsError(
        f"the student is fine-tuned by {descriptor.service}, which needs {needed}",
        details=problems,
    )
