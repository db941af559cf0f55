"""write_report: what became of the run, as a card for people and, last of all, `report.json` as the manifest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import azure.durable_functions as df

from activities.names import WRITE_REPORT
from activities.outcome import Payload, ok, returns_permanent_failures
from activities.prepare import read_spec
from activities.progress import split_tally
from shared import settings
from shared.account import open_storage
from shared.errors import NotFound, PermanentError
from shared.paths import RUNS, RunPaths, Split
from shared.plan import Plan
from shared.report import FileFacts, Report, card, file_facts
from shared.rows import JSON_LINES
from shared.spec import RunSpec
from shared.staging import commit_output
from shared.status import RunStatus
from shared.tally import Tally

if TYPE_CHECKING:
    from shared.storage import Storage

bp = df.Blueprint()


@bp.activity_trigger(input_name="run", activity=WRITE_REPORT)
@returns_permanent_failures
async def write_report(run: Payload) -> Payload:
    """`{run_id, splits, outcome, status}` → `{outputs}`: paths of what was written, by name."""
    paths, splits, state = RunPaths(run["run_id"]), list[Split](run["splits"]), RunStatus.model_validate(run["status"])
    async with open_storage(settings.current()) as storage:
        spec = await read_spec(storage, paths)
        counts: dict[Split, Tally] = {split: await _counts(storage, paths, split) for split in splits}
        await _write_rejected(storage, spec, paths, splits, counts)
        report = Report(
            run=paths.run_id,
            status=run["outcome"],
            task=spec.task,
            finished=datetime.now(UTC).replace(microsecond=0),
            inputs={split: await _facts(storage, paths.input(split)) for split in splits},
            outputs=await _outputs(storage, paths, splits),
            counts={**counts},
            specification=spec,
            finetune=state.finetune,
            error=state.error,
            warnings=state.warnings,
        )
        _check(report)
        await storage.write(paths.card, card(report).encode(), content_type="text/markdown; charset=utf-8")
        await storage.write(paths.report, report.model_dump_json(indent=1).encode())
    written = {name: facts.path for name, facts in report.outputs.items()}
    return ok(outputs={**written, "card": f"{RUNS}/{paths.card}", "report": f"{RUNS}/{paths.report}"})


async def _counts(storage: Storage, paths: RunPaths, split: Split) -> Tally:
    """A split's rows as the scan counted them, and what became of them; where no shard was begun, what the scan rejected."""
    tally = await split_tally(storage, paths, split)
    try:
        plan = Plan.model_validate(await storage.read_json(paths.plan(split)))
    except NotFound:  # the run ended before the scan
        return tally
    begun = {} if tally.shards else {"rejected": plan.rejected, "done": sum(plan.rejected.values())}
    return tally.model_copy(update={"rows": plan.rows, **begun})


async def _write_rejected(
    storage: Storage, spec: RunSpec, paths: RunPaths, splits: list[Split], counts: dict[Split, Tally]
) -> None:
    if any(tally.shards for tally in counts.values()):
        await commit_output(storage, spec, paths, splits, "rejected")
        return
    try:
        found = b"".join([chunk async for chunk in storage.stream(paths.scan_rejected)])
    except NotFound:  # the run ended before the scan
        found = b""
    await storage.write(paths.rejected, found, content_type=JSON_LINES)


async def _outputs(storage: Storage, paths: RunPaths, splits: list[Split]) -> dict[str, FileFacts]:
    found: dict[str, FileFacts] = {}
    for name, blob in [*((split, paths.dataset(split)) for split in splits), ("rejected", paths.rejected)]:
        try:
            found[name] = await _facts(storage, blob)
        except NotFound:  # the run ended before this file was due
            continue
    return found


async def _facts(storage: Storage, name: str) -> FileFacts:
    return await file_facts(f"{RUNS}/{name}", storage.stream(name))


def _check(report: Report) -> None:
    """Lines in the files against the counts: the last guard of the conservation law."""
    for split, tally in report.counts.items():
        written = report.outputs.get(split)
        if written is not None and written.lines != tally.accepted:
            message = f"{written.path} has {written.lines} lines, {tally.accepted} rows were accepted"
            raise PermanentError(message, code="conservation")
