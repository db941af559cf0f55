"""The ledger of a run: what its requests have used, and what its workers may still use.

One small blob, `budget.json`. Each worker process that asks the teacher has an entry of its own in
it: what it has used, and its lease, which holds the requests in flight and some more. Nothing is
sent without a lease, so the sum of all entries is an upper bound of what was used at any time. The
lease of a killed worker stays in it. Pure functions, but for `read_ledger`.

The ledger is kept for runs without limits too: it is what counts the requests that no journal has.
It costs a worker two operations of storage a renewal, which is every few seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from shared.core.counters import Counters
from shared.core.errors import Problem
from shared.core.paths import RunPaths
from shared.core.shared_document import SharedDocument
from shared.spec.budget import MILLION, Usage, limit_problem
from shared.spec.models import BudgetSpec

if TYPE_CHECKING:
    from shared.core.storage import Storage

UNLIMITED = 2**53
COST_UNITS = 10**12
"""So many make one of the currency: prices per million tokens are exact to six digits."""
UNLIMITED_COST = UNLIMITED * COST_UNITS
# A worker renews its lease every 10 s. Nothing is waited for that only a silent one could free.
SILENT_SECONDS = 60.0
# A claim that changes nothing isn't written more often, so workers that wait don't contend.
STILL_LIVE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Amounts:
    """What budgets limit: requests, tokens of prompt and answer together, and their cost."""

    requests: int = 0
    tokens: int = 0
    cost: int = 0
    """In units of COST_UNITS: sums of whole numbers are exact."""

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            self.requests + other.requests, self.tokens + other.tokens, self.cost + other.cost
        )

    def __sub__(self, other: Amounts) -> Amounts:
        return Amounts(
            self.requests - other.requests, self.tokens - other.tokens, self.cost - other.cost
        )

    def fits(self, other: Amounts) -> bool:
        """Return whether all of it is in the other."""
        return (
            self.requests <= other.requests
            and self.tokens <= other.tokens
            and self.cost <= other.cost
        )

    def at_most(self, other: Amounts) -> Amounts:
        """Return the smaller of each amount."""
        return Amounts(
            min(self.requests, other.requests),
            min(self.tokens, other.tokens),
            min(self.cost, other.cost),
        )

    def at_least(self, other: Amounts) -> Amounts:
        """Return the larger of each amount."""
        return Amounts(
            max(self.requests, other.requests),
            max(self.tokens, other.tokens),
            max(self.cost, other.cost),
        )

    def times(self, count: int) -> Amounts:
        return Amounts(self.requests * count, self.tokens * count, self.cost * count)

    def divided(self, parts: int) -> Amounts:
        return Amounts(self.requests // parts, self.tokens // parts, self.cost // parts)


class Entry(BaseModel):
    """One worker's part of the run."""

    used: Usage = Field(default_factory=Usage)
    lease: Amounts = Amounts()
    """Beyond `used`: requests in flight, and those that may be sent without asking again."""
    renewed: float = 0.0
    """Unix time in seconds."""
    is_preflight: bool = False

    def is_live(self, now: float) -> bool:
        # A time that lies far ahead is of a wrong clock: that worker isn't waited for either.
        return abs(now - self.renewed) < SILENT_SECONDS

    def renew(self, now: float, before: Entry | None) -> None:
        """Set the time, unless only that would change, and not by much."""
        self.renewed = now
        if before is None or abs(now - before.renewed) >= STILL_LIVE_SECONDS:
            return
        if self.model_copy(update={"renewed": before.renewed}) == before:
            self.renewed = before.renewed


class Ledger(BaseModel):
    """`budget.json`: what preflight and the rows have used in all rounds, and open entries."""

    preflight: Usage = Field(default_factory=Usage)
    rows: Usage = Field(default_factory=Usage)
    workers: dict[str, Entry] = Field(default_factory=dict[str, Entry])
    """By a name that no other has."""

    def close(self, name: str, used: Usage) -> None:
        """Settle a worker's entry. It does nothing the second time."""
        entry = self.workers.pop(name, None)
        if entry is not None:
            (self.preflight if entry.is_preflight else self.rows).add(used)


