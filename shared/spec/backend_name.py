"""The name of a fine-tuning backend as a field of the specification."""

from __future__ import annotations

from typing import Annotated

from shared.core.registered_name import RegisteredName
from shared.students.backends import BACKENDS

BackendName = Annotated[str, RegisteredName(BACKENDS)]


def backends_in_words() -> str:
    """Return each backend with its description, for the schema of the specification."""
    return "; ".join(f"`{name}`: {each.description}" for name, each in BACKENDS.items())
