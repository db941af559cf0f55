"""What the extension waits for during a replay: single tasks, and any or all of several."""

from __future__ import annotations


class Awaited:
    """A task that is complete or not."""

    def __init__(self, *, done: bool = False) -> None:
        self.done = done
        self.parent: Compound | None = None

    def complete(self, *, failed: bool = False) -> None:
        """Complete once; a failure completes a task as well."""
        if self.done:
            return
        self.done = True
        if self.parent is not None:
            self.parent.child_completed(failed=failed)


class Compound(Awaited):
    """task_any, or task_all: the SDK's ends with its first failure, the extension waits for all."""

    def __init__(self, children: list[Awaited], needed: int) -> None:
        super().__init__()
        self._missing = needed
        for child in children:
            child.parent = self
        for child in children:
            if child.done:
                self.child_completed(failed=False)
        self.done = self.done or needed == 0

    def child_completed(self, *, failed: bool) -> None:
        """Count a child; complete with the last that is needed."""
        self._missing -= 1
        if self._missing == 0:
            self.complete()
