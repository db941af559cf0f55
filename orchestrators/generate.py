"""Generate: one `generate_split` for each split, which fans out over its shards."""

from __future__ import annotations

from collections.abc import Iterable

import azure.durable_functions as df

from orchestrators.durable.context import Context
from orchestrators.durable.edge import ContinueAsNew, Steps, implements
from orchestrators.durable.sliding_window import SlidingWindow
from orchestrators.durable.waiting import RunFailed, SubOrchestration, call, first_of, start
from orchestrators.durable.window_items import End, Launch, Then
from orchestrators.root import Root, RunCancelled
from shared.core.backoff import progress_interval
from shared.core.counters import Counters
from shared.core.errors import ErrorCode, ErrorData
from shared.core.ids import generation_id
from shared.core.paths import Split
from shared.generation.first_wave import FIRST_WAVE_SPLIT
from shared.generation.shard_losses import abandoned_shard_warnings
from shared.generation.split_target import split_target
from shared.generation.success_ratio import max_rejected, most_decided
from shared.runs.contracts import (
    ABANDON_SHARD,
    GENERATE_SHARD,
    GENERATE_SPLIT,
    READ_FIRST_WAVE,
    SEAL_UNNEEDED,
    AbandonedShard,
    FirstWaveRequest,
    GenerateSplit,
    ShardOutcome,
    ShardRequest,
    SplitOutcome,
    UnneededShards,
    WindowState,
)
from shared.runs.first_wave import (
    NO_TOKENS,
    after_first_wave,
    forecast,
    forecast_error,
    forecast_warnings,
)
from shared.runs.gates import during_generation, valid_rows
from shared.runs.wire import Failed
from shared.scan.plan import FIRST_WAVE_ROWS, SplitScan, first_wave_shards
from shared.spec.budget import Usage
from shared.spec.models import RunSpec

Generation = SubOrchestration[SplitOutcome]

bp = df.Blueprint()


def generate_splits(root: Root, spec: RunSpec, scans: dict[Split, SplitScan]) -> Steps[None]:
    """Answer the first rows, then train and validation side by side.

    Raises RunFailed, RunCancelled.
    """
    root.enter("generate")
    root.apply_concurrency()
    requests: dict[Split, GenerateSplit] = {}
    for split in root.asked_splits:
        requests[split] = _split_request(root, spec, split, scans[split])
    train = requests["train"]
    if train.target is not None and root.round:
        stored = yield from root.read_progress(spec)
        target = train.target.after_earlier_rounds(stored.get("train"))
        requests["train"] = train.model_copy(update={"target": target})
    if not spec.answers.are_provided:
        request = requests[FIRST_WAVE_SPLIT]
        requests[FIRST_WAVE_SPLIT] = yield from _take_first_wave(root, spec, scans, request)
    splits: dict[Split, Generation] = {}
    for split, request in requests.items():
        splits[split] = _start_split(root, request)
    error, _ = yield from _follow_splits(root, spec, scans, splits)
    if error:
        raise RunFailed(error)


def _take_first_wave(
    root: Root, spec: RunSpec, scans: dict[Split, SplitScan], request: GenerateSplit
) -> Steps[GenerateSplit]:
    """Answer the first training rows alone, and judge by them whether the others are asked.

    Returns the request for the other rows of the split. Raises RunFailed, RunCancelled.
    """
    shards = min(request.shards, first_wave_shards(spec.generation.rows_per_shard))
    update = {"shards": shards, "is_first_wave": True}
    generation = _start_split(root, request.model_copy(update=update))
    splits: dict[Split, Generation] = {FIRST_WAVE_SPLIT: generation}
    error, counters = yield from _follow_splits(root, spec, scans, splits, is_first_wave=True)
    if error and error["code"] != ErrorCode.SUCCESS_RATIO:
        raise RunFailed(error)
    outcome = _outcome(generation)
    wave_request = FirstWaveRequest(run_id=root.run_id, shards=shards, round=root.round)
    wave = yield from root.call(READ_FIRST_WAVE, wave_request)
    error = after_first_wave(spec, wave.rows) or error
    error = error or outcome.losses.ratio_error(request.split, request.max_rejected, None)
    if error:
        raise RunFailed(error)
    expected = forecast(spec, scans, counters, wave.rows, root.round)
    if wave.rows.has_no_tokens:
        root.status.warn([NO_TOKENS])
    if expected:
        expected.add(root.status.preflight)
        _apply_forecast(root, spec, expected)
    root.enter("generate")
    window = WindowState(next_number=shards)
    carried = {"window": window, "losses": outcome.losses, "target": outcome.target}
    return request.model_copy(update=carried)


