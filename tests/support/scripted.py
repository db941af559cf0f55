"""A run with scripted activities. The hub records their inputs and when they are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.core.ids import finetuning_id
from shared.finetuning.base import JobState
from shared.runs.contracts import (
    ABANDON_SHARD,
    ANNOUNCE_END,
    ASSEMBLE_SPLIT,
    CANCEL_FINETUNING,
    CONCLUDE_FINETUNING,
    DISTILLATION_RUN,
    GENERATE_SHARD,
    POLL_FINETUNING,
    PREFLIGHT,
    PREPARE_RUN,
    READ_FIRST_WAVE,
    READ_PROGRESS,
    SCAN_DATASET,
    SUBMIT_FINETUNING,
    WRITE_REPORT,
    Event,
)
from tests.support.orchestrator_simulation import Activity, After, Hub, Instance

RUN_ID = "nli-sample-0123456789ab"
TRAIN = "datasets/nli/sample/train.jsonl"
REQUEST: dict[str, Any] = {
    "run_id": RUN_ID, "source": "upload", "task": "nli", "name": "sample", "train": TRAIN,
    "etag": "0x1", "body": None, "round": 0, "changes": {},
}  # fmt: skip
SPEC: dict[str, Any] = {
    "task": "nli",
    "train": TRAIN,
    "quality": {"min_rows": 10},
    "generation": {"parallel_shards": 2},
    "student": {"model": "azureml://registries/r/models/m/versions/1"},
}
ROWS = 10  # of a shard
REFERENCES = {
    "round",
    "run_id",
    "split",
    "splits",
    "index",
    "needed",
    "keeps_failed",
    "shards",
    "finished",
    "max_rejected",
    "max_hours",
    "max_silent_minutes",
    "student",
    "report_metrics",
    "job",
    "cancel",
    "outcome",
    "status",
    "started",
}
"""Fields of what activities are given, besides `PREPARE_RUN` and `WRITE_REPORT`."""
MODELS = [f"azureml://registries/r/models/m{number}/versions/1" for number in range(3)]
SEVERAL: dict[str, Any] = {"student": [{"model": model} for model in MODELS]}


def ok(**fields: Any) -> dict[str, Any]:
    return {"status": "ok", **fields}


def failed(message: str, *problems: str, code: str = "failed") -> dict[str, Any]:
    details = [{"where": "here", "problem": problem} for problem in problems]
    return {"status": "failed", "error": {"code": code, "message": message, "details": details}}


def job(status: str, **fields: Any) -> dict[str, Any]:
    """A job as activities show it."""
    usual: dict[str, Any] = {
        "job": RUN_ID,
        "service_status": status.title(),
        "url": "https://studio/job",
        "status": status,
    }
    return JobState.model_validate({**usual, **fields}).model_dump(mode="json")


def counters(rows: int, done: int | None = None, **fields: Any) -> dict[str, Any]:
    done = rows if done is None else done
    return {
        "rows": rows,
        "done": done,
        "accepted": done,
        "examples": fields.get("accepted", done),
        "held_out_examples": fields.get("held_out", 0),
        "rejected": {},
        "shards": rows // ROWS,
        **fields,
    }


def training(ends: list[str], seconds: float = 20) -> dict[str, Activity]:
    """Jobs by student, which take so long and end as told."""

    def shown(number: int, status: str) -> Any:
        model = f"student-{number}:1" if status == "completed" else None
        return ok(job=job(status, job=f"{RUN_ID}-s{number + 1}", model=model))

    def poll(payload: dict[str, Any]) -> Any:
        number: int = payload["student"]
        return After(seconds, shown(number, ends[number]))

    return {
        SUBMIT_FINETUNING: lambda payload: shown(payload["student"], "queued"),
        POLL_FINETUNING: poll,
        CANCEL_FINETUNING: lambda payload: shown(payload["student"], "cancelled"),
    }


class Service:
    """A fine-tuning service with one job. Each poll finds the next status; the last one stays."""

    def __init__(self, *statuses: str) -> None:
        self.statuses = list(statuses) or ["running", "completed"]
        self.cancelled = False

    def submit(self, _: dict[str, Any]) -> Any:
        return ok(job=job("queued"))

    def poll(self, _: dict[str, Any]) -> Any:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return ok(job=job(status, model="student:1" if status == "completed" else None))

    def cancel(self, _: dict[str, Any]) -> Any:
        """The job goes on for one poll more, as in reality."""
        self.statuses = ["cancelling", "cancelled"]
        self.cancelled = True
        return ok(job=job("cancelling"))

    def activities(self) -> dict[str, Activity]:
        return {
            SUBMIT_FINETUNING: self.submit,
            POLL_FINETUNING: self.poll,
            CANCEL_FINETUNING: self.cancel,
            CONCLUDE_FINETUNING: lambda payload: ok(job=payload["job"], warnings=[]),
        }


class Distillation:
    """A root orchestration with shards by split.

    `instead` replaces activities by name; `request` replaces fields of the usual request.
    """

    def __init__(
        self,
        shards: dict[str, int] | None = None,
        *,
        spec: dict[str, Any] | None = None,
        statuses: Sequence[str] = (),
        instead: dict[str, Activity] | None = None,
        **request: Any,
    ) -> None:
        self.shards = shards or {"train": 3, "validation": 2}
        self.spec = {**SPEC, **(spec or {})}
        self.service = Service(*statuses)
        usual: dict[str, Activity] = {
            PREPARE_RUN: lambda _: ok(
                spec=self.spec, etags=dict.fromkeys(self.shards, "0x1"), warnings=["mind"]
            ),
            SCAN_DATASET: lambda _: ok(
                splits={split: self.scanned(count) for split, count in self.shards.items()}
            ),
            PREFLIGHT: lambda _: ok(),
            GENERATE_SHARD: lambda _: ok(accepted=ROWS, rejected=0),
            ABANDON_SHARD: lambda _: ok(accepted=0, rejected=ROWS, failed=ROWS),
            READ_FIRST_WAVE: lambda _: ok(rows={"usable": ROWS}),
            READ_PROGRESS: self._progress,
            ASSEMBLE_SPLIT: lambda payload: ok(counters=counters(ROWS * payload["shards"])),
            WRITE_REPORT: self._report,
            ANNOUNCE_END: lambda _: ok(),
            **self.service.activities(),
            POLL_FINETUNING: self._poll_and_tell,
        }
        self.hub = Hub({**usual, **(instead or {})})
        self.root = self.hub.start(DISTILLATION_RUN, RUN_ID, {**REQUEST, **request})

    def run(self) -> Instance:
        """Until everything has ended."""
        self.hub.run()
        assert self.root.status.is_terminal, f"still in {self.root.custom_status}"
        return self.root

    def cancel_at(self, seconds: float) -> None:
        """As `POST /api/runs/{id}/cancel` does."""

        def cancel() -> None:
            self.hub.raise_event(RUN_ID, Event.CANCEL, "user")
            following = self.hub.instances.get(finetuning_id(RUN_ID))
            if following and not following.status.is_terminal:
                self.hub.raise_event(following.id, Event.CANCEL, "user")

        self.hub.at(seconds, cancel)

    def stages(self) -> list[str]:
        """The stages shown, each once."""
        return list(dict.fromkeys(status["stage"] for _, status in self.root.custom_statuses))

    @property
    def shown(self) -> dict[str, Any]:
        """The last custom status."""
        return self.root.custom_status

    @property
    def reported(self) -> dict[str, Any]:
        """What the one report was written from."""
        (call,) = self.hub.called(WRITE_REPORT)
        return call.input

    @staticmethod
    def scanned(shards: int) -> dict[str, Any]:
        rows = ROWS * shards
        return {
            "rows": rows,
            "valid": rows,
            "rejected": {},
            "samples": [],
            "estimate": {"requests": 3, "prompt_tokens": 9, "completion_tokens": 3},
            "shards": shards,
        }

    def _progress(self, _: dict[str, Any]) -> dict[str, Any]:
        ended = [
            call.input["split"]
            for call in self.hub.called(GENERATE_SHARD)
            if call.ended is not None
        ]
        return ok(
            splits={
                split: counters(ROWS * n, ROWS * ended.count(split))
                for split, n in self.shards.items()
            }
        )

    def _report(self, request: dict[str, Any]) -> dict[str, Any]:
        """The counters are those of the progress, if the run came so far."""
        outputs = {"report": f"runs/{RUN_ID}/report.json"}
        splits: dict[str, Any] = {}
        if request["status"]["splits"]:
            splits = self._progress({})["splits"]
        return ok(outputs=outputs, counters=splits)

    def _poll_and_tell(self, payload: dict[str, Any]) -> Any:
        polled = self.service.poll(payload)
        if polled["job"] != payload["job"]:
            self.hub.raise_event(RUN_ID, Event.JOB_CHANGED, {"student": 0, "job": polled["job"]})
        return polled
