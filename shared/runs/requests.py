"""Requests: what starts a run, the same for an upload and for `POST /api/runs`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, cast

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.core.errors import ErrorCode, InvalidInput, NotFound, PermanentError, Problem
from shared.core.ids import named_run_id, random_run_id, upload_run_id
from shared.core.json_values import JsonObject, decode_json, json_object
from shared.core.paths import RUNS, RunPaths, beside, split_path
from shared.runs import run_index
from shared.runs.file_names import SPECIFICATION_FILE, SPLIT_FILES
from shared.runs.near_misses import unknown_task
from shared.runs.tombstones import RunGone, check_not_deleted
from shared.spec.models import RunSpec
from shared.spec.parse import SCHEMA_KEY, parse_spec
from shared.tasks import TASKS

if TYPE_CHECKING:
    from shared.core.storage import Storage

MAX_NAME_CHARACTERS = 100  # of a run's name; a folder's may be longer


class RunRequest(BaseModel):
    """Input of the root orchestrator, kept as `<run id>/request.json`.

    `body` is None for uploads: `run.json` is read.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    source: Literal["upload", "http"]
    task: str
    name: str
    train: str
    etag: str
    created: AwareDatetime | None = None
    """When the run was first asked for: None before it is claimed."""
    body: JsonObject | None = None
    round: int = 0
    """How often the run was resumed."""
    changes: JsonObject = Field(default_factory=JsonObject)
    """Sections of the specification, which replace settings of the first round."""


async def request_of_upload(storage: Storage, path: str) -> RunRequest | None:
    """Return the request for the current version of a training set, None if it was deleted."""
    properties = await storage.properties(path)
    if properties is None:
        return None
    _, task, *name, _ = path.split("/")
    run_id = upload_run_id(path, properties.etag)
    return RunRequest(
        run_id=run_id,
        source="upload",
        task=task,
        name="/".join(name),
        train=path,
        etag=properties.etag,
    )


async def request_of_body(storage: Storage, body: object) -> RunRequest:
    """Return the request for a specification in the body of an HTTP request.

    Raises InvalidInput with every problem, NotFound.
    """
    spec = parse_spec(body)
    properties = await storage.properties(spec.train)
    missing: list[Problem] = []
    if properties is None:
        missing.append({"where": "train", "problem": f"{spec.train} does not exist"})
    for split, path in spec.inputs.items():
        if split != "train" and await storage.properties(path) is None:
            missing.append({"where": split, "problem": f"{path} does not exist"})
    refusal = await reuse_refusal(storage, spec)
    if missing or properties is None:
        raise NotFound(
            "the dataset does not exist", details=[*missing, *(refusal.details if refusal else ())]
        )
    if refusal:
        raise refusal
    name = spec.name or _dataset_name(spec.train)
    settings = {**cast(JsonObject, body)}
    settings.pop(SCHEMA_KEY, None)
    run_id = (
        named_run_id(spec.task, name, spec.train, properties.etag)
        if spec.name
        else random_run_id(spec.task, name)
    )
    return RunRequest(
        run_id=run_id,
        source="http",
        task=spec.task,
        name=name,
        train=spec.train,
        etag=properties.etag,
        body=settings,
    )


async def reuse_refusal(storage: Storage, spec: RunSpec, run_id: str = "") -> PermanentError | None:
    """Return why the run named in `reuse` cannot be reused, None if it can.

    `run_id` is the new run's, if it has one.
    """
    if spec.reuse is None:
        return None
    if spec.reuse == run_id:
        return _refusal(InvalidInput, "is this run itself: name an earlier run, or remove it")
    try:
        await check_not_deleted(storage, spec.reuse)
        earlier = await read_request(storage, spec.reuse)
    except NotFound:
        return _refusal(NotFound, f"run {spec.reuse} doesn't exist: GET /api/runs lists all runs")
    except RunGone as gone:
        return _refusal(NotFound, f"{gone}: its answers can't be used again; remove `reuse`")
    if earlier.task != spec.task:
        return _refusal(
            InvalidInput,
            f"run {spec.reuse} has task {earlier.task}: name a run of task {spec.task}",
        )
    return None