def _apply_forecast(root: Root, spec: RunSpec, expected: Usage) -> None:
    """Show what the run is expected to use. Raises RunFailed if its budget is far too small."""
    root.status.forecast(expected, spec.budget)
    error = forecast_error(spec, expected)
    if error:
        raise RunFailed(error)
    root.status.warn(forecast_warnings(spec, expected))


def _split_request(root: Root, spec: RunSpec, split: Split, scan: SplitScan) -> GenerateSplit:
    return GenerateSplit(
        run_id=root.run_id,
        split=split,
        shards=scan.shards,
        parallel=spec.generation.parallel_shards,
        max_rejected=max_rejected(spec, most_decided(spec, split, scan.valid)),
        round=root.round,
        target=split_target(spec, split),
    )


def _start_split(root: Root, request: GenerateSplit) -> Generation:
    """Start to answer the shards of a split, as many at a time as the user wants now."""
    parallel = root.status.parallel_shards or request.parallel
    request = request.model_copy(update={"parallel": parallel})
    instance_id = generation_id(root.run_id, request.split)
    return start(root.context, GENERATE_SPLIT, request, instance_id)


def _follow_splits(
    root: Root,
    spec: RunSpec,
    scans: dict[Split, SplitScan],
    splits: dict[Split, Generation],
    *,
    is_first_wave: bool = False,
) -> Steps[tuple[ErrorData | None, dict[Split, Counters]]]:
    """Show progress until every split has ended. Return the first error, and the last counters.

    Progress is read less and less often, which keeps the history bounded. The first wave isn't
    judged before it is answered whole. Raises RunCancelled.
    """
    error: ErrorData | None = None
    counters: dict[Split, Counters] = {}
    began = root.context.current_utc_datetime
    running = list(splits.values())
    while running:
        elapsed = (root.context.current_utc_datetime - began).total_seconds()
        tasks = [generation.task for generation in running]
        yield from first_of(root.context, [*tasks, *root.events], progress_interval(elapsed))
        root.apply_concurrency()
        error = error or _first_error(running)
        root.announce_stop(failed=error is not None)
        running = [generation for generation in running if not generation.is_completed]
        counters = yield from root.read_progress(spec)
        if not is_first_wave:
            error = error or during_generation(spec, counters, valid_rows(scans), root.round)
        root.announce_stop(failed=error is not None)
    for split, generation in splits.items():
        root.status.warn(abandoned_shard_warnings(split, _outcome(generation).losses.messages))
    if root.is_cancelled:
        raise RunCancelled
    return error, counters


def _first_error(generations: Iterable[Generation]) -> ErrorData | None:
    """Return the error of the first split that has failed."""
    for generation in generations:
        if generation.is_completed and (error := _outcome(generation).error):
            return error
    return None


def _outcome(generation: Generation) -> SplitOutcome:
    """Return how a completed split ended, also if its orchestration raised."""
    try:
        return generation.output()
    except RunFailed as failure:
        return SplitOutcome(status="failed", error=failure.error)


