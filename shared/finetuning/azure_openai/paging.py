"""All items of a listing, page by page, with an end whatever the service does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

from openai.pagination import SyncCursorPage

from shared.finetuning.azure_openai.errors import usable

MAX_PAGES = 100  # of 100 items each


class _Item(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_Item)


def bounded(first: SyncCursorPage[T]) -> Iterator[T]:
    """A service that ignores `after` would give its first page for ever: a page of known items ends the listing."""
    page, seen = usable(first), set[str]()
    for _ in range(MAX_PAGES):
        fresh = [item for item in page.data or [] if item.id not in seen]
        if not fresh:
            return
        seen.update(item.id for item in fresh)
        yield from fresh
        if not page.has_next_page():
            return
        page = usable(page.get_next_page())
