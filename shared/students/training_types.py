"""Where Azure OpenAI and Foundry train a student, in our names and in Microsoft's spelling.

Sources: MicrosoftDocs/azure-ai-docs (includes/fine-tuning-oai-sdk.md) writes `globalStandard` and
`developerTier`, the tests of azure-sdk-for-python `Standard`, `GlobalStandard` and `developerTier`,
and compare what the service answers without case. No public source submits a job for a data zone:
`datazoneStandard` is the spelling of interactive training in the case of the other three.
"""

from __future__ import annotations

from typing import Literal

TrainingType = Literal["standard", "global", "developer", "data_zone"]
SERVICE_SPELLINGS: dict[TrainingType, str] = {
    "standard": "standard",
    "global": "globalStandard",
    "developer": "developerTier",
    "data_zone": "datazoneStandard",
}
GLOBAL_TRAINING: TrainingType = "global"
"""What students take that aren't trained in a region: open models have no other training type."""


def same_training_type(first: str, second: str) -> bool:
    """Whether two of the service's spellings mean the same: it keeps no case."""
    return first.casefold() == second.casefold()