@bp.orchestration_trigger(context_name="context", orchestration=GENERATE_SPLIT)
@implements(GENERATE_SPLIT, lambda request: generation_id(request.run_id, request.split))
def generate_split(
    context: Context, request: GenerateSplit
) -> Steps[SplitOutcome | ContinueAsNew[GenerateSplit]]:
    """Answer the shards of one split.

    What ends the split ends the starting of shards. Running shards learn of it through the custom
    status and are awaited, so nothing works on unseen.
    """
    shards = _ShardItems(request)
    window = SlidingWindow(context, shards, request.window)
    yield from window.run()
    if not window.is_complete:
        carried = {
            "window": window.state,
            "losses": shards.losses,
            "parallel": shards.parallel,
            "target": shards.target,
        }
        return ContinueAsNew(request.model_copy(update=carried))
    outcome = window.ending or SplitOutcome(status="ok")
    if outcome.status == "ok" and shards.target is not None:
        outcome = yield from _seal_unneeded(context, request, shards.next_number)
    return outcome.model_copy(update={"losses": shards.losses, "target": shards.target})


def _seal_unneeded(context: Context, request: GenerateSplit, first: int) -> Steps[SplitOutcome]:
    """Seal the shards that were not begun: the target was reached before."""
    while first < request.shards:
        unneeded = UnneededShards(run_id=request.run_id, split=request.split, first=first)
        try:
            sealed = yield from call(context, SEAL_UNNEEDED, unneeded)
        except RunFailed as failure:
            return SplitOutcome(status="failed", error=failure.error)
        first = sealed.next
    return SplitOutcome(status="ok")


class _ShardItems:
    """The shards of one split.

    Which losses are too many: shared/generation/shard_losses.py. Which shards are needed, and how
    much of them: shared/generation/split_target.py.
    """

    def __init__(self, request: GenerateSplit) -> None:
        self._request = request
        self.parallel = request.parallel
        self.losses = request.losses
        self.target = request.target
        self.next_number = request.window.next_number
        """The first shard that was not begun."""
        self._unfinished = set(request.window.unfinished)

    @property
    def count(self) -> int:
        """The shards that may be begun by now. It grows as shards end, if they have to wait."""
        if self.target is None or self.target.may_begin(len(self._unfinished)):
            return self._request.shards
        return self.next_number

    def launch(self, number: int) -> Launch[ShardOutcome]:
        request = self._request
        earlier = sum(unfinished < number for unfinished in self._unfinished)
        needed = self.target.needed(earlier) if self.target else None
        self._unfinished.add(number)
        self.next_number = max(self.next_number, number + 1)
        if error := self.losses.errors.get(number):
            abandoned = AbandonedShard(
                run_id=request.run_id,
                split=request.split,
                index=number,
                reason=error["message"],
                round=request.round,
                needed=needed,
            )
            return Launch(ABANDON_SHARD, abandoned)
        shard = ShardRequest(
            run_id=request.run_id,
            split=request.split,
            index=number,
            max_rejected=FIRST_WAVE_ROWS if request.is_first_wave else request.max_rejected,
            round=request.round,
            needed=needed,
            keeps_failed=self.target is not None and self.target.keeps_failed,
        )
        return Launch(GENERATE_SHARD, shard)

    def handle_output(self, number: int, output: ShardOutcome | Failed) -> Then | End[SplitOutcome]:
        if isinstance(output, Failed):
            return _failure(output.error)
        if output.status == "paused":
            return Then.PAUSE
        self.parallel = output.parallel or self.parallel
        if output.status == "unfinished":
            return Then.START_AGAIN
        if output.status == "stopped":
            return End(SplitOutcome(status="stopped"))
        self._unfinished.discard(number)
        if self.target is not None:
            self.target = self.target.after_end(output.contributed)
        cause = self.losses.errors.get(number)
        self.losses = self.losses.after_end(number, output.failed)
        if self._request.is_first_wave and cause is None:
            return Then.DONE  # it is judged once it is answered whole
        error = self.losses.ratio_error(self._request.split, self._request.max_rejected, cause)
        return Then.DONE if error is None else _failure(error)

    def handle_exhausted(self, number: int, error: ErrorData) -> Then | End[SplitOutcome]:
        fatal = self.losses.fatal_error(number, error)
        if fatal is not None:
            return _failure(fatal)
        self.losses = self.losses.after_failure(number, error)
        return Then.START_AGAIN


def _failure(error: ErrorData) -> End[SplitOutcome]:
    return End(SplitOutcome(status="failed", error=error))
