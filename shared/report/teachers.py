"""Which teacher answered the accepted rows, asked in which way.

Rows of an earlier round keep its teacher, and a service may answer with another model under the
same name. Each round's settings are in a small document of their own, because `run.json` holds
those of the last round.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field, JsonValue

from shared.core.counters import Counters, total
from shared.core.paths import RunPaths
from shared.generation.cache_key import CLIENT_SETTINGS
from shared.spec.models import RunSpec
from shared.tasks import PROMPT_VERSION

if TYPE_CHECKING:
    from shared.core.storage import Storage

STUDENT_SETTINGS = {"student_learns", "student_system", "student_system_mode"}


class TeacherSettings(BaseModel):
    """How a round asks its teacher: what the answers depend on."""

    requested: str | None = Field(default=None, description="the model that was asked for")
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict[str, JsonValue],
        description="settings of `teacher` and `prompt` that decide what is asked, but defaults",
    )
    prompt_version: str = Field(
        default=PROMPT_VERSION, description="of the instructions that were added"
    )


class TeacherRows(TeacherSettings):
    """A teacher and the rows that it answered."""

    model: str = Field(description="as its replies name it; the one asked for, if they don't")
    rows: int = Field(description="accepted rows of all splits")


def settings_of(spec: RunSpec) -> TeacherSettings:
    """Return how a run asks its teacher now."""
    parameters = spec.teacher.model_dump(
        mode="json", exclude_defaults=True, exclude=CLIENT_SETTINGS | {"model"}
    )
    parameters |= spec.prompt.model_dump(
        mode="json", exclude_defaults=True, exclude=STUDENT_SETTINGS
    )
    return TeacherSettings(requested=spec.teacher.model, parameters=parameters)


async def write_settings(storage: Storage, paths: RunPaths, spec: RunSpec, round_: int) -> None:
    """Write the settings of a round, for the report."""
    document = settings_of(spec).model_dump_json(indent=1).encode()
    await storage.write(paths.teacher(round_), document)


async def read_teachers(
    storage: Storage, paths: RunPaths, counters: Iterable[Counters]
) -> list[TeacherRows]:
    """Return each teacher with its accepted rows, those with most rows first."""
    counts: Counter[str] = Counter()
    for round_, model, rows in total(counters).accepted_by_teacher():
        settings = TeacherSettings.model_validate(await storage.read_json(paths.teacher(round_)))
        name = model or settings.requested or "unnamed"
        teacher = TeacherRows(**settings.model_dump(), model=name, rows=0)
        counts[teacher.model_dump_json()] += rows
    teachers: list[TeacherRows] = []
    for document, rows in counts.most_common():
        teacher = TeacherRows.model_validate_json(document)
        teachers.append(teacher.model_copy(update={"rows": rows}))
    return teachers
