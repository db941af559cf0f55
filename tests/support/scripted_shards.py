"""Shards of a run folder, worked at with a scripted teacher."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from shared.assembly.commit import commit_rejected
from shared.core.counters import Counters, total
from shared.core.paths import Split
from shared.dataset.rows import Message
from shared.generation.ask_turn import AsksTeacher
from shared.generation.shard import ShardRun
from shared.teacher import Completion
from tests.shared.conftest import RunFolder, commit_split

Answer = Callable[[str], str | Exception]


def plus_one(text: str) -> str:
    """The answer to `What is N + 1?`."""
    return str(int(text.split()[2]) + 1)


class ScriptedTeacher:
    """Answers by a function of the last user message, and counts the questions in `asked`."""

    def __init__(
        self, answer: Answer = plus_one, *, wait: float = 0, is_redacted: bool = False
    ) -> None:
        self.answer = answer
        self.is_redacted = is_redacted
        self.wait = wait
        self.asked: Counter[str] = Counter()

    def when_none_waits(self, call: Callable[[], None]) -> None:
        for _ in range(100):
            call()

    def stop(self) -> None: ...

    async def complete(self, messages: list[Message], **_: Any) -> Completion:
        text = messages[-1]["content"]
        self.asked[text] += 1
        await asyncio.sleep(self.wait)
        reply = self.answer(text)
        if isinstance(reply, Exception):
            raise reply
        finish = "length" if reply == "cut" else "stop"
        usual = Completion(reply, finish, None, None, 10, 2, "scripted-1")
        return replace(usual, is_redacted=self.is_redacted)


async def never() -> bool:
    return False


def shard_run(
    folder: RunFolder,
    teacher: AsksTeacher,
    index: int = 0,
    split: Split = "train",
    *,
    max_rejected: int = 1000,
    is_stopped: Callable[[], Awaitable[bool]] = never,
) -> ShardRun:
    """An execution of one shard."""
    return ShardRun(
        storage=folder.storage,
        teacher=teacher,
        spec=folder.spec,
        paths=folder.paths,
        split=split,
        index=index,
        shard=folder.plans[split].shards[index],
        shards=len(folder.plans[split].shards),
        max_rejected=max_rejected,
        is_stopped=is_stopped,
        redact=str,
    )


async def run_all(folder: RunFolder, teacher: ScriptedTeacher, split: Split = "train") -> Counters:
    """Run every shard of a split, one after the other, and commit its outputs."""
    shards = range(len(folder.plans[split].shards))
    tallies = [await shard_run(folder, teacher, index, split).run() for index in shards]
    await commit_split(folder, split)
    await commit_rejected(folder.storage, folder.spec, folder.paths, [split])
    return total(tallies)


def user_texts(jsonl: str) -> list[str]:
    """The first message of each example."""
    return [json.loads(line)["messages"][0]["content"] for line in jsonl.splitlines()]
