"""Call a function on its schedule, as Azure's host does.

When the next call is due is kept in a file of the data directory: one that came due while the host
was down is made when it starts, with `IsPastDue`. A host that is killed during a call repeats it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from local.functions_host.errors import FunctionFailed, IndexingError
from local.functions_host.functions import TIMER_TRIGGER, IndexedFunction
from local.functions_host.invocation import Invoker
from local.functions_host.worker.messages import TypedData
from local.runtime.private_files import write_private

LOOK_SECONDS = 1.0  # the wall clock may be set anew
PAST_DUE_SECONDS = 60.0
# second, minute, hour, day, month, day of the week: the first and the last value
FIELDS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
MAX_STEPS = 5_000  # days in which a day of a month comes round, leap years included
_PART = re.compile(r"(?:\*|(?P<first>\d+)(?:-(?P<last>\d+))?)(?:/(?P<step>[1-9]\d*))?")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """An NCRONTAB expression of six fields, in UTC: `*`, numbers, ranges, steps and lists."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """Raises ValueError."""
        fields = text.split()
        if len(fields) != len(FIELDS):
            raise ValueError(f"{text!r} is not an NCRONTAB expression of six fields")
        values = [_values(field, *span) for field, span in zip(fields, FIELDS, strict=True)]
        return cls(*values)

    def after(self, moment: datetime) -> datetime:
        """Return the first moment after this one. Raises ValueError if there is none."""
        due = moment.replace(microsecond=0) + timedelta(seconds=1)
        for _ in range(MAX_STEPS):
            midnight = due.replace(hour=0, minute=0, second=0)
            if not self._has_day(due):
                due = midnight + timedelta(days=1)
            elif due.hour not in self.hours:
                due = due.replace(minute=0, second=0) + timedelta(hours=1)
            elif due.minute not in self.minutes:
                due = due.replace(second=0) + timedelta(minutes=1)
            elif due.second not in self.seconds:
                due += timedelta(seconds=1)
            else:
                return due
        raise ValueError("the schedule has no next moment")

    def _has_day(self, moment: datetime) -> bool:
        weekday = moment.isoweekday() % 7
        is_day = moment.day in self.days and moment.month in self.months
        return is_day and weekday in self.weekdays


@dataclass(frozen=True, slots=True)
class TimerTrigger:
    """One function with a timer trigger."""

    function: IndexedFunction
    schedule: Schedule

    @property
    def name(self) -> str:
        return self.function.name


def timer_triggers(functions: list[IndexedFunction]) -> list[TimerTrigger]:
    """Return the timer triggers of an app. Raises IndexingError naming all that can't be served."""
    triggers: list[TimerTrigger] = []
    problems: list[str] = []
    for function in functions:
        if function.trigger.type != TIMER_TRIGGER:
            continue
        try:
            schedule = Schedule.parse(str(function.trigger.properties.get("schedule")))
            schedule.after(datetime.now(UTC))
            triggers.append(TimerTrigger(function, schedule))
        except ValueError as error:
            problems.append(f"function {function.name} cannot be scheduled: {error}")
    if problems:
        raise IndexingError("\n".join(problems))
    return triggers


class TimerRunner:
    """Calls a function on its schedule. `file` keeps when the next call is due."""

    def __init__(self, trigger: TimerTrigger, invoker: Invoker, file: Path) -> None:
        self._trigger = trigger
        self._invoker = invoker
        self._file = file

    async def run(self) -> None:
        """Call the function whenever it is due, until cancelled."""
        while True:
            due = self._next()
            while (now := datetime.now(UTC)) < due:
                await asyncio.sleep(min(LOOK_SECONDS, (due - now).total_seconds()))
            await self._call_logged(is_past_due=(now - due).total_seconds() > PAST_DUE_SECONDS)
            self._write(self._trigger.schedule.after(datetime.now(UTC)))

    async def call(self, *, is_past_due: bool = False, reason: str = "by hand") -> None:
        """Call the function now. Raises FunctionFailed."""
        info: Mapping[str, Any] = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": None,
            "IsPastDue": is_past_due,
        }
        data = TypedData(json=json.dumps(info))
        await self._invoker.invoke(self._trigger.function, data, reason=reason)

    async def _call_logged(self, *, is_past_due: bool) -> None:
        try:
            await self.call(is_past_due=is_past_due, reason="timer")
        except FunctionFailed as error:
            log.error("%s failed\n%s", self._trigger.name, error.details)

    def _next(self) -> datetime:
        """Return when the next call is due. It is noted, so a host that starts later finds it."""
        try:
            noted = datetime.fromisoformat(json.loads(self._file.read_bytes())["Next"])
        except (OSError, ValueError, KeyError, TypeError):
            noted = self._trigger.schedule.after(datetime.now(UTC))
            self._write(noted)
        return noted

    def _write(self, due: datetime) -> None:
        write_private(self._file, json.dumps({"Next": due.isoformat()}))


def _values(field: str, low: int, high: int) -> frozenset[int]:
    """Return the values of one field. Raises ValueError."""
    values: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is not a value of a schedule that this host supports")
        first = int(match["first"] or low)
        last = int(match["last"] or (high if match["first"] is None or match["step"] else first))
        if not low <= first <= last <= high:
            raise ValueError(f"{part!r} is not within {low} to {high}")
        values.update(range(first, last + 1, int(match["step"] or 1)))
    return frozenset(values)
