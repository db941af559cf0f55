"""Whether a resource can fine-tune a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.core.json_values import json_object
from shared.finetuning.azure_openai.errors import usable

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types import Model

MAX_SUGGESTIONS = 10


def model_problems(client: OpenAI, name: str) -> list[str]:
    """Return why the resource can't fine-tune this model, with the remedy. Raises SDK errors."""
    from openai import NotFoundError

    try:
        model = usable(client.models.retrieve(name))
    except NotFoundError:
        # if listing fails as well, the address is not that of the API
        trainable = [each.id for each in client.models.list() if _is_trainable(each)]
        suggestions = f" ({', '.join(trainable[:MAX_SUGGESTIONS])})" if trainable else ""
        return [
            f"the resource has no model {name}: "
            f"set student.model to one that it can fine-tune{suggestions}"
        ]
    if _is_trainable(model) is False:
        return [
            f"model {name} cannot be fine-tuned in this resource: "
            "set student.model to another, or use a resource in another region"
        ]
    return []


def _is_trainable(model: Model) -> bool | None:
    """Return None if the service doesn't say: capabilities are Azure's addition to the API."""
    capabilities = json_object(getattr(model, "capabilities", None)) or {}
    can_fine_tune = capabilities.get("fine_tune")
    return None if can_fine_tune is None else bool(can_fine_tune)
