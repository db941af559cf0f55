"""One episode of an orchestrator, without any I/O: its context, and what its answer comes to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from local.functions_host.durable.actions import Command, ReplayError
from local.functions_host.durable.events import Event
from local.functions_host.durable.replay import Replay

OUT_OF_PROCESS_LABEL = "\n\n$OutOfProcData$:"
UPPER_SCHEMA_VERSION = 1  # the oldest SDKs know no higher number here
UPPER_SCHEMA_VERSION_NEW = 2
MAX_TIMER = "6.00:00:00"  # of one timer in Azure Storage; the SDK makes longer ones of several
LONG_TIMER_INTERVAL = "3.00:00:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What an episode came to.

    With `error` the orchestration has failed; with `continue_with` it begins anew with this input.
    """

    commands: list[Command] = field(default_factory=list[Command])
    is_done: bool = False
    output: Any = None
    error: str | None = None
    custom_status: Any = None
    continue_with: Any = None


def context_json(
    instance_id: str, input_: str | None, parent_id: str | None, history: Sequence[Event]
) -> str:
    """Return what the orchestration trigger hands to an orchestrator. `input_` is JSON text."""
    context = {
        "history": history,
        "input": json.loads(input_) if input_ is not None else None,
        "instanceId": instance_id,
        "isReplaying": False,
        "parentInstanceId": parent_id,
        "upperSchemaVersion": UPPER_SCHEMA_VERSION,
        "upperSchemaVersionNew": UPPER_SCHEMA_VERSION_NEW,
        "longRunningTimerIntervalDuration": LONG_TIMER_INTERVAL,
        "maximumShortTimerDuration": MAX_TIMER,
        "defaultHttpAsyncRequestSleepTimeMillseconds": 30000,
    }
    return json.dumps(context)


def read_answer(error: BaseException) -> dict[str, Any] | None:
    """Return the answer that an orchestrator's exception carries, None if it carries none."""
    _, label, data = str(error).partition(OUT_OF_PROCESS_LABEL)
    if not label:
        return None
    try:
        return cast(dict[str, Any], json.loads(data))
    except ValueError:
        return None


def decide(answer: Mapping[str, Any], history: Sequence[Event]) -> Decision:
    """Return what an orchestrator's answer comes to. Never raises: a wrong answer is a failure."""
    status = answer.get("customStatus")
    actions = cast(list[list[dict[str, Any]]], answer.get("actions") or [])
    if len(actions) != 1:
        problem = "the orchestrator's actions are not in the form of schema version 2 or 3"
        return Decision(error=problem, custom_status=status)
    try:
        replay = Replay(actions[0], history)
    except ReplayError as error:
        return Decision(error=str(error), custom_status=status)
    if not replay.finished:  # whatever the orchestrator has come to, the extension still waits
        return Decision(commands=replay.commands, custom_status=status)
    if answer.get("error"):
        return Decision(error=str(answer["error"]), custom_status=status)
    if replay.continue_as_new is not None:
        input_ = replay.continue_as_new.get("input", "null")
        return Decision(continue_with=input_, custom_status=status)
    return Decision(
        commands=replay.commands,
        is_done=bool(answer.get("isDone")),
        output=answer.get("output"),
        custom_status=status,
    )
