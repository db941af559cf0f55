"""What can be the name of a student, an environment or a machine, by fine-tuning backend. Pure.

Only what no service could know is refused, before a run begins; preflight asks the service whether
there is such a thing.
"""

from __future__ import annotations

import re

from shared.core.paths import RUNS
from shared.students.backends import AZURE_OPENAI, AZUREML, AZUREML_COMMAND
from shared.students.catalogue import ASSET_ID

HUGGING_FACE_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
MODEL_FOLDER = re.compile(r"azureml://[^\s$'\"`\\]+/paths/[^\s$'\"`\\]+")
# A folder of container `runs`, which is not the name of a Hugging Face organisation.
RUNS_FOLDER = re.compile(rf"{RUNS}/(?!.*\.\.)[\w./-]+")
REGISTRY_ENVIRONMENT = re.compile(
    r"azureml://registries/(?P<registry>[\w.-]+)/environments/(?P<name>[\w.-]+)"
    r"/(?:versions/(?P<version>[\w.-]+)|labels/(?P<label>[\w.-]+))"
)
WORKSPACE_ENVIRONMENT = re.compile(
    r"(?:azureml:)?(?P<name>[\w.-]+)(?::(?P<version>[\w.-]+)|@(?P<label>[\w.-]+))"
)
OPENAI_MODEL = re.compile(r"[!-~]{1,256}")
"""No blanks. Fine-tuned models have names such as `gpt-4.1-mini-2025-04-14.ft-0a1b:mine`."""


def model_problem(model: str, backend: str) -> str | None:
    """Return why a backend can't have a student of this name, with the remedy, or None."""
    if backend == AZUREML and not ASSET_ID.fullmatch(model):
        return (
            f"{model!r} isn't an asset id of a model registry: set student.model to "
            "azureml://registries/<registry>/models/<model>/versions/<version>, "
            "or student.backend to azure_openai for a model of that service or to "
            "azureml_command for one of Hugging Face"
        )
    if backend == AZUREML_COMMAND and not is_trained_by_script(model):
        return (
            f"{model!r} cannot be trained by our script: set student.model to a Hugging Face id, "
            f"azureml://datastores/<datastore>/paths/<folder>, or {RUNS}/<folder>"
        )
    if backend == AZURE_OPENAI and not OPENAI_MODEL.fullmatch(model):
        return f"{model!r} isn't the name of a model: it must have no blanks, and ASCII alone"
    return None


def is_trained_by_script(model: str) -> bool:
    """Return whether training/train.py can be given this student."""
    forms = (HUGGING_FACE_ID, MODEL_FOLDER, RUNS_FOLDER)
    return any(form.fullmatch(model) for form in forms)


def environment_problem(environment: str) -> str | None:
    """Return why this can't be an AzureML environment, with the remedy, or None."""
    if REGISTRY_ENVIRONMENT.fullmatch(environment) or WORKSPACE_ENVIRONMENT.fullmatch(environment):
        return None
    return (
        f"{environment!r} isn't a valid asset id: set student.environment to "
        "azureml://registries/<registry>/environments/<name>/versions/<version>, "
        "<name>:<version> or <name>@latest"
    )
