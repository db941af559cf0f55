"""Fine-tuning with training/train.py, as a command job on compute of the user's own.

The student may be any Hugging Face model. Nothing is uploaded through the SDK: the scripts are in
container `runs` under a name made from their contents, and the job reads them there, like the
datasets. Jobs are found, polled and cancelled as for hosted fine-tuning.
"""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, Any

from shared.core.errors import PermanentError
from shared.core.paths import RUNS
from shared.core.settings import Settings
from shared.finetuning.azureml.backend import AzureMLBackend
from shared.finetuning.azureml.clients import clients
from shared.finetuning.azureml.errors import problem_of, service_errors
from shared.finetuning.azureml.training_code import container_url, publish, scripts
from shared.finetuning.azureml.workspace import Workspace
from shared.finetuning.base import FineTuneRequest, FineTuningBackend
from shared.spec.models import Hyperparameter, StudentSpec
from shared.students.asset_names import (
    MODEL_FOLDER,
    REGISTRY_ENVIRONMENT,
    RUNS_FOLDER,
    WORKSPACE_ENVIRONMENT,
    environment_problem,
    model_problem,
)
from shared.students.backends import AZUREML_COMMAND

if TYPE_CHECKING:
    from azure.ai.ml import Input

MODEL_OUTPUT = "model"
DEFAULT_ENVIRONMENT = "azureml://registries/azureml/environments/acft-hf-nlp-gpu/labels/latest"
# One A100 with 80 GB: enough for LoRA of a student with about 30 B parameters.
DEFAULT_INSTANCE_TYPE = "Standard_NC24ads_A100_v4"
INSTALL = (
    "python -m pip install --no-input --disable-pip-version-check "
    '-r "${{inputs.code}}/requirements.txt"'
)


class AzureMLCommandBackend(AzureMLBackend):
    """Command jobs of the workspace in the settings."""

    model_output = MODEL_OUTPUT

    def __init__(self, settings: Settings) -> None:
        super().__init__(Workspace.of(settings), settings.azureml_datastore)
        self._settings = settings

    def warnings(self, student: StudentSpec) -> list[str]:
        """Return nothing: the student can be trained in any region that has the machines."""
        return []

    def _student_problems(self, student: StudentSpec) -> list[str]:
        problems = problem_of(model_argument, student.model or "")
        problems += problem_of(scripts)
        environment = student.environment or DEFAULT_ENVIRONMENT
        return problems + problem_of(self._check_environment, environment)

    def _job(self, request: FineTuneRequest) -> Any:
        import azure.ai.ml as sdk

        ml: Any = sdk  # its generics are not annotated
        student = request.student
        instance_type = student.instance_type or DEFAULT_INSTANCE_TYPE
        model = ml.Output(type="custom_model", name=request.registered_model_name, mode="rw_mount")
        return ml.command(
            name=request.job_name,
            display_name=request.display_name,
            experiment_name=request.experiment,
            description=request.description,
            tags=dict(request.tags),
            command=command_line(student, validated=request.validation is not None),
            inputs=self._inputs(request),
            outputs={MODEL_OUTPUT: model},
            environment=student.environment or DEFAULT_ENVIRONMENT,
            compute=student.compute,
            instance_type=None if student.compute else instance_type,
            instance_count=1,
            timeout=math.ceil(student.max_hours * 3600),  # if the app is not there to cancel it
        )

    def _inputs(self, request: FineTuneRequest) -> dict[str, Input]:
        """Return the job's inputs, which `command_line` names."""
        import azure.ai.ml as sdk

        ml: Any = sdk
        code = self._uri(publish(self._settings, scripts()) + "/")
        inputs: dict[str, Input] = {
            "code": ml.Input(type="uri_folder", path=code, mode="download"),
            "training": ml.Input(type="uri_file", path=request.training.uri, mode="download"),
        }
        if request.validation:
            uri = request.validation.uri
            inputs["validation"] = ml.Input(type="uri_file", path=uri, mode="download")
        folder = self._model_folder(request.student.model or "")
        if folder:
            inputs["student"] = ml.Input(type="uri_folder", path=folder, mode="download")
        return inputs

    def _uri(self, name: str) -> str:
        """Return where a job reads a blob or folder of container `runs`."""
        return self._settings.datastore_uri(name) or f"{container_url(self._settings)}/{name}"

    def _model_folder(self, model: str) -> str | None:
        """Return the URI of a student that is a folder, None for a Hugging Face id."""
        if RUNS_FOLDER.fullmatch(model):
            return self._uri(model.removeprefix(f"{RUNS}/").rstrip("/") + "/")
        return model if model.startswith("azureml://") else None

    def _check_environment(self, environment: str) -> None:
        """Raise PermanentError unless the environment is an asset that exists."""
        registered = REGISTRY_ENVIRONMENT.fullmatch(environment)
        asset = registered or WORKSPACE_ENVIRONMENT.fullmatch(environment)
        if not asset:
            raise PermanentError(f"environment {environment_problem(environment)}")
        failure = f"environment {environment} cannot be used (check student.environment)"
        with service_errors(failure):
            client = clients().registry(asset["registry"]) if registered else self._client
            if asset["version"]:
                client.environments.get(asset["name"], version=asset["version"])
            else:
                client.environments.get(asset["name"], label=asset["label"])


def open_backend(settings: Settings) -> FineTuningBackend:
    """Return the backend of command jobs in the workspace of the app settings."""
    return AzureMLCommandBackend(settings)


def command_line(student: StudentSpec, *, validated: bool) -> str:
    """Return the job's command. AzureML replaces `${{…}}` by its own paths.

    Everything that the user chose is quoted. Raises PermanentError for text that AzureML would
    replace, and for a model that the script cannot load.
    """
    arguments = [
        f"--model={model_argument(student.model or '')}",
        '--training-data="${{inputs.training}}"',
    ]
    if validated:
        arguments.append('--validation-data="${{inputs.validation}}"')
    arguments.append(f'--output="${{{{outputs.{MODEL_OUTPUT}}}}}"')
    arguments.append(f"--seed={student.seed or 0}")
    for name, value in sorted(student.hyperparameters.items()):
        arguments.append(f"--{name}={_quoted(value)}")
    return f'{INSTALL} && python "${{{{inputs.code}}}}/train.py" {" ".join(arguments)}'


def model_argument(model: str) -> str:
    """Return the student as the script's --model, quoted. Raises PermanentError."""
    if MODEL_FOLDER.fullmatch(model) or RUNS_FOLDER.fullmatch(model):
        return '"${{inputs.student}}"'
    problem = model_problem(model, AZUREML_COMMAND)
    if problem:
        raise PermanentError(f"student {problem}")
    return _quoted(model)


def _quoted(value: Hyperparameter) -> str:
    text = str(int(value)) if isinstance(value, bool) else str(value)
    if "${{" in text:
        raise PermanentError(f"{text!r} holds a placeholder of AzureML: remove it from student")
    return shlex.quote(text)