def _now() -> datetime:
    """Return the moment, in milliseconds as the index of runs has it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _refusal(kind: type[PermanentError], problem: str) -> PermanentError:
    return kind(
        "the run named in reuse cannot be used", details=[{"where": "reuse", "problem": problem}]
    )


class _ClaimedRequest(RunRequest):
    """What `request.json` holds: a request, and the task hub in which its run works."""

    hub: str = ""


async def claim(storage: Storage, request: RunRequest, hub: str = "") -> RunRequest:
    """Write the request, once, with the name of the task hub in which its run works, and its entry
    in the index of runs. Return the request to start: a repeated one is created when the first was.

    If the task hub is lost, runs can be started again from it. Apps or slots with hubs of their own
    may share a storage account: raises PermanentError if the run belongs to another one.

    Raises RunGone if the run is being deleted, or was: the event of its upload has arrived
    again. That is checked after the write, so a deletion that begins meanwhile isn't missed: it
    deletes the request, or is seen here.
    """
    request = request.model_copy(update={"created": request.created or _now()})
    name = RunPaths(request.run_id).request
    is_new = await storage.create(name, _document(request, hub))
    try:
        await check_not_deleted(storage, request.run_id)
    except RunGone:
        if is_new:
            await storage.delete(name)
        raise
    if not is_new:
        await check_hub(storage, request.run_id, hub)
        first = await read_request(storage, request.run_id)
        request = request.model_copy(update={"created": first.created})
        if first.created is None:  # older than the index, which adds it by itself
            return request
    await run_index.add_run(storage, request.run_id, request.train, request.created)
    return request


async def read_request(storage: Storage, run_id: str) -> RunRequest:
    """Return a run's request. Raises NotFound, and PermanentError for a file that isn't one."""
    name = RunPaths(run_id).request
    try:
        return RunRequest.model_validate(await storage.read_json(name))
    except ValueError:  # pydantic's error too
        message = f"{RUNS}/{name} isn't the request of a run: restore it, or start a new run"
        raise PermanentError(message) from None


async def check_hub(storage: Storage, run_id: str, hub: str) -> None:
    """Raise PermanentError if a run belongs to another task hub, NotFound if there is none.

    Two orchestrations would work in the same folder, and neither would see the other.
    """
    document = json_object(await storage.read_json(RunPaths(run_id).request)) or {}
    owner = document.get("hub")
    if owner and hub and owner != hub:
        message = (
            f"run {run_id} belongs to the task hub {owner!r}, but this app has {hub!r}: ask the "
            "app with that hub. If nothing works for that hub any more, resume the run here with "
            "?take_over=true"
        )
        raise PermanentError(message, code=ErrorCode.OTHER_TASK_HUB)


async def write_request(
    storage: Storage, request: RunRequest, lease: str | None = None, hub: str = ""
) -> None:
    """Keep the request of a round, by the lease of whoever holds it."""
    name = RunPaths(request.run_id).request
    await storage.write(name, _document(request, hub), lease=lease)


def _document(request: RunRequest, hub: str) -> bytes:
    claimed = _ClaimedRequest(**request.model_dump(), hub=hub)
    return claimed.model_dump_json(indent=1).encode()


async def specification(storage: Storage, request: RunRequest) -> RunSpec:
    """Return the specification of a request. Raises InvalidInput with every problem."""
    if request.body is not None:
        return parse_spec(request.body)
    if request.task not in TASKS:
        path = "datasets/<task>/<name>/train.jsonl"
        problem = f"{unknown_task(request.task)} Upload to {path}."
        raise InvalidInput(
            "the dataset's path doesn't name a task",
            details=[{"where": request.train, "problem": problem}],
        )
    body = await _run_json(storage, beside(request.train, SPECIFICATION_FILE))
    for split, file_name in SPLIT_FILES.items():
        path = beside(request.train, file_name)
        if await storage.properties(path) is not None:
            body.setdefault(split, path)
    for key, value in (("task", request.task), ("train", request.train)):
        if body.setdefault(key, value) != value:
            problem = f"is {body[key]!r} in run.json but {value!r} by the dataset's path: remove it"
            raise InvalidInput(
                "run.json contradicts the dataset's path",
                details=[{"where": key, "problem": problem}],
            )
    body.setdefault("name", request.name[:MAX_NAME_CHARACTERS])
    return parse_spec(body)


async def _run_json(storage: Storage, path: str) -> JsonObject:
    try:
        document = await storage.read_path(path)
    except NotFound:
        return {}
    try:
        data = decode_json(document.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            f"{path} isn't valid JSON", details=[{"where": path, "problem": str(error)}]
        ) from None
    settings = json_object(data)
    if settings is None:
        raise InvalidInput(
            f"{path} must contain a JSON object",
            details=[{"where": path, "problem": "isn't an object"}],
        )
    return settings


def _dataset_name(train: str) -> str:
    """Return the name of a training set's folder, or of the file if it is in none."""
    _, name = split_path(train)
    folder, _, file_name = name.rpartition("/")
    return folder.rpartition("/")[2] or file_name.removesuffix(".jsonl")
