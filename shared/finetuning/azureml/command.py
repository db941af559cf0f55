"""Fine-tuning with our own script as a command job of an AzureML workspace: any Hugging Face student, on one's own compute.

Nothing is uploaded through the SDK: the scripts lie in container `runs` under a name made from their contents, and the job
reads them there as it reads the datasets. Submitting, finding, polling and cancelling is as for hosted fine-tuning.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable
from typing import Any

from shared.core.errors import PermanentError
from shared.core.paths import RUNS
from shared.core.settings import Settings
from shared.finetuning.azureml.backend import AzureMLBackend
from shared.finetuning.azureml.client import Workspace, registry_client
from shared.finetuning.azureml.errors import problem_of, service_errors
from shared.finetuning.azureml.training_code import container_url, publish, scripts
from shared.finetuning.base import FineTuneRequest, FineTuningBackend
from shared.spec.models import Hyperparameter, StudentSpec

MODEL_OUTPUT = "model"
DEFAULT_ENVIRONMENT = "azureml://registries/azureml/environments/acft-hf-nlp-gpu/labels/latest"
DEFAULT_INSTANCE_TYPE = (
    "Standard_NC24ads_A100_v4"  # one A100 with 80 GB: LoRA of some 30 B parameters
)
INSTALL = 'python -m pip install --no-input --disable-pip-version-check -r "${{inputs.code}}/requirements.txt"'

HUGGING_FACE_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
MODEL_FOLDER = re.compile(r"azureml://[^\s$'\"`\\]+/paths/[^\s$'\"`\\]+")
OWN_FOLDER = re.compile(
    rf"{RUNS}/(?!.*\.\.)[\w./-]+"
)  # of container `runs`; no Hugging Face organisation has this name
REGISTERED = re.compile(
    r"azureml://registries/(?P<registry>[\w.-]+)/environments/(?P<name>[\w.-]+)"
    r"/(?:versions/(?P<version>[\w.-]+)|labels/(?P<label>[\w.-]+))"
)
ENVIRONMENT = re.compile(
    r"(?:azureml:)?(?P<name>[\w.-]+)(?::(?P<version>[\w.-]+)|@(?P<label>[\w.-]+))"
)


class AzureMLCommandBackend(AzureMLBackend):
    """Command jobs of the workspace in the settings."""

    model_output = MODEL_OUTPUT

    def __init__(self, settings: Settings) -> None:
        super().__init__(Workspace.of(settings), settings.azureml_datastore)
        self._settings = settings

    def _student_problems(self, student: StudentSpec) -> list[str]:
        problems = problem_of(model_argument, student.model or "") + problem_of(scripts)
        return problems + problem_of(
            self._check_environment, student.environment or DEFAULT_ENVIRONMENT
        )

    def warnings(self, student: StudentSpec) -> list[str]:
        """None: any region with the machines will do."""
        return []

    def _job(self, request: FineTuneRequest) -> Any:
        import azure.ai.ml as sdk

        ml: Any = sdk  # its generics are not annotated

        student = request.student
        code = self._uri(publish(self._settings, scripts()) + "/")
        inputs = {
            "code": ml.Input(type="uri_folder", path=code, mode="download"),
            "training": ml.Input(type="uri_file", path=request.training.uri, mode="download"),
        }
        if request.validation:
            inputs["validation"] = ml.Input(
                type="uri_file", path=request.validation.uri, mode="download"
            )
        folder = self._model_folder(student.model or "")
        if folder:
            inputs["student"] = ml.Input(type="uri_folder", path=folder, mode="download")
        return ml.command(
            name=request.job_name,
            display_name=request.display_name,
            experiment_name=request.experiment,
            description=request.description,
            tags=dict(request.tags),
            command=command_line(student, validated=request.validation is not None),
            inputs=inputs,
            outputs={
                MODEL_OUTPUT: ml.Output(
                    type="custom_model", name=request.registered_model_name, mode="rw_mount"
                )
            },
            environment=student.environment or DEFAULT_ENVIRONMENT,
            compute=student.compute,
            instance_type=None
            if student.compute
            else student.instance_type or DEFAULT_INSTANCE_TYPE,
            instance_count=1,
            timeout=math.ceil(student.max_hours * 3600),  # should the app not be there to cancel it
        )

    def _uri(self, name: str) -> str:
        """Where the job reads something in container `runs`, as it does the datasets."""
        return self._settings.datastore_uri(name) or f"{container_url(self._settings)}/{name}"

    def _model_folder(self, model: str) -> str | None:
        """URI of a student that is a folder, None for one that is downloaded by its Hugging Face id."""
        if OWN_FOLDER.fullmatch(model):
            return self._uri(model.removeprefix(f"{RUNS}/").rstrip("/") + "/")
        return model if model.startswith("azureml://") else None

    def _check_environment(self, environment: str) -> None:
        """An inline image or conda file cannot be named by a student, so that each environment is an asset that exists."""
        registered, own = REGISTERED.fullmatch(environment), ENVIRONMENT.fullmatch(environment)
        asset = registered or own
        if not asset:
            form = "azureml://registries/<registry>/environments/<name>/versions/<version>, <name>:<version> or <name>@latest"
            raise PermanentError(
                f"environment {environment!r} is no asset id: set student.environment to {form}"
            )
        with service_errors(
            f"environment {environment} cannot be used (check student.environment)"
        ):
            client = registry_client(asset["registry"]) if registered else self._client()
            if asset["version"]:
                client.environments.get(asset["name"], version=asset["version"])
            else:
                client.environments.get(asset["name"], label=asset["label"])


def open_backend(settings: Settings) -> FineTuningBackend:
    """Return the backend of command jobs in the workspace of the app settings."""
    return AzureMLCommandBackend(settings)


def command_line(student: StudentSpec, *, validated: bool) -> str:
    """The job's command. AzureML puts its own paths in place of `${{…}}`; everything of the user's is quoted.

    Raises PermanentError for what could be taken for such a place, or for a model that is none.
    """
    arguments = [
        ("--model", model_argument(student.model or "")),
        ("--training-data", '"${{inputs.training}}"'),
        *([("--validation-data", '"${{inputs.validation}}"')] if validated else []),
        ("--output", f'"${{{{outputs.{MODEL_OUTPUT}}}}}"'),
        ("--seed", str(student.seed or 0)),
        *((f"--{name}", _quoted(value)) for name, value in sorted(student.hyperparameters.items())),
    ]
    return f'{INSTALL} && python "${{{{inputs.code}}}}/train.py" {_joined(arguments)}'


def model_argument(model: str) -> str:
    """The student as the script is told it. Raises PermanentError."""
    if MODEL_FOLDER.fullmatch(model) or OWN_FOLDER.fullmatch(model):
        return '"${{inputs.student}}"'
    if HUGGING_FACE_ID.fullmatch(model):
        return _quoted(model)
    form = f"a Hugging Face id, azureml://datastores/<datastore>/paths/<folder>, or {RUNS}/<folder>"
    raise PermanentError(
        f"student {model!r} cannot be trained by our script: set student.model to {form}"
    )


def _joined(arguments: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"{name}={value}" for name, value in arguments)


def _quoted(value: Hyperparameter) -> str:
    text = str(int(value)) if isinstance(value, bool) else str(value)
    if "${{" in text:
        raise PermanentError(f"{text!r} holds a placeholder of AzureML: remove it from student")
    return shlex.quote(text)
