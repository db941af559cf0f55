"""The capabilities of every teacher that a process has asked, and the copy that each run keeps.

Preflight learns them and writes `<run id>/capabilities.json`. Every worker adopts that copy before
it asks its first row, so no shard learns anew. Endpoints are named by a hash: a run's folder
doesn't say where its teacher is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from shared.core.errors import NotFound
from shared.core.paths import RunPaths
from shared.core.process import current
from shared.teacher.capabilities import Capabilities, Dialect, TokenParameter
from shared.teacher.response_format import ResponseFormat

if TYPE_CHECKING:
    from shared.core.storage import Storage

ID_CHARACTERS = 16
DeploymentName = tuple[str, str]  # base URL and model


class LearnedDialect(BaseModel):
    """How requests to one endpoint are written."""

    token_parameter: TokenParameter
    response_format: ResponseFormat


class RunCapabilities(BaseModel):
    """Content of `capabilities.json`."""

    endpoints: dict[str, LearnedDialect] = Field(default_factory=dict[str, LearnedDialect])


class LearnedCapabilities:
    """The capabilities of every teacher that this process has asked."""

    def __init__(self) -> None:
        self._capabilities: dict[str, Capabilities] = {}

    def of(self, base_url: str, model: str) -> Capabilities:
        """Return the capabilities of a model at an endpoint."""
        return self._of_endpoint(_endpoint_id(base_url, model))

    def copy_of(self, deployments: Iterable[DeploymentName]) -> RunCapabilities:
        """Return what is known of a teacher's deployments, as a run keeps it."""
        learned: dict[str, LearnedDialect] = {}
        for name in deployments:
            dialect = self.of(*name).dialect
            learned[_endpoint_id(*name)] = LearnedDialect(
                token_parameter=dialect.token_parameter, response_format=dialect.response_format
            )
        return RunCapabilities(endpoints=learned)

    def adopt(self, learned: RunCapabilities) -> None:
        """Add what preflight learned, maybe in another process."""
        for endpoint, dialect in learned.endpoints.items():
            capabilities = self._of_endpoint(endpoint)
            other = Dialect(dialect.token_parameter, dialect.response_format)
            capabilities.dialect = capabilities.dialect.restricted_by(other)

    def _of_endpoint(self, endpoint: str) -> Capabilities:
        return self._capabilities.setdefault(endpoint, Capabilities())


def _endpoint_id(base_url: str, model: str) -> str:
    digest = hashlib.sha256(f"{base_url}\n{model}".encode())
    return digest.hexdigest()[:ID_CHARACTERS]


async def keep_capabilities(
    storage: Storage, paths: RunPaths, deployments: Sequence[DeploymentName]
) -> list[str]:
    """Write what this process knows of a teacher into the run's folder. Return what to warn of."""
    learned = current().part(LearnedCapabilities)
    content = learned.copy_of(deployments).model_dump_json(indent=1)
    await storage.write(paths.capabilities, content.encode())
    warnings: dict[str, None] = {}
    for name in deployments:
        warnings |= dict.fromkeys(learned.of(*name).warnings)
    return list(warnings)


async def adopt_capabilities(storage: Storage, paths: RunPaths) -> None:
    """Take over what the run's preflight learned. A run without it learns anew."""
    try:
        content = await storage.read(paths.capabilities)
    except NotFound:
        return
    current().part(LearnedCapabilities).adopt(RunCapabilities.model_validate_json(content))
