"""The run specification: `run.json`, or the body of `POST /api/runs`.

Unknown keys are errors, and every accepted setting has an effect. `docs/run-specification.md` is
generated from these models.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError

from shared.core.ids import RUN_ID
from shared.core.json_values import JsonObject
from shared.core.paths import DATASETS, Split
from shared.core.registered_name import RegisteredName
from shared.core.section import Section
from shared.core.settings import MAX_PRICE
from shared.spec.backend_name import BackendName, backends_in_words
from shared.students.backends import BACKENDS, HOSTED_MIN_ROWS
from shared.students.catalogue import (
    Student,
    common,
    find_student,
)
from shared.students.training_types import TrainingType
from shared.tasks import TASKS, CheckName, tasks_taking, tasks_with_checks, tasks_with_values
from shared.tasks.answers_spec import AnswersSpec
from shared.tasks.prompt_spec import PromptSpec

TaskName = Annotated[str, RegisteredName(TASKS)]
HYPERPARAMETER_TYPES = (str, int, float, bool)


def is_hyperparameter(value: object) -> bool:
    """Return whether a value has a type that a hyperparameter may have."""
    return isinstance(value, HYPERPARAMETER_TYPES)


def _check_hyperparameter(value: object) -> object:
    """Return the value. Raises an error of its own: a union would have one for each type."""
    if not is_hyperparameter(value):
        raise PydanticCustomError("hyperparameter", "must be a number, a text, true or false")
    return value


Hyperparameter = Annotated[str | int | float | bool, BeforeValidator(_check_hyperparameter)]
Select = Literal["first", "majority", "reference"]
NearDuplicates = Literal["count", "drop", "off"]
ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
MAX_ANSWER_TOKENS = 131_072
CEILING_FACTOR = 32  # from the default of 1,024 to 32,768
MAX_PARALLEL_SHARDS = 64
MAX_STUDENTS = 8
MAX_COST = 1_000_000_000_000
PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
INSTANCE_TYPE = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
COMPUTE_NAME = r"^[A-Za-z][A-Za-z0-9-]{0,31}$"


class TeacherSpec(Section):
    """How the teacher is asked."""

    model: str | None = Field(
        default=None,
        pattern=PRINTABLE,
        description="model or deployment name; default: setting TEACHER_MODEL",
    )
    temperature: float | None = Field(default=None, ge=0, le=2, description="sampling temperature")
    top_p: float | None = Field(
        default=None, gt=0, le=1, description="nucleus sampling: share of probability considered"
    )
    frequency_penalty: float | None = Field(
        default=None, ge=-2, le=2, description="penalty for tokens that are frequent so far"
    )
    presence_penalty: float | None = Field(
        default=None, ge=-2, le=2, description="penalty for tokens that have occurred so far"
    )
    stop: list[Annotated[str, Field(min_length=1)]] | None = Field(
        default=None, min_length=1, max_length=4, description="texts that end an answer"
    )
    seed: int | None = Field(default=None, description="seed of the teacher's sampling")
    max_tokens: int = Field(
        default=1024,
        ge=1,
        le=MAX_ANSWER_TOKENS,
        description="tokens an answer may have; doubled once if it is cut off",
    )
    max_tokens_ceiling: int | None = Field(
        default=None,
        ge=1,
        le=MAX_ANSWER_TOKENS,
        description=(
            "where reasoning uses up `max_tokens` before the answer begins, the number is doubled "
            f"again and again, up to this one; default: {CEILING_FACTOR} × max_tokens"
        ),
    )
    reasoning_effort: ReasoningEffort | None = Field(
        default=None, description="how long a reasoning model thinks, as its API documents it"
    )
    extra_body: JsonObject | None = Field(
        default=None,
        description=(
            "further parameters that are sent along, such as "
            '{"chat_template_kwargs": {"enable_thinking": false}}; those that the app sends itself '
            "and keys of credentials are refused"
        ),
    )
    concurrency: int | None = Field(
        default=None,
        ge=1,
        description=(
            "most requests in flight per worker process; default: as many as the teacher keeps up "
            "with, and the worker's memory and processor allow"
        ),
    )
    timeout_seconds: float = Field(default=120, gt=0, le=600, description="for each request")
    max_attempts: int = Field(
        default=8,
        ge=1,
        le=20,
        description="for a request that fails or times out; 429 doesn't count",
    )
    row_deadline_seconds: float = Field(
        default=900, gt=0, le=7200, description="for one answer, all attempts included"
    )
    stop_seconds: float = Field(
        default=30,
        ge=0,
        le=60,
        description=(
            "when a run stops or is paused, it sends nothing more, and waits so long for the "
            "answers that are on their way"
        ),
    )

    @property
    def most_tokens(self) -> int:
        """Return the most tokens that any answer is given."""
        largest = min(CEILING_FACTOR * self.max_tokens, MAX_ANSWER_TOKENS)
        return self.max_tokens_ceiling or largest


class QualitySpec(Section):
    """Which answers are accepted, and how many are needed."""

    samples: int = Field(
        default=1,
        ge=1,
        le=16,
        description="answers per row, of which one is chosen; fewer if fewer decide",
    )
    select: Select = Field(
        default="first",
        description=(
            f"{tasks_with_values()}: `majority` keeps the answer that enough samples agree on, "
            "`reference` the first that equals the row's reference"
        ),
    )
    min_agreement: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description=(
            "`majority`: share of the samples that must agree; default: more than half. A tie is "
            "never a majority"
        ),
    )
    keep: int = Field(
        default=1,
        ge=1,
        le=16,
        description=(
            f"{tasks_taking('student_learns')}, with student_learns `reasoning`: most examples a "
            "row. Samples with the row's answer that reason differently make one each"
        ),
    )
    rationalise: bool = Field(
        default=False,
        description=(
            f"{tasks_taking('student_learns')}, with select `reference` and student_learns "
            "`reasoning`: where all samples miss the reference, the teacher is shown it once and "
            "asked for the reasoning"
        ),
    )
    tolerance: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="math: relative difference at which two numbers still count as the same",
    )
    min_success_ratio: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="accepted rows ÷ rows asked, for each split; below it the run fails",
    )
    min_rows: int | None = Field(
        default=None,
        ge=1,
        description="least accepted training rows; default: by task. Hosted backends (azureml, "
        f"azure_openai) demand at least {HOSTED_MIN_ROWS} examples, whatever is set",
    )
    target_rows: int | None = Field(
        default=None,
        ge=1,
        description=(
            "stop when the training set has so many rows: the first ones of the input that are "
            "accepted, without those held out for validation. Later rows are `not_needed`; "
            "default: all rows are answered"
        ),
    )
    near_duplicates: NearDuplicates = Field(
        default="count",
        description=(
            "rows of the validation or test set that nearly repeat a row of an earlier split: "
            "`count` reports them, `drop` leaves them out too, `off` doesn't look for them"
        ),
    )
    skip_checks: list[CheckName] = Field(
        default=[],
        description=f"{tasks_with_checks()}: checks of the texts that are left out",
    )


class GenerationSpec(Section):
    """How the work is divided."""

    rows_per_shard: int = Field(
        default=512,
        ge=1,
        le=5000,
        description=(
            "rows per shard; default with quality.target_rows: 128 to 512, by target and "
            "parallel_shards, as the last shards run one after the other"
        ),
    )
    parallel_shards: int = Field(
        default=8,
        ge=1,
        le=MAX_PARALLEL_SHARDS,
        description="shards of each split that run at a time",
    )


class BudgetSpec(Section):
    """Limits of a run.

    They hold for all rounds of a run together, preflight, retries and second requests included.
    Before a request is sent, it and the most tokens that it can use are set aside: its prompt by a
    high estimate, and `teacher.max_tokens`. A request that could exceed a limit isn't sent, so
    fewer are in flight near the end, and some of the tokens remain. A run that has rows left then
    fails with the code `budget`; resume it with a larger budget to go on.
    """

    max_requests: int | None = Field(
        default=None, ge=1, description="requests to the teacher, retries included"
    )
    max_tokens: int | None = Field(
        default=None, ge=1, description="prompt and answer tokens together"
    )
    max_cost: float | None = Field(
        default=None, gt=0, le=MAX_COST, description="in the currency of the prices"
    )
    prompt_price: float | None = Field(
        default=None, ge=0, le=MAX_PRICE, description="price of a million prompt tokens"
    )
    completion_price: float | None = Field(
        default=None, ge=0, le=MAX_PRICE, description="price of a million answer tokens"
    )

    @property
    def is_set(self) -> bool:
        return any(
            limit is not None for limit in (self.max_requests, self.max_tokens, self.max_cost)
        )


class HoldoutSpec(Section):
    """Accepted training rows that become the validation set of a run without one."""

    fraction: float = Field(
        default=0,
        ge=0,
        le=0.5,
        description="share of the accepted training rows; 0: no validation set",
    )
    seed: int = Field(
        default=0, description="decides which rows: the same seed chooses the same rows"
    )


class StudentSpec(Section):
    """One student, and the fine-tuning job that trains it.

    A `student` of null ends the run with its datasets.
    """

    backend: BackendName | None = Field(
        default=None,
        description=f"{backends_in_words()}; default: by model",
    )
    model: str | None = Field(
        default=None,
        min_length=1,
        description=(
            "asset id, model name (azure_openai) or Hugging Face id (azureml_command); "
            "default: setting STUDENT_MODEL"
        ),
    )
    hyperparameters: dict[str, Hyperparameter] = Field(
        default_factory=dict[str, Hyperparameter],
        description="by name, as the backend and the student take them",
    )
    compute: str | None = Field(
        default=None,
        pattern=COMPUTE_NAME,
        description="AzureML compute target; default: serverless compute",
    )
    instance_type: str | None = Field(
        default=None,
        pattern=INSTANCE_TYPE,
        description="AzureML: VM size of serverless compute, such as Standard_NC24ads_A100_v4",
    )
    environment: str | None = Field(
        default=None,
        min_length=1,
        description="azureml_command: AzureML environment; default: a curated one with PyTorch",
    )
    training_type: TrainingType | None = Field(
        default=None,
        description=(
            "azure_openai: `standard` trains in the resource's region, `data_zone` in its data "
            "zone, `global` anywhere for less, `developer` anywhere on idle capacity for half the "
            "price of `global`, where it may pause; default: by model"
        ),
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        lt=2**31,
        description="azure_openai, azureml_command: seed of the training",
    )
    suffix: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,18}$",
        description="azure_openai: part of the new model's name",
    )
    delete_files: bool = Field(
        default=False,
        description="azure_openai: delete the uploaded datasets when the job has ended",
    )
    registered_model_name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,254}$",
        description="name of the registered model; default: the run id",
    )
    training_price: float | None = Field(
        default=None,
        ge=0,
        le=MAX_PRICE,
        description="azureml, azure_openai: price of a million trained tokens, for the quote of a "
        "dry run; default: that of the list",
    )
    hosting_price: float | None = Field(
        default=None,
        ge=0,
        le=MAX_PRICE,
        description="azureml, azure_openai: price of an hour of hosting, for the quote of a dry "
        "run; default: that of the list",
    )
    max_hours: float = Field(
        default=48,
        gt=0,
        le=336,
        description="cancel the fine-tuning job if it takes longer",
    )
    max_silent_minutes: float = Field(
        default=60,
        gt=0,
        le=1440,
        description="cancel a job that hasn't responded for this long",
    )

    @property
    def trained_by(self) -> str:
        """Return the backend's name, which may follow from the model."""
        return self.backend or find_student(self.model or "").backend

    @property
    def trained_in(self) -> TrainingType:
        """Return where Azure OpenAI and Foundry train it."""
        if self.training_type is not None:
            return self.training_type
        return "global" if find_student(self.model or "").global_training else "standard"


