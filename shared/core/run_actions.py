"""Who started and steered a run: a short list in its folder, and lines in the log.

The list is for people who look at a run. It is no proof against whoever may write to the storage
account; the log, which every action is in, is kept elsewhere.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from shared.core.errors import DistillationError, PermanentError
from shared.core.paths import RunPaths
from shared.core.process import current
from shared.core.shared_document import SharedDocument
from shared.core.storage_account import open_storage

if TYPE_CHECKING:
    from shared.core.storage import Storage

MAX_ACTIONS = 50
log = logging.getLogger(__name__)


class CallerKind(StrEnum):
    """How a caller is known."""

    USER = "user"
    """A user or an app that App Service Authentication has signed in."""
    KEY = "key"
    """A key that CALLERS names."""
    UPLOAD = "upload"
    """Whoever uploaded the dataset: the storage account knows them, the app doesn't."""
    UNKNOWN = "unknown"
    """Whoever has a key without a name."""


class Caller(BaseModel):
    """Who called. `name` is empty for one that isn't known."""

    model_config = ConfigDict(frozen=True)

    kind: CallerKind = CallerKind.UNKNOWN
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})" if self.name else str(self.kind)


UNKNOWN_CALLER = Caller()
UPLOADER = Caller(kind=CallerKind.UPLOAD)


class ActionName(StrEnum):
    """What was done to a run."""

    START = "start"
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    CONCURRENCY = "concurrency"


class RunAction(BaseModel):
    """One action on a run."""

    model_config = ConfigDict(frozen=True)

    time: datetime
    action: ActionName
    caller: Caller


class RunActions(BaseModel):
    """The document: the first action and the latest ones, at most MAX_ACTIONS."""

    actions: list[RunAction] = Field(default_factory=list[RunAction])

    def add(self, action: RunAction) -> None:
        """Add an action once."""
        if action not in self.actions:
            self.actions.append(action)
        if len(self.actions) > MAX_ACTIONS:
            self.actions = [self.actions[0], *self.actions[1 - MAX_ACTIONS :]]


async def record_action(run_id: str, action: ActionName, caller: Caller) -> None:
    """Record that a caller has done something to a run, after it was done.

    A list that can't be written holds nobody up, as whoever cancels a run must not have to wait
    for its storage account: the log then says so.
    """
    log.info("run %s: %s by %s", run_id, action, caller)
    done = RunAction(time=datetime.now(UTC), action=action, caller=caller)

    async def add(document: RunActions) -> None:
        document.add(done)

    try:
        async with open_storage(current().storage_settings) as storage:
            await SharedDocument(storage, RunPaths(run_id).actions, RunActions).change(add)
    except DistillationError as error:
        log.warning("run %s: %s by %s isn't in its list: %s", run_id, action, caller, error)


async def actions_of(storage: Storage, run_id: str) -> list[RunAction]:
    """Return what was done to a run, in order; nothing where somebody has broken the list."""
    document = SharedDocument(storage, RunPaths(run_id).actions, RunActions)
    try:
        return (await document.read()).actions
    except PermanentError as error:  # no reason for a run to fail
        log.warning("run %s: %s", run_id, error)
        return []


async def shown_actions(run_id: str) -> list[RunAction] | None:
    """Return what was done to a run, None where that can't be read at the moment."""
    try:
        async with open_storage(current().storage_settings) as storage:
            return await actions_of(storage, run_id)
    except DistillationError:
        return None
