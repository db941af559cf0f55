"""A small JSON document that several workers change: read, change, write unless another one has.

Writes are conditional on the version that was read, so no change is lost and no lock is left behind
by a worker that is killed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from shared.core.errors import PermanentError, TransientError
from shared.core.paths import RUNS

if TYPE_CHECKING:
    from shared.core.storage import Storage, Version

ModelT = TypeVar("ModelT", bound=BaseModel)
ResultT = TypeVar("ResultT")

# After so many attempts, which take a minute or more, Durable retries the activity.
MAX_ATTEMPTS = 40
FIRST_PAUSE_SECONDS = 0.02
# Pauses grow until writers hardly meet: 100 of them then make 50 attempts a second. With pauses of
# up to a second they make 200, and a blob that takes 30 changes a second hardly gets to any.
MAX_PAUSE_SECONDS = 4.0


class SharedDocument(Generic[ModelT]):
    """One document. A blob that doesn't exist reads as the model's defaults."""

    def __init__(self, storage: Storage, name: str, model: type[ModelT]) -> None:
        self._storage = storage
        self._name = name
        self._model = model

    async def read(self) -> ModelT:
        """Return the document as it is now."""
        return self._parse(await self._storage.read_version(self._name))

    async def change(self, change: Callable[[ModelT], Awaitable[ResultT]]) -> ResultT:
        """Apply `change`, which may be called several times, each time to a fresh copy.

        A write whose answer is lost is applied again to its own outcome, so a change has to be
        idempotent: it sets what belongs to a name, and adds to nothing. Nothing is written if it
        changes nothing. Raises TransientError if other writers were faster each time.
        """
        for attempt in range(MAX_ATTEMPTS):
            version = await self._storage.read_version(self._name)
            document = self._parse(version)
            before = document.model_dump_json()
            result = await change(document)
            after = document.model_dump_json()
            if after == before:
                return result
            if await self._storage.replace(self._name, after.encode(), version):
                return result
            pause = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0**attempt)
            await asyncio.sleep(random.uniform(0, pause))
        raise TransientError(f"{self._name} is changed by too many writers at once")

    def _parse(self, version: Version | None) -> ModelT:
        if version is None:
            return self._model()
        try:
            return self._model.model_validate_json(version.content)
        except ValidationError as error:
            message = (
                f"{RUNS}/{self._name} can't be read: {error.errors()[0]['msg']}. "
                "Restore it, or delete it and begin with an empty one"
            )
            raise PermanentError(message) from None
