"""write_report: what became of the run, as a card for people and, last of all, `report.json` as the manifest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING

import azure.durable_functions as df

from activities.names import WRITE_REPORT
from activities.outcome import Payload, ok, returns_permanent_failures
from activities.prepare import read_spec
from activities.progress import split_counters
from shared.assembly.commit import commit_rejected
from shared.core import settings
from shared.core.counters import Counters
from shared.core.errors import ErrorCode, NotFound, PermanentError
from shared.core.paths import JSON_LINES, RUNS, SPLITS, RunPaths, Split
from shared.core.storage_account import open_storage
from shared.finetuning.record import Trained, TrainingRecord
from shared.report.model import FileFacts, Report, card, file_facts
from shared.report.statistics import Describer, Description
from shared.report.suggested_fixes import reason_lines
from shared.runs.status import RunStatus
from shared.scan.plan import PlanReader
from shared.spec.models import RunSpec
from shared.tasks import TASKS

if TYPE_CHECKING:
    from shared.core.storage import Storage

bp = df.Blueprint()


@bp.activity_trigger(input_name="run", activity=WRITE_REPORT)
@returns_permanent_failures
async def write_report(run: Payload) -> Payload:
    """`{run_id, splits, outcome, status, finished, round}` → `{outputs}`: paths of what was written, by name."""
    paths, splits, state = (
        RunPaths(run["run_id"]),
        list[Split](run["splits"]),
        RunStatus.model_validate(run["status"]),
    )
    async with open_storage(settings.current()) as storage:
        spec = await read_spec(storage, paths)
        counts = await _write_rejected(storage, spec, paths, splits)
        outputs, datasets = await _outputs(storage, spec, paths)
        expected = _expected_lines(counts)
        if run["outcome"] != "completed":
            _leave_out_earlier(outputs, datasets, expected)
        report = Report(
            run=paths.run_id,
            status=run["outcome"],
            task=spec.task,
            round=run.get("round", 0),
            finished=datetime.fromisoformat(run["finished"]).replace(microsecond=0),
            inputs={
                split: await file_facts(*_source(storage, paths.input(split))) for split in splits
            },
            outputs=outputs,
            counts={**counts},
            reasons=[
                line
                for split, counters in counts.items()
                for line in reason_lines(split, counters, spec)
            ],
            datasets=datasets,
            cost=state.cost,
            estimate=state.estimate,
            specification=spec,
            finetune=state.finetune,
            training=await _training(storage, spec, paths),
            error=state.error,
            warnings=state.warnings,
        )
        _check(report, expected)
        await storage.write(
            paths.card, card(report).encode(), content_type="text/markdown; charset=utf-8"
        )
        await storage.write(paths.report, report.model_dump_json(indent=1).encode())
    written = {name: facts.path for name, facts in report.outputs.items()}
    return ok(
        outputs={**written, "card": f"{RUNS}/{paths.card}", "report": f"{RUNS}/{paths.report}"}
    )


async def _write_rejected(
    storage: Storage, spec: RunSpec, paths: RunPaths, splits: list[Split]
) -> dict[Split, Counters]:
    """Write `rejected.jsonl`, and return the by_split whose rejections are those that stand there."""
    by_split: dict[Split, Counters] = {
        split: await split_counters(storage, paths, split) for split in splits
    }
    try:
        rejected = await commit_rejected(storage, spec, paths, splits)
        rows = {split: (await PlanReader(storage, paths, split).plan()).rows for split in splits}
    except NotFound:  # the run ended before the scan
        await storage.write(paths.rejected, b"", content_type=JSON_LINES)
        return by_split
    for split, counters in by_split.items():
        reasons = dict(sorted(rejected[split].items()))
        found = {
            "rejected": reasons,
            "rows": rows[split],
            "done": counters.accepted + sum(reasons.values()),
        }
        by_split[split] = counters.model_copy(update=found)
    return by_split


async def _outputs(
    storage: Storage, spec: RunSpec, paths: RunPaths
) -> tuple[dict[str, FileFacts], dict[str, Description]]:
    """What was made so far, by name; and what the datasets among it are like."""
    outputs: dict[str, FileFacts] = {}
    datasets: dict[str, Description] = {}
    for split in SPLITS:
        describer = Describer(has_values=TASKS[spec.task].has_values)
        try:
            outputs[split] = await file_facts(
                *_source(storage, paths.dataset(split)), describer.take
            )
        except NotFound:  # the run ended before this file was due, or has none
            continue
        datasets[split] = describer.description()
    outputs["rejected"] = await file_facts(*_source(storage, paths.rejected))
    return outputs, datasets


async def _training(storage: Storage, spec: RunSpec, paths: RunPaths) -> list[Trained]:
    """How the students whose training began came out of it."""
    trained: list[Trained] = []
    for number, student in enumerate(spec.students):
        try:
            record = TrainingRecord.model_validate(await storage.read_json(paths.training(number)))
        except NotFound:
            continue
        trained.append(record.told(student))
    return trained


def _source(storage: Storage, name: str) -> tuple[str, AsyncIterator[bytes]]:
    return f"{RUNS}/{name}", storage.stream(name)


def _expected_lines(counts: dict[Split, Counters]) -> dict[str, int]:
    """Lines that each dataset has when it is complete."""
    held_out = sum(counters.held_out for counters in counts.values())
    made = {"validation": held_out} if held_out else {}
    return {**made, **{split: counters.not_held_out for split, counters in counts.items()}}


def _leave_out_earlier(
    outputs: dict[str, FileFacts], datasets: dict[str, Description], expected: dict[str, int]
) -> None:
    """A run that was resumed and stopped again still has the datasets of the round before, with fewer rows than it has now."""
    for split in [name for name in datasets if outputs[name].lines != expected.get(name)]:
        del outputs[split], datasets[split]


def _check(report: Report, expected: dict[str, int]) -> None:
    """Lines in the files against the counts: the last guard of the conservation law."""
    for split, lines in expected.items():
        written = report.outputs.get(split)
        if written is not None and written.lines != lines:
            message = f"{written.path} has {written.lines} lines, {lines} rows were accepted for it"
            raise PermanentError(message, code=ErrorCode.CONSERVATION)
