"""Everything that the app promises about money and pace, in one table.

`python -m benchmarks.guarantees` runs the benchmarks of budgets, quotas, stray refusals, teachers
and forecasts, one after the other, and reads what they have measured from `benchmarks/results`.
Takes about 40 minutes on two cores. `--measured` makes the table of the results that are there.
Ends with exit code 1 when a bound is broken.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.faults import FAULT_FREE
from benchmarks.harness import RESULTS, table
from local.bootstrap import ROOT

STRAYS = {"429 0.5%": 0.7, "429 2%": 0.7, "429 10%": 0.5}  # least share of the fault-free speed
COMMANDS: dict[str, tuple[str, ...]] = {
    "budgets": (),
    "quota": (),
    "faults": ("--rows", "8000", "--scenarios", *STRAYS),
    "teachers": (),
    "forecasts": (),
}
LEAST_USED = 0.98
# With nothing set, the pace is found while the run goes on.
LEAST_USED_OF = {"10,000 requests a minute, 2 s latency, nothing set": 0.95}
MOST_REFUSED = 0.02
# A quota of few requests, shared by several workers, can only be found out by refusals.
MOST_REFUSED_BY_SEVERAL = {"300 requests a minute": 0.03}
MOST_OFF = 0.25
Results = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Guarantee:
    """One line of the table: what was promised, and what was measured."""

    promise: str
    bound: str
    measured: str
    holds: bool


def main() -> int:
    flags = argparse.ArgumentParser(prog="python -m benchmarks.guarantees")
    flags.add_argument(
        "--measured", action="store_true", help="only make the table of the latest results"
    )
    if not flags.parse_args().measured:
        for name, arguments in COMMANDS.items():
            print(f"\n{name}:", flush=True)
            command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
            subprocess.run(command, cwd=ROOT, check=False)
    guarantees = [*_all({name: _results(name) for name in COMMANDS})]
    print(summary(guarantees))
    return 0 if all(each.holds for each in guarantees) else 1


def _results(name: str) -> Any:
    path = RESULTS / f"{name}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))["results"]
    except FileNotFoundError:
        raise SystemExit(f"{path} isn't there; run `python -m benchmarks.{name}`") from None


def _all(results: Mapping[str, Any]) -> Iterable[Guarantee]:
    yield from of_budgets(results["budgets"])
    yield from of_quotas(results["quota"])
    yield from of_strays(results["faults"]["ours"])
    yield from of_teachers(results["teachers"])
    yield from of_forecasts(results["forecasts"])


def of_budgets(results: Results) -> Iterable[Guarantee]:
    """No run above its limit."""
    for limit in dict.fromkeys(result["limit"] for result in results):
        runs = [result for result in results if result["limit"] == limit]
        above = sum(run["used"] > run["allowed"] for run in runs)
        most = max(run["used"] / run["allowed"] for run in runs)
        yield Guarantee(
            f"runs above `budget.{limit}`, of {len(runs)} with half of the replies unusable",
            "0",
            f"{above}; at most {most:.1%} of it used",
            above == 0,
        )


def of_quotas(results: Results) -> Iterable[Guarantee]:
    """Each quota used, with few refusals. Shares that can't be told don't hold."""
    for result in results:
        if result["who"] != "ours":
            continue
        scenario, workers = result["scenario"], result["workers"]
        used, refused = result["used"], result["refused"]
        most_refused = MOST_REFUSED_BY_SEVERAL.get(scenario, MOST_REFUSED)
        if workers == 1:
            most_refused = MOST_REFUSED
        least_used = LEAST_USED_OF.get(scenario, LEAST_USED)
        is_used = used is not None and used >= least_used
        is_spared = refused is not None and refused <= most_refused
        yield Guarantee(
            f"{scenario}, {workers} worker{'s' if workers > 1 else ''}: used; refused",
            f"≥ {least_used:.0%}; ≤ {most_refused:.0%}",
            f"{_share(used)}; {_share(refused)}",
            is_used and is_spared,
        )


def of_strays(results: Results) -> Iterable[Guarantee]:
    """The speed in spite of random refusals, beside the fault-free one."""
    speeds = {result["scenario"]: result["rows"] / result["seconds"] for result in results}
    for scenario, least in STRAYS.items():
        share = speeds[scenario] / speeds[FAULT_FREE]
        yield Guarantee(
            f"speed with {scenario.removeprefix('429 ')} of the requests refused at random",
            f"≥ {least:.0%} of fault-free",
            f"{share:.0%}",
            share >= least,
        )


def of_teachers(results: Results) -> Iterable[Guarantee]:
    """Teachers and services of every kind."""
    for result in results:
        has_more = bool(result["besides_what"])
        more = f"; {result['besides']} {result['besides_what']}" if has_more else ""
        bound = f"; ≤ {result['most']}" if has_more else ""
        yield Guarantee(
            result["what"],
            f"{result['needed']} of {result['of']}{bound}",
            f"{result['did']}{more}",
            result["did"] == result["needed"] and result["besides"] <= result["most"],
        )


def of_forecasts(results: Results) -> Iterable[Guarantee]:
    """Forecasts of a run's tokens, by what it used."""
    ways = {"probe": "a dry run with `probe=20`", "first_wave": "a run after its first wave"}
    for key, way in ways.items():
        shares = [result[key] / result["used"] for result in results]
        yield Guarantee(
            f"tokens forecast by {way} ÷ used, {len(shares)} samples",
            f"{1 - MOST_OFF:g}–{1 + MOST_OFF:g}",
            f"{min(shares):.2f}–{max(shares):.2f}",
            all(abs(share - 1) <= MOST_OFF for share in shares),
        )
    held = sum(result["low"] <= result["used"] <= result["high"] for result in results)
    yield Guarantee(
        "ranges of a dry run that hold what was used",
        str(len(results)),
        str(held),
        held == len(results),
    )


def summary(guarantees: Iterable[Guarantee]) -> str:
    """A line for each guarantee."""
    rows = [
        [each.promise, each.bound, each.measured, "yes" if each.holds else "**no**"]
        for each in guarantees
    ]
    return table(["promise", "bound", "measured", "holds"], rows)


def _share(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.1%}"


if __name__ == "__main__":
    sys.exit(main())
