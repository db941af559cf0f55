"""The app's durable functions, as the engine calls them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Limits:
    """How much runs at the same time, from host.json."""

    activities: int = 10
    orchestrators: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Functions:
    """The app's durable functions: their names, and how they are called.

    `orchestrate(name, context)` returns the orchestrator's answer as JSON text,
    `act(name, input)` the activity's result; both raise what the function raised.
    """

    orchestrators: frozenset[str]
    activities: frozenset[str]
    orchestrate: Callable[[str, str], Awaitable[str]]
    act: Callable[[str, Any], Awaitable[str]]
