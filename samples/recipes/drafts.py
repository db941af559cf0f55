"""What a recipe writes: one question with its reference, before it becomes a row."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle

MAX_TRIES = 20_000


@dataclass(frozen=True, slots=True)
class Draft:
    """A user's text and the reference answer; conversations put the turns that follow into `later`."""

    user: str
    answer: str = ""
    later: tuple[str, ...] = ()


Frame = Callable[[random.Random], Draft]


def distinct(frames: list[Frame], rng: random.Random) -> Iterator[Draft]:
    """Drafts of every frame in turn, none with the same user text twice.

    Raises RuntimeError when the frames cannot write any more different ones.
    """
    seen: set[str] = set()
    for tries, frame in enumerate(cycle(frames)):
        if tries >= MAX_TRIES:
            raise RuntimeError(
                f"the recipe ran dry after {len(seen)} drafts; give its frames more to vary"
            )
        draft = frame(rng)
        if draft.user not in seen:
            seen.add(draft.user)
            yield draft
