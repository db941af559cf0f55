"""A probe: the first rows of a dry run, asked of the teacher without a run.

It says whether their answers are usable, and what they took. The quote of the whole run follows
from that, instead of from a guess at the length of answers. Nothing is written, but what it spends
of the app's budget for the month.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from shared.core.errors import ErrorData, PermanentError, teacher_code
from shared.core.settings import Settings
from shared.dataset.lines import ReadBytes
from shared.dataset.rows import Row
from shared.generation.ask_row import ask_row
from shared.generation.first_wave import FirstRows, first_rows
from shared.generation.record import Record
from shared.scan.plan import RangePlan, shard_lines
from shared.scan.row_checks import RowChecks
from shared.spec.models import RunSpec
from shared.teacher import NoBudget, TeacherClient, open_teacher
from shared.teacher.budget import open_monthly_budget

if TYPE_CHECKING:
    from shared.core.storage import Storage

MAX_PROBED_ROWS = 50
MAX_SECONDS = 180.0  # from the beginning of the dry run: HTTP answers are cut off at 230
# as OpenAI, Azure OpenAI and vLLM name it
UNKNOWN_MODEL = frozenset(
    teacher_code(reason)
    for reason in ("model_not_found", "DeploymentNotFound", "deployment_not_found")
)
Probed = tuple[Row, Record]


class Probe(FirstRows):
    """The outcome of the probed rows, and what the whole run is expected to use by them."""

    rows_asked: int = Field(description="how many were asked, whether their answers came or not")
    is_cut_short: bool = Field(description="whether time was up before all answers had come")
    error: ErrorData | None = Field(default=None, description="why the teacher can't be asked")
    tokens_per_row: float | None = Field(default=None, description="of the rows that were answered")


async def probe_rows(
    storage: Storage,
    rows: Sequence[tuple[int, Row]],
    spec: RunSpec,
    settings: Settings,
    run_id: str,
    until: float,
) -> Probe:
    """Ask the teacher for rows, each with its line, until a moment of the monotonic clock."""
    answered: list[Probed] = []
    error: ErrorData | None = None
    try:
        async with (
            open_monthly_budget(storage, spec, settings, NoBudget()) as budget,
            open_teacher(settings, spec.teacher, run_id, budget=budget) as teacher,
        ):
            answered, failure = await _answered(rows, spec, teacher, until)
            if failure is not None:
                raise failure
    except PermanentError as failure:
        error = failure.as_data()
        if error["code"] in UNKNOWN_MODEL and not error["details"]:
            problem = f"the teacher has no model {spec.teacher.model!r}: name one that it serves"
            error["details"] = [{"where": "teacher.model", "problem": problem}]
    outcome = first_rows(answered, spec)
    return Probe(
        **dict(outcome),
        rows_asked=len(rows),
        is_cut_short=error is None and len(answered) < len(rows),
        error=error,
        tokens_per_row=round(outcome.taken.tokens / len(answered), 1) if answered else None,
    )


async def _answered(
    rows: Sequence[tuple[int, Row]],
    spec: RunSpec,
    teacher: TeacherClient,
    until: float,
) -> tuple[list[Probed], Exception | None]:
    """Return the rows that were answered in time, and why the others can't be."""

    async def ask(line: int, row: Row) -> Probed:
        return row, await ask_row(line, row, spec, teacher)

    if not rows:
        return [], None  # `reuse` answers all of them
    tasks = [asyncio.create_task(ask(line, row)) for line, row in rows]
    try:
        seconds = max(0.0, until - time.monotonic())
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    answered = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    failures = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    return answered, next(iter(failures), None)


async def rows_to_probe(
    plan: RangePlan,
    read: ReadBytes,
    spec: RunSpec,
    is_answered: Callable[[Row], bool],
    count: int,
) -> list[tuple[int, Row]]:
    """Return the first rows that the teacher would be asked for, each with its line."""
    rows: list[tuple[int, Row]] = []
    async for line, row in _asked_rows(plan, read, spec, is_answered):
        rows.append((line, row))
        if len(rows) == count:
            break
    return rows


async def _asked_rows(
    plan: RangePlan, read: ReadBytes, spec: RunSpec, is_answered: Callable[[Row], bool]
) -> AsyncIterator[tuple[int, Row]]:
    checks = RowChecks(spec)
    for shard in plan.shards:
        async for lines in shard_lines(read(shard.start, shard.end), shard):
            for line in lines:
                row = checks.usable(line, shard)
                if isinstance(row, Row) and not is_answered(row):
                    yield line.number, row
