"""The base of every section of the run specification: unknown keys are errors, values are never
coerced.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the run specification."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
