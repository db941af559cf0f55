"""The progress of an upload or download, on stderr if that is a terminal."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn


class TransferBar:
    """A bar over all bytes of a transfer."""

    def __init__(self, total: int, *, quiet: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def name(self, text: str) -> None:
        """Show which file is moved now."""
        self._progress.update(self._task, description=text)

    def advance(self, count: int) -> None:
        """Count bytes that were moved. Threads may call it."""
        self._progress.advance(self._task, count)
