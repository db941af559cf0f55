"""Events that arrive before anyone waits for them, each handed over once.

The SDK hands such an event to every later wait for its name, so a loop over an event that came
while an activity was awaited would never wait again (Azure/azure-functions-durable-python#507).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Delivery = Callable[[], None]


class EarlyEvents(dict[Any, Delivery]):
    """Takes the place of the SDK's `deferred_tasks`: reading an event removes it, oldest first."""

    def __init__(self) -> None:
        super().__init__()
        self._later: dict[Any, list[Delivery]] = {}

    def __setitem__(self, name: Any, delivery: Delivery) -> None:
        if name in self:
            self._later.setdefault(name, []).append(delivery)
        else:
            super().__setitem__(name, delivery)

    def __getitem__(self, name: Any) -> Delivery:
        delivery = self.pop(name)
        later = self._later.get(name)
        if later:
            super().__setitem__(name, later.pop(0))
        return delivery
