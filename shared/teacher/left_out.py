"""The teacher's deployments that a run did without, for its status.

A worker writes a blob for each, with the first problem; the run's progress reads them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.core.paths import RunPaths

if TYPE_CHECKING:
    from shared.core.storage import Storage

MAX_PROBLEM_CHARACTERS = 300  # a run's status is small


def left_out_warning(place: str, problem: str) -> str:
    """Return the warning of a deployment, by its setting and what is wrong with it."""
    return f"{place} was left out, and others were asked instead: {problem}"


async def begin_left_out(
    storage: Storage, paths: RunPaths, problems: Mapping[str, str]
) -> list[str]:
    """Keep the deployments that preflight left out, and no others. Return the warnings."""
    async for name in storage.names_under(paths.left_out_deployments):
        await storage.delete(name)
    await write_left_out(storage, paths, problems)
    return await read_left_out(storage, paths)


async def write_left_out(storage: Storage, paths: RunPaths, problems: Mapping[str, str]) -> None:
    """Keep what is wrong with each deployment, by its setting. The first problem stays."""
    for place, problem in problems.items():
        warning = left_out_warning(place, problem[:MAX_PROBLEM_CHARACTERS])
        await storage.create(f"{paths.left_out_deployments}{place}.txt", warning.encode())


async def read_left_out(storage: Storage, paths: RunPaths) -> list[str]:
    """Return a warning for each deployment that was left out."""
    names = [name async for name in storage.names_under(paths.left_out_deployments)]
    contents = await asyncio.gather(*[storage.read(name) for name in sorted(names)])
    return [content.decode() for content in contents]
