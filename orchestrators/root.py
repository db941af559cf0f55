"""What the root's stages share: the request, the status it shows, and the user's events.

The custom status is also how running activities hear of the user: shared/runs/control.py.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

from orchestrators.durable.context import Context, Task
from orchestrators.durable.edge import Steps
from orchestrators.durable.waiting import RunFailed, call, event_data, first_of
from shared.core.counters import Counters
from shared.core.paths import ASKED_SPLITS, Split
from shared.generation.split_target import without_outdated
from shared.runs.contracts import (
    READ_PROGRESS,
    Event,
    ProgressRequest,
)
from shared.runs.requests import RunRequest
from shared.runs.status import NO_BUDGET, RunStatus, Stage
from shared.runs.wire import Activity
from shared.spec.models import MAX_PARALLEL_SHARDS, RunSpec

InputT = TypeVar("InputT", bound=BaseModel)
OutputT = TypeVar("OutputT", bound=BaseModel)


class RunCancelled(Exception):
    """The user cancelled the run."""


class Root:
    """One execution of the root orchestration."""

    def __init__(self, context: Context, request: RunRequest) -> None:
        self.context = context
        self.request = request
        self.run_id = request.run_id
        self.round = request.round
        self.status = RunStatus(task=request.task, name=request.name)
        self.splits: list[Split] = []
        """All that the run has, in the order in which rows count. Empty until it is prepared."""
        self.budget = NO_BUDGET
        self.started = context.current_utc_datetime
        self.is_in_queue = False
        """Whether the run has to leave the queue of runs when it ends."""
        self.notifies = True
        """Whether someone may have to be notified of the run's end. Known once it is prepared."""
        self._cancelled = context.wait_for_external_event(Event.CANCEL)
        self._concurrency = context.wait_for_external_event(Event.CONCURRENCY)

    @property
    def asked_splits(self) -> list[Split]:
        """The splits whose rows the teacher answers."""
        return [split for split in self.splits if split in ASKED_SPLITS]

    # Stages

    def enter(self, stage: Stage) -> None:
        """Show the stage. Raises RunCancelled: a cancelled run begins no stage."""
        self.show_stage(stage)
        self.check_cancelled()

    def check_cancelled(self) -> None:
        """Raise RunCancelled if the user cancelled the run."""
        if self.is_cancelled:
            raise RunCancelled

    def show_stage(self, stage: Stage) -> None:
        """Show the stage, even of a run that was cancelled."""
        if stage == "generate":  # the first wave has another pace than the rows after it
            self.status.pace = None
        self.status.stage = stage
        self.publish()

    def publish(self) -> None:
        """Hand the status to Durable."""
        self.context.set_custom_status(self.status.custom_status())

    def call(self, activity: Activity[InputT, OutputT], payload: InputT) -> Steps[OutputT]:
        """Call an activity. Raises RunFailed."""
        return (yield from call(self.context, activity, payload))

    def read_progress(self, spec: RunSpec) -> Steps[dict[Split, Counters]]:
        """Show the counts, and return them by split. Best effort: {} if they cannot be read."""
        request = ProgressRequest(run_id=self.run_id, splits=self.asked_splits)
        try:
            progress = yield from self.call(READ_PROGRESS, request)
        except RunFailed:
            return {}
        shown: dict[Split, Counters] = {
            split: without_outdated(spec, split, counters)
            for split, counters in progress.splits.items()
        }
        self.status.count(shown, spec.budget)
        if self.status.stage == "generate":
            self.status.keep_pace(self.context.current_utc_datetime)
        self.status.warn(progress.warnings)
        self.publish()
        return progress.splits

    # The user's events

    def listen(self) -> Steps[None]:
        """Hand the waits for the user's events to Durable, so that no event goes unnoticed."""
        yield from first_of(self.context, [self._cancelled, self._concurrency], seconds=0)

    @property
    def is_cancelled(self) -> bool:
        """Whether the user cancelled the run."""
        return self._cancelled.is_completed

    @property
    def cancellation(self) -> list[Task]:
        """The wait for the user's cancellation, empty once it has come."""
        return [] if self.is_cancelled else [self._cancelled]

    @property
    def events(self) -> list[Task]:
        """The waits for everything the user may want while shards are answered."""
        return [*self.cancellation, self._concurrency]

    def apply_concurrency(self) -> None:
        """Show the number of shards that the user wants, if that has changed.

        Anyone may raise events: other data is ignored.
        """
        if not self._concurrency.is_completed:
            return
        parallel = event_data(self._concurrency)
        if type(parallel) is int and 1 <= parallel <= MAX_PARALLEL_SHARDS:
            self.status.parallel_shards = parallel
        self._concurrency = self.context.wait_for_external_event(Event.CONCURRENCY)
        self.publish()

    def announce_stop(self, *, failed: bool) -> None:
        """Tell running activities to stop if the run has failed or was cancelled."""
        if failed or self.is_cancelled:
            self.status.stopping = True
            self.publish()