Students = (
    Annotated[
        Annotated[StudentSpec, Tag("one")]
        | Annotated[
            list[StudentSpec], Field(min_length=1, max_length=MAX_STUDENTS), Tag("several")
        ],
        Discriminator(lambda value: "several" if isinstance(value, list) else "one"),
    ]
    | None
)
"""One student, several, or None for a run that ends with its datasets."""


SCHEMA_KEY = "$schema"


def _add_schema_key(schema: JsonSchemaValue) -> None:
    """Let a specification name its JSON Schema. The name is dropped when it is parsed."""
    description = "URL or path of this schema, for your editor; it has no effect on the run"
    field = {"type": "string", "description": description}
    schema["properties"] = {SCHEMA_KEY: field, **schema["properties"]}


class RunSpec(Section):
    """One run.

    `train`, `validation` and `test` are `datasets/…` paths in the configured storage account.
    """

    model_config = ConfigDict(json_schema_extra=_add_schema_key)

    task: TaskName = Field(description="task type")
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="part of the run id; without one, the id ends in a random suffix",
    )
    train: str = Field(description=f"path of the training set: {DATASETS}/…/….jsonl")
    validation: str | None = Field(
        default=None, description=f"path of the validation set: {DATASETS}/…/….jsonl"
    )
    test: str | None = Field(
        default=None,
        description=(
            f"path of the test set: {DATASETS}/…/….jsonl. Its rows are checked and kept apart from "
            "the other two; the teacher isn't asked for them"
        ),
    )
    reuse: str | None = Field(
        default=None,
        pattern=f"^{RUN_ID.pattern}$",
        description=(
            "id of an earlier run of the same task, whose answers are used where the teacher "
            "would be asked the same"
        ),
    )
    teacher: TeacherSpec = TeacherSpec()
    prompt: PromptSpec = PromptSpec()
    answers: AnswersSpec = AnswersSpec()
    quality: QualitySpec = QualitySpec()
    budget: BudgetSpec = BudgetSpec()
    holdout: HoldoutSpec = HoldoutSpec()
    generation: GenerationSpec = GenerationSpec()
    student: Students = Field(
        default=StudentSpec(),
        description=(
            "one student, or a list; each is trained by a job of its own. "
            "`null`: the run ends with its datasets"
        ),
    )

    @property
    def document(self) -> JsonObject:
        """Return the specification as users write it: without settings that are null.

        A `student` of null stays, because it isn't the default.
        """
        fields: JsonObject = self.model_dump(mode="json", exclude_none=True)
        if self.student is None:
            fields["student"] = None
        return fields

    @property
    def inputs(self) -> dict[Split, str]:
        """Return the path of each split's dataset, in the order in which rows count."""
        paths: dict[Split, str | None] = {
            "train": self.train,
            "validation": self.validation,
            "test": self.test,
        }
        return {split: path for split, path in paths.items() if path is not None}

    @property
    def students(self) -> list[StudentSpec]:
        """Return the students to train, none if the run ends with its datasets."""
        if self.student is None:
            return []
        return self.student if isinstance(self.student, list) else [self.student]

    @property
    def taught(self) -> Student:
        """Return the limits that hold for all students, because they share the datasets."""
        return common(tuple(student.model or "" for student in self.students))

    @property
    def student_warnings(self) -> list[str]:
        """Return what users should know about the students before they are trained."""
        students = [find_student(student.model or "") for student in self.students]
        warnings: list[str] = []
        for student in students:
            warnings += student.warnings
        if len({student.system_role for student in students}) > 1:
            warnings.append(
                "not every student has a system role, so all of them learn system messages as "
                "part of the first turn"
            )
        return list(dict.fromkeys(warnings))

    @property
    def schedule_warnings(self) -> list[str]:
        """Return when services stop training the students, as far as the catalogue knows it."""
        schedules = [find_student(student.model or "").schedule for student in self.students]
        return list(dict.fromkeys(schedule for schedule in schedules if schedule))

    @property
    def min_rows(self) -> int:
        """Return the least number of training rows that must be accepted.

        The services count examples, of which a row may make several. Datasets alone need no more
        than `quality.min_rows`.
        """
        if not self.students:
            return self.quality.min_rows or 1
        demanded = math.ceil(self.min_examples / self.quality.keep)
        return max(self.quality.min_rows or TASKS[self.task].min_rows, demanded)

    @property
    def min_examples(self) -> int:
        """Return the least number of training examples that all services take."""
        return max((BACKENDS[student.trained_by].min_rows for student in self.students), default=1)
