"""The models of the resource, described as the service describes them, quirks included.

Nothing here is read from the app's catalogue, so that a wrong entry there is found here. Sources:

- `capabilities`, `lifecycle_status`, `deprecation`: OpenAIAuthoring 2024-10-21, examples.
- `fine_tune` is false for open models, although they are trained: Microsoft's fine-tuning skill,
  references/platform-gotchas.md. The id of gpt-oss-20b is gpt-oss-20b-11 (same place).
- `global_fine_tune`, `devtier_fine_tune`: seen in answers of the service, defined nowhere. That
  they are true for open models is our reading of newer ones in the catalogue of ARM.
- The dates are those of the retirement schedule of October 2026; which models have none is not
  documented.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

APRIL_2027 = int(datetime(2027, 4, 14, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A model that the resource lists."""

    id: str
    regional: bool = False
    elsewhere: bool = False
    developer: bool = False
    ends: int | None = None

    @property
    def is_open(self) -> bool:
        return self.elsewhere and not self.developer

    def shown(self, *, has_regional_training: bool) -> dict[str, Any]:
        """Return the model as the API shows it."""
        deprecation = {} if self.ends is None else {"fine_tune": self.ends, "inference": self.ends}
        return {
            "object": "model",
            "id": self.id,
            "created_at": 0,
            "status": "succeeded",
            "capabilities": {
                "fine_tune": self.regional and has_regional_training,
                "inference": True,
                "completion": False,
                "chat_completion": self.elsewhere,
                "embeddings": not self.elsewhere,
                "global_fine_tune": self.elsewhere,
                "devtier_fine_tune": self.developer,
            },
            "lifecycle_status": "generally-available",
            "deprecation": deprecation,
        }


def _openai(model_id: str) -> BaseModel:
    return BaseModel(model_id, regional=True, elsewhere=True, developer=True, ends=APRIL_2027)


def _open(model_id: str) -> BaseModel:
    return BaseModel(model_id, elsewhere=True)


_LISTED = (
    BaseModel("text-embedding-3-small"),
    _open("Ministral-3B"),
    _open("Qwen-32B"),
    _open("Llama-3.3-70B-Instruct"),
    _open("gpt-oss-20b-11"),
    _openai("gpt-4.1-2025-04-14"),
    _openai("gpt-4.1-mini-2025-04-14"),
    _openai("gpt-4.1-nano-2025-04-14"),
    _openai("gpt-4o-2024-08-06"),
    _openai("gpt-4o-mini-2024-07-18"),
)
MODELS = {model.id.lower(): model for model in _LISTED}


def find_model(name: str) -> BaseModel | None:
    """Find by id, or by id without its date: `gpt-4.1-mini` for `gpt-4.1-mini-2025-04-14`."""
    if name.lower() in MODELS:
        return MODELS[name.lower()]
    dated = [
        model for model_id, model in MODELS.items() if model_id.startswith(f"{name.lower()}-20")
    ]
    return dated[0] if dated else None
