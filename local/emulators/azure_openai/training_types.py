"""Where a job trains, as the service takes and answers it (`trainingType`, Azure's addition).

- Any case is taken: Microsoft's documents, samples and SDK tests each write another.
- `developerTier` is the only name of developer training. A report of live tests got "The
  fineTuningJob field is required" for `Developer`; here every unknown value gets that answer.
- A number is taken as well: LiteLLM and Microsoft's Model Router sample send 1, which is not
  Standard; that it is GlobalStandard is our reading.
- Nothing, or Standard, for a model that isn't trained in the region is refused in the service's
  words. How it answers for other pairs isn't known: these words are used with the other name.
"""

from __future__ import annotations

from local.emulators.azure_openai.catalogue import BaseModel
from local.emulators.openai_errors import ApiError

STANDARD = "Standard"
GLOBAL = "GlobalStandard"
DEVELOPER = "DeveloperTier"
DATA_ZONE = "DatazoneStandard"
NAMES = {name.lower(): name for name in (STANDARD, GLOBAL, DEVELOPER, DATA_ZONE)}
NUMBERS = {0: STANDARD, 1: GLOBAL}
INVALID = "invalidPayload"


def training_type_of(value: str | int | None) -> str:
    """Return the name that the service answers with. Raises ApiError for an unknown value."""
    if value is None:
        return STANDARD
    name = NAMES.get(value.lower()) if isinstance(value, str) else NUMBERS.get(value)
    if name is None:
        raise ApiError(400, "The fineTuningJob field is required.", code=INVALID)
    return name


def check_training_type(name: str, model: BaseModel, *, has_regional_training: bool) -> None:
    """Raise ApiError if the model isn't trained so."""
    is_offered = {
        STANDARD: model.regional and has_regional_training,
        GLOBAL: model.elsewhere,
        DEVELOPER: model.developer,
        DATA_ZONE: model.elsewhere,
    }
    if not is_offered[name]:
        message = (
            f"The specified base model {model.id} does not support fine-tuning with {name} "
            "TrainingType."
        )
        raise ApiError(400, message, code=INVALID)
