"""All items of a listing, page by page, however the service answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

from openai.pagination import SyncCursorPage

from shared.finetuning.azure_openai.errors import usable

MAX_PAGES = 100  # of 100 items each


class _Item(Protocol):
    @property
    def id(self) -> str: ...


ItemT = TypeVar("ItemT", bound=_Item)


def bounded(first: SyncCursorPage[ItemT]) -> Iterator[ItemT]:
    """Yield each item once.

    A page without new items ends the listing: a service that ignores `after` repeats its first
    page for ever.
    """
    page = usable(first)
    seen: set[str] = set()
    for _ in range(MAX_PAGES):
        new_items = [item for item in page.data or [] if item.id not in seen]
        if not new_items:
            return
        seen.update(item.id for item in new_items)
        yield from new_items
        if not page.has_next_page():
            return
        page = usable(page.get_next_page())
