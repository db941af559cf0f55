"""The fine-tuning backends, as data: what each one takes from a specification and from the app.

Adding a backend takes one module, with a function `open_backend(settings)`, and one entry in
`DESCRIPTORS`. The specification, the preflight check and the activities read everything else from
that entry. The module is imported on first use only: `azure.ai.ml` alone takes 5 s.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.core.settings import AZUREML_SETTINGS, OPENAI_SETTINGS

AZUREML = "azureml"
AZURE_OPENAI = "azure_openai"
AZUREML_COMMAND = "azureml_command"
HOSTED_MIN_ROWS = 10  # both hosted services refuse smaller training sets


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """A number that can be set. The bounds catch slips, such as a multiplier given as a rate."""

    name: str
    kind: type[int] | type[float]
    low: float  # inclusive
    high: float  # inclusive
    aliases: tuple[str, ...] = ()
    unlike: str | None = None  # another backend's name for something whose numbers differ
    example: str = ""


@dataclass(frozen=True, slots=True)
class BackendDescriptor:
    """One fine-tuning backend. Hyperparameters that a run leaves out are left to the service."""

    name: str
    service: str  # as messages to users call it
    description: str  # in the schema of the specification
    module: str  # defines `open_backend(settings: Settings) -> FineTuningBackend`
    app_settings: tuple[str, ...]  # environment variables that must be set
    student_settings: frozenset[str]  # fields of StudentSpec that not every backend takes
    hyperparameters: tuple[Hyperparameter, ...]
    takes_other_hyperparameters: bool  # for students that the catalogue does not know
    min_rows: int  # of the training set
    takes_copies: bool = False  # whether datasets are uploaded to the service


COMMON_HYPERPARAMETERS = (
    Hyperparameter("num_train_epochs", int, 1, 50, ("n_epochs", "epochs")),
    Hyperparameter("per_device_train_batch_size", int, 1, 256, ("batch_size",)),
    Hyperparameter(
        "learning_rate", float, 1e-8, 1e-2, unlike="learning_rate_multiplier", example="2e-5"
    ),
)
OPENAI_HYPERPARAMETERS = (
    Hyperparameter("n_epochs", int, 1, 50, ("num_train_epochs", "epochs")),
    Hyperparameter("batch_size", int, 1, 256, ("per_device_train_batch_size",)),
    Hyperparameter(
        "learning_rate_multiplier", float, 1e-4, 10, unlike="learning_rate", example="0.5"
    ),
)
SCRIPT_HYPERPARAMETERS = (  # flags of training/train.py
    *COMMON_HYPERPARAMETERS,
    Hyperparameter("gradient_accumulation_steps", int, 1, 1024),
    Hyperparameter("max_length", int, 64, 1_048_576),
    Hyperparameter("warmup_ratio", float, 0, 0.5),
    Hyperparameter("weight_decay", float, 0, 1),
    Hyperparameter("lora_r", int, 1, 1024),
    Hyperparameter("lora_alpha", int, 1, 4096),
    Hyperparameter("lora_dropout", float, 0, 0.9),
    Hyperparameter("train_embeddings", int, 0, 1),  # students with random weights need 1
)

DESCRIPTORS = (
    BackendDescriptor(
        name=AZUREML,
        service="AzureML",
        description="hosted fine-tuning",
        module="shared.finetuning.azureml.backend",
        app_settings=AZUREML_SETTINGS,
        student_settings=frozenset({"compute", "instance_type", "training_price", "hosting_price"}),
        hyperparameters=COMMON_HYPERPARAMETERS,
        takes_other_hyperparameters=True,
        min_rows=HOSTED_MIN_ROWS,
    ),
    BackendDescriptor(
        name=AZURE_OPENAI,
        service="Azure OpenAI",
        description="that of Azure OpenAI and Foundry",
        module="shared.finetuning.azure_openai.backend",
        app_settings=OPENAI_SETTINGS,
        student_settings=frozenset(
            {
                "seed",
                "suffix",
                "delete_files",
                "training_type",
                "training_price",
                "hosting_price",
            }
        ),
        hyperparameters=OPENAI_HYPERPARAMETERS,
        takes_other_hyperparameters=True,
        min_rows=HOSTED_MIN_ROWS,
        takes_copies=True,
    ),
    BackendDescriptor(
        name=AZUREML_COMMAND,
        service="AzureML",
        description="training/train.py on compute of your own",
        module="shared.finetuning.azureml.command",
        app_settings=AZUREML_SETTINGS,
        student_settings=frozenset({"compute", "instance_type", "environment", "seed"}),
        hyperparameters=SCRIPT_HYPERPARAMETERS,
        takes_other_hyperparameters=False,
        min_rows=1,
    ),
)
BACKENDS = {descriptor.name: descriptor for descriptor in DESCRIPTORS}


def backends_taking(student_setting: str) -> list[str]:
    """Return the names of the backends that take a setting; empty when all do."""
    return [name for name, each in BACKENDS.items() if student_setting in each.student_settings]
