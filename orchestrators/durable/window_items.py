"""The items of a sliding window: what it asks of them, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from shared.core.errors import ErrorData
from shared.runs.wire import Activity, Failed

OutputT = TypeVar("OutputT", bound=BaseModel)
EndingT = TypeVar("EndingT")


@dataclass(frozen=True)
class Launch(Generic[OutputT]):
    """The activity that processes an item, and its input."""

    activity: Activity[Any, OutputT]
    payload: BaseModel


class Then(Enum):
    """What becomes of an item after its activity has ended."""

    DONE = auto()
    START_AGAIN = auto()
    PAUSE = auto()
    """The run is suspended: start the item again after a while, one item at a time."""


@dataclass(frozen=True)
class End(Generic[EndingT]):
    """No further item is to be started, for this reason."""

    reason: EndingT


class Items(Protocol[OutputT, EndingT]):
    """The items of a window."""

    @property
    def count(self) -> int: ...
    @property
    def parallel(self) -> int:
        """Items at a time."""
        ...

    def launch(self, number: int) -> Launch[OutputT]: ...

    def handle_output(self, number: int, output: OutputT | Failed) -> Then | End[EndingT]:
        """Take over an activity's output and return what becomes of the item, or of all."""
        ...

    def handle_exhausted(self, number: int, error: ErrorData) -> Then | End[EndingT]:
        """Do the same for an item whose activity has raised as often as it may."""
        ...
