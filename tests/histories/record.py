"""Records histories of the orchestrators: `python -m tests.histories.record`.

Files that exist are not overwritten: they stand for active runs that began with earlier code. See
"Changing an orchestrator" in CONTRIBUTING.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.core.ids import deletion_id
from shared.runs.contracts import (
    DELETE_BLOBS,
    DELETE_RUN,
    DELETE_SERVICE_FILES,
    END_PARTS,
    FIND_DUPLICATES,
    FINISH_DELETION,
    FINISH_SCAN,
    GENERATE_SHARD,
    LEAVE_QUEUE,
    PLAN_RANGE,
    PREPARE_RUN,
    REUSE_ANSWERS,
    SCAN_RANGE,
    SEAL_UNNEEDED,
    TAKE_TURN,
    Event,
)
from tests.support.orchestrator_simulation import ORCHESTRATION_VERSION, Activity, After, Hub
from tests.support.scripted import RUN_ID, SEVERAL, SPEC, Distillation, failed, ok, training

FOLDER = Path(__file__).parent


def completed() -> Distillation:
    return Distillation(statuses=["queued", "running", "running", "completed"])


def failed_job() -> Distillation:
    return Distillation(statuses=["running", "failed"])


def cancelled_while_generating() -> Distillation:
    run = Distillation({"train": 30}, instead={GENERATE_SHARD: lambda _: After(20, ok())})
    run.cancel_at(25)
    return run


def cancelled_while_training() -> Distillation:
    run = Distillation(statuses=["running"])
    run.cancel_at(300)
    return run


def revoked_key() -> Distillation:
    def answer(payload: dict[str, Any]) -> Any:
        return failed("the key was revoked") if payload["index"] == 5 else After(3, ok())

    return Distillation({"train": 20, "validation": 3}, instead={GENERATE_SHARD: answer})


def shard_given_up() -> Distillation:
    def answer(payload: dict[str, Any]) -> Any:
        if payload["index"] == 2:
            raise ConnectionError("the lease is broken")
        return After(4, ok())

    return Distillation({"train": 12}, instead={GENERATE_SHARD: answer})


def paused_and_steered() -> Distillation:
    def answer(_: dict[str, Any]) -> Any:
        return {"status": "paused"} if 20 < run.hub.now < 90 else After(9, ok(parallel=4))

    run = Distillation({"train": 16}, instead={GENERATE_SHARD: answer})
    run.hub.at(15, lambda: run.hub.raise_event(RUN_ID, Event.CONCURRENCY, 4))
    return run


def slow_shards() -> Distillation:
    unfinished = {0: 2, 3: 1}

    def answer(payload: dict[str, Any]) -> Any:
        unfinished[payload["index"]] = unfinished.get(payload["index"], 0) - 1
        return After(600, {"status": "unfinished"} if unfinished[payload["index"]] >= 0 else ok())

    return Distillation({"train": 6}, instead={GENERATE_SHARD: answer})


def target_reached() -> Distillation:
    def answer(payload: dict[str, Any]) -> Any:
        needed = 8 if payload["needed"] is None else min(8, payload["needed"])
        return After(1 + 3 * (payload["index"] % 3), ok(accepted=needed, contributed=needed))

    return Distillation(
        {"train": 12},
        spec={
            "quality": {"min_rows": 10, "target_rows": 60},
            "generation": {"parallel_shards": 4, "rows_per_shard": 10},
        },
        instead={GENERATE_SHARD: answer, SEAL_UNNEEDED: lambda _: ok(next=12)},
    )


def many_shards() -> Distillation:
    return Distillation({"train": 260}, spec={"generation": {"parallel_shards": 64}})


def large_inputs() -> Distillation:
    scans = {"train": Distillation.scanned(3)}
    instead: dict[str, Activity] = {
        PREPARE_RUN: lambda _: ok(
            spec=SPEC, etags={"train": "1"}, ranges={"train": 7}, warnings=[]
        ),
        **{step: lambda _: ok() for step in (SCAN_RANGE, FIND_DUPLICATES, PLAN_RANGE)},
        FINISH_SCAN: lambda _: ok(splits=scans),
    }
    return Distillation({"train": 3}, instead=instead)


def resumed_with_reuse() -> Distillation:
    seeded = ok(next=3, reused=4, estimate={})
    return Distillation(
        {"train": 3},
        spec={"reuse": RUN_ID[::-1]},
        instead={REUSE_ANSWERS: lambda _: seeded},
        round=2,
    )


def trained() -> Distillation:
    """With what is kept of a job in the end."""
    return Distillation(
        {"train": 2}, statuses=["running", "not_responding", "running", "completed"]
    )


def several_students() -> Distillation:
    return Distillation(
        {"train": 2}, spec=SEVERAL, instead=training(["completed", "failed", "completed"])
    )


def queued() -> Distillation:
    places = [2, 1, 0]
    run = Distillation(
        {"train": 1},
        instead={
            PREPARE_RUN: lambda _: ok(spec=SPEC, etags={"train": "1"}, is_queued=True),
            TAKE_TURN: lambda _: ok(place=places.pop(0)),
            LEAVE_QUEUE: lambda _: ok(),
        },
    )
    run.hub.at(50, lambda: run.hub.raise_event(RUN_ID, Event.TURN, None))
    return run


class Deletion:
    """A run that is deleted while something still works for it, in two passes over its folder."""

    def __init__(self) -> None:
        waits = [20, 0]
        passes = ["unfinished", "ok"]
        self.hub = Hub(
            {
                END_PARTS: lambda _: ok(wait_seconds=waits.pop(0)),
                DELETE_SERVICE_FILES: lambda _: ok(),
                DELETE_BLOBS: lambda _: {"status": passes.pop(0)},
                FINISH_DELETION: lambda _: ok(),
            }
        )
        self.hub.start(DELETE_RUN, deletion_id(RUN_ID), {"run_id": RUN_ID})

    def run(self) -> None:
        self.hub.run()


def deleted() -> Deletion:
    return Deletion()


SCENARIOS: tuple[Callable[[], Distillation | Deletion], ...] = (
    completed,
    failed_job,
    cancelled_while_generating,
    cancelled_while_training,
    revoked_key,
    shard_given_up,
    paused_and_steered,
    slow_shards,
    many_shards,
    target_reached,
    large_inputs,
    resumed_with_reuse,
    trained,
    several_students,
    queued,
    deleted,
)


def main() -> None:
    folder = FOLDER / ORCHESTRATION_VERSION
    folder.mkdir(exist_ok=True, parents=True)
    for scenario in SCENARIOS:
        path = folder / f"{scenario.__name__}.json"
        if path.exists():
            sys.stdout.write(f"{path.name} exists\n")
            continue
        run = scenario()
        run.run()
        recorded = [
            {
                "name": instance.name,
                "id": instance.id,
                "parent": instance.parent[0] if instance.parent else None,
                "input": finished.input,
                "outcome": finished.outcome,
                "history": finished.history,
            }
            for instance in run.hub.instances.values()
            for finished in instance.finished
        ]
        path.write_text(json.dumps(recorded, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