class Limits:
    """The limits of a run, and the prices that its cost follows from."""

    def __init__(self, budget: BudgetSpec) -> None:
        self.budget = budget
        self._prompt_price = math.ceil((budget.prompt_price or 0) * (COST_UNITS // MILLION))
        self._completion_price = math.ceil((budget.completion_price or 0) * (COST_UNITS // MILLION))

    @property
    def on_tokens(self) -> bool:
        """Whether the tokens of requests matter."""
        return self.budget.max_tokens is not None or self.budget.max_cost is not None

    @property
    def most(self) -> Amounts:
        budget = self.budget
        return Amounts(
            UNLIMITED if budget.max_requests is None else budget.max_requests,
            UNLIMITED if budget.max_tokens is None else budget.max_tokens,
            UNLIMITED_COST if budget.max_cost is None else int(budget.max_cost * COST_UNITS),
        )

    def cost(self, prompt_tokens: int, completion_tokens: int) -> int:
        return prompt_tokens * self._prompt_price + completion_tokens * self._completion_price

    def amounts(self, usage: Usage) -> Amounts:
        cost = self.cost(usage.prompt_tokens, usage.completion_tokens)
        return Amounts(usage.requests, usage.tokens, cost)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a worker has, and what it asks for."""

    name: str
    used: Usage
    held: Amounts
    """Its requests in flight, and what it goes on using meanwhile."""
    need: Amounts
    """Of the next request: less is of no use."""
    target: Amounts
    """What it would use in some seconds."""
    is_preflight: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer to a claim: what was granted beyond `held`, nothing if `need` isn't left."""

    granted: Amounts
    remaining: Amounts
    """What all workers together had left."""
    others_hold: bool
    """Whether another worker has a lease that it may give back."""
    workers: int = 1
    """How many share the budget now."""


def grant(ledger: Ledger, claim: Claim, limits: Limits, now: float) -> Grant:
    """Renew a worker's lease: half of its share of what is left, at most its target.

    Halves, so that workers that begin later find something, and fewer requests are in flight the
    less is left. Repeating it changes nothing but the time.
    """
    others = [entry for name, entry in ledger.workers.items() if name != claim.name]
    spent = limits.amounts(ledger.preflight) + limits.amounts(ledger.rows)
    for entry in others:
        spent += limits.amounts(entry.used) + entry.lease
    remaining = limits.most - spent - limits.amounts(claim.used) - claim.held
    live = [entry for entry in others if entry.is_live(now)]
    granted = Amounts()
    if claim.need.fits(remaining):
        share = remaining.divided(2 * (1 + len(live)))
        granted = claim.target.at_most(share).at_least(claim.need)
    entry = Entry(used=claim.used, lease=claim.held + granted, is_preflight=claim.is_preflight)
    entry.renew(now, ledger.workers.get(claim.name))
    ledger.workers[claim.name] = entry
    others_hold = any(other.lease.requests or other.lease.tokens for other in live)
    return Grant(granted, remaining, others_hold, 1 + len(live))


def shortage(grant: Grant, need: Amounts, budget: BudgetSpec) -> Iterator[Problem]:
    """Yield the limits that the next request could exceed, with the numbers."""
    remaining = grant.remaining
    if budget.max_requests is not None and need.requests > remaining.requests:
        yield limit_problem("max_requests", budget.max_requests, remaining.requests, need.requests)
    if budget.max_tokens is not None and need.tokens > remaining.tokens:
        yield limit_problem("max_tokens", budget.max_tokens, remaining.tokens, need.tokens)
    if budget.max_cost is not None and need.cost > remaining.cost:
        amounts = remaining.cost / COST_UNITS, need.cost / COST_UNITS
        yield limit_problem("max_cost", budget.max_cost, *amounts)


# What the report says


class Unrecorded(BaseModel):
    """Requests that were sent, or may have been, but aren't in the record of any row.

    A stop, a failure or a killed worker came before their rows were answered. At most so many. The
    tokens are also those that the teacher didn't report: of failed requests, and of replies without
    usage.
    """

    requests: int = 0
    tokens: int | None = Field(
        default=0, description="null if a worker was killed in a run without a limit on tokens"
    )


class OtherRequests(BaseModel):
    """What a run has used of the teacher beside what the records of its rows have."""

    preflight: Usage = Field(default_factory=Usage)
    unrecorded: Unrecorded = Field(default_factory=Unrecorded)


def other_requests(
    ledger: Ledger, recorded: Iterable[Counters], budget: BudgetSpec
) -> OtherRequests:
    """Return what the ledger has beyond the counters of the rows' journals."""
    preflight = ledger.preflight.model_copy()
    rows = ledger.rows.model_copy()
    lost = Amounts()
    for entry in ledger.workers.values():
        (preflight if entry.is_preflight else rows).add(entry.used)
        lost += entry.lease
    requests = rows.requests + lost.requests
    tokens = rows.tokens + lost.tokens
    for counters in recorded:
        requests -= counters.requests
        tokens -= counters.prompt_tokens + counters.completion_tokens
    is_unknown = lost.requests > 0 and not Limits(budget).on_tokens
    unrecorded = Unrecorded(
        requests=max(0, requests), tokens=None if is_unknown else max(0, tokens)
    )
    return OtherRequests(preflight=preflight, unrecorded=unrecorded)


def ledger_document(storage: Storage, paths: RunPaths) -> SharedDocument[Ledger]:
    return SharedDocument(storage, paths.budget, Ledger)


async def read_ledger(storage: Storage, paths: RunPaths) -> Ledger:
    """Return a run's ledger, empty if it has asked nothing."""
    return await ledger_document(storage, paths).read()
