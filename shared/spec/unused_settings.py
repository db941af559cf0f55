"""Settings that have no effect where rows bring their own answers (`answers.source: provided`).

A run would only seem to follow them, so they are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from pydantic import BaseModel

from shared.core.errors import Problem
from shared.spec.models import QualitySpec, TeacherSpec
from shared.tasks.prompt_spec import PromptSpec

NO_TEACHER = "is for a teacher, but answers.source is provided: remove it"
ONE_ANSWER = "needs several answers a row, but answers.source is provided: remove it"
# the settings of each section, and why they can't be used
UNUSED: dict[str, tuple[type[BaseModel], tuple[str, ...], str]] = {
    "teacher": (TeacherSpec, tuple(TeacherSpec.model_fields), NO_TEACHER),
    "prompt": (PromptSpec, ("teacher_system", "teacher_system_mode"), NO_TEACHER),
    "quality": (QualitySpec, ("samples", "min_agreement", "keep", "rationalise"), ONE_ANSWER),
}


def unused_settings(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the settings that a run with provided answers can't use. Defaults are no problem."""
    for section, (model, settings, problem) in UNUSED.items():
        values = data.get(section)
        if not isinstance(values, Mapping):
            continue
        changed = cast(Mapping[str, Any], values)
        for setting in settings:
            default = model.model_fields[setting].default
            if changed.get(setting, default) != default:
                yield {"where": f"{section}.{setting}", "problem": problem}
        if section == "quality" and changed.get("select") == "majority":
            yield {"where": "quality.select", "problem": ONE_ANSWER}
    if data.get("reuse") is not None:
        yield {"where": "reuse", "problem": NO_TEACHER}
