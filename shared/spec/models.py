"""The run specification: `run.json`, or the body of `POST /api/runs`. Unknown keys are errors; what is accepted has an effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import Discriminator, Field, JsonValue, Tag, ValidationError

from shared.core.errors import InvalidInput, Problem
from shared.core.ids import RUN_ID
from shared.core.paths import DATASETS
from shared.core.registered_name import RegisteredName
from shared.core.section import Section
from shared.spec.backend_name import BackendName, backends_in_words
from shared.students.backends import BACKENDS, backends_taking
from shared.students.catalogue import (
    Student,
    common,
    find_student,
)
from shared.students.hyperparameters import check_hyperparameters
from shared.tasks import TASKS, Task, tasks_with_values
from shared.tasks.prompt_spec import PromptSpec

TaskName = Annotated[str, RegisteredName(TASKS)]
Hyperparameter = str | int | float | bool
Select = Literal["first", "majority", "reference"]
MAX_PARALLEL_SHARDS = 64
MAX_STUDENTS = 8
COMPUTE_NAME = r"^[A-Za-z][A-Za-z0-9-]{0,31}$"


class TeacherSpec(Section):
    """How the teacher is asked. What is None is not sent: the model's own default holds."""

    model: str | None = Field(
        default=None,
        min_length=1,
        description="model or deployment name; default: setting TEACHER_MODEL",
    )
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    stop: list[Annotated[str, Field(min_length=1)]] | None = Field(
        default=None, min_length=1, max_length=4
    )
    seed: int | None = None
    max_tokens: int = Field(
        default=1024,
        ge=1,
        le=131_072,
        description="tokens an answer may have; doubled once when cut off",
    )
    concurrency: int = Field(
        default=32, ge=1, le=1024, description="requests in flight a worker process, at most"
    )
    timeout_seconds: float = Field(default=120, gt=0, le=600, description="for one request")
    max_attempts: int = Field(
        default=8,
        ge=1,
        le=20,
        description="for one request that errs or times out; 429 does not count",
    )
    row_deadline_seconds: float = Field(
        default=900, gt=0, le=7200, description="for one answer, all attempts together"
    )


class QualitySpec(Section):
    samples: int = Field(
        default=1,
        ge=1,
        le=16,
        description="answers to a row, of which one is chosen; fewer where fewer decide",
    )
    select: Select = Field(
        default="first",
        description=f"{tasks_with_values()}: `majority` keeps the most frequent answer, `reference` one that agrees with the row's",
    )
    min_success_ratio: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="accepted rows by rows asked, each split, or the run fails",
    )
    min_rows: int | None = Field(
        default=None, ge=1, description="accepted training rows, at least; default: by task"
    )


class GenerationSpec(Section):
    rows_per_shard: int = Field(default=512, ge=1, le=5000, description="rows one activity answers")
    parallel_shards: int = Field(
        default=8,
        ge=1,
        le=MAX_PARALLEL_SHARDS,
        description="shards in work at the same time, each split",
    )


class BudgetSpec(Section):
    """What a run may use, and what it costs. Checked before the teacher is asked, by an estimate, and while it is."""

    max_requests: int | None = Field(
        default=None, ge=1, description="requests to the teacher, retries included"
    )
    max_tokens: int | None = Field(
        default=None, ge=1, description="tokens of prompts and answers together"
    )
    max_cost: float | None = Field(default=None, gt=0, description="in the currency of the prices")
    prompt_price: float | None = Field(default=None, ge=0, description="of a million prompt tokens")
    completion_price: float | None = Field(
        default=None, ge=0, description="of a million tokens of answers"
    )

    @property
    def is_set(self) -> bool:
        return any(
            limit is not None for limit in (self.max_requests, self.max_tokens, self.max_cost)
        )


class HoldoutSpec(Section):
    """Accepted training rows that are set aside as the validation set, where the run has none of its own."""

    fraction: float = Field(
        default=0,
        ge=0,
        le=0.5,
        description="of the accepted training rows; 0: no validation set is made",
    )
    seed: int = Field(
        default=0, description="of the choice of rows: the same seed sets the same rows aside"
    )


class StudentSpec(Section):
    """One student, and the fine-tuning job that trains it."""

    backend: BackendName | None = Field(
        default=None,
        description=f"{backends_in_words()}; default: by model",
    )
    model: str | None = Field(
        default=None,
        min_length=1,
        description="asset id, model name (azure_openai), or Hugging Face id (azureml_command); default: setting STUDENT_MODEL",
    )
    hyperparameters: dict[str, Hyperparameter] = Field(default_factory=dict[str, Hyperparameter])
    compute: str | None = Field(
        default=None,
        pattern=COMPUTE_NAME,
        description="AzureML compute target; default: serverless compute",
    )
    instance_type: str | None = Field(
        default=None,
        min_length=1,
        description="AzureML: VM size of serverless compute, such as Standard_NC24ads_A100_v4",
    )
    environment: str | None = Field(
        default=None,
        min_length=1,
        description="azureml_command: AzureML environment; default: a curated one with PyTorch",
    )
    seed: int | None = Field(
        default=None, ge=0, lt=2**31, description="azure_openai, azureml_command: of the training"
    )
    suffix: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,18}$",
        description="azure_openai: part of the new model's name",
    )
    delete_files: bool = Field(
        default=False,
        description="azure_openai: the uploaded datasets are deleted when the job has ended",
    )
    registered_model_name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,254}$",
        description="default: the run id",
    )
    max_hours: float = Field(
        default=48,
        gt=0,
        le=336,
        description="the fine-tuning job is cancelled when it takes longer",
    )
    max_silent_minutes: float = Field(
        default=60,
        gt=0,
        le=1440,
        description="a job that does not respond for so long is cancelled",
    )

    @property
    def trained_by(self) -> str:
        """The backend's name, also where the model decides on it."""
        return self.backend or find_student(self.model or "").backend


class RunSpec(Section):
    """One run. `train` and `validation` are `datasets/…` paths in the configured storage account."""

    task: TaskName
    name: str | None = Field(default=None, min_length=1, max_length=100)
    train: str
    validation: str | None = None
    reuse: str | None = Field(
        default=None,
        pattern=f"^{RUN_ID.pattern}$",
        description="id of an earlier run of the same task: its answers are taken over where the teacher would be asked the same",
    )
    teacher: TeacherSpec = TeacherSpec()
    prompt: PromptSpec = PromptSpec()
    quality: QualitySpec = QualitySpec()
    budget: BudgetSpec = BudgetSpec()
    holdout: HoldoutSpec = HoldoutSpec()
    generation: GenerationSpec = GenerationSpec()
    student: Annotated[
        Annotated[StudentSpec, Tag("one")]
        | Annotated[
            list[StudentSpec], Field(min_length=1, max_length=MAX_STUDENTS), Tag("several")
        ],
        Discriminator(lambda value: "several" if isinstance(value, list) else "one"),
    ] = Field(
        default=StudentSpec(),
        description="one student, or a list: each is trained by a job of its own",
    )

    @property
    def students(self) -> list[StudentSpec]:
        return self.student if isinstance(self.student, list) else [self.student]

    @property
    def taught(self) -> Student:
        """What all students can be taught with, as they learn from the same datasets."""
        return common(tuple(student.model or "" for student in self.students))

    @property
    def student_warnings(self) -> list[str]:
        """What is to be known of the students before they are trained."""
        found = [
            warning
            for student in self.students
            for warning in find_student(student.model or "").warnings
        ]
        systems = {find_student(student.model or "").system_role for student in self.students}
        if len(systems) > 1:
            found.append(
                "not every student knows a system role, so all learn system messages as part of the first turn"
            )
        return list(dict.fromkeys(found))

    @property
    def min_rows(self) -> int:
        """Training rows that must be accepted."""
        backends = {student.trained_by for student in self.students}
        demanded = max(BACKENDS[backend].min_rows for backend in backends)
        return max(self.quality.min_rows or TASKS[self.task].min_rows, demanded)


def parse_spec(data: object) -> RunSpec:
    """A specification from decoded JSON. Raises InvalidInput with every problem at once, each with its place."""
    problems: list[Problem] = []
    spec: RunSpec | None = None
    try:
        spec = RunSpec.model_validate(data)
    except ValidationError as error:
        problems += [
            _problem(entry["loc"], entry["msg"]) for entry in error.errors(include_url=False)
        ]
    if isinstance(data, Mapping):
        problems += _cross_problems(cast(Mapping[str, Any], data))
    if problems or spec is None:
        raise InvalidInput(
            f"the run specification has {len(problems)} problem(s)", details=problems
        )
    return spec


class _Steering(Section):
    parallel_shards: int = Field(ge=1, le=MAX_PARALLEL_SHARDS)


def parse_parallel_shards(body: object) -> int:
    """The number in `{"parallel_shards": n}`. Raises InvalidInput."""
    try:
        return _Steering.model_validate(body).parallel_shards
    except ValidationError as error:
        problems = [
            _problem(entry["loc"], entry["msg"]) for entry in error.errors(include_url=False)
        ]
        raise InvalidInput(f"the body has {len(problems)} problem(s)", details=problems) from None


def spec_schema() -> dict[str, JsonValue]:
    """JSON Schema of the specification, for editors and the docs."""
    return RunSpec.model_json_schema()


def _problem(location: tuple[int | str, ...], message: str) -> Problem:
    if message == "Extra inputs are not permitted":
        message = "is not a known setting"
    if location[:2] in (("student", "one"), ("student", "several")):
        location = (location[0], *location[2:])
    return {"where": ".".join(map(str, location)) or "body", "problem": message}


def _cross_problems(data: Mapping[str, Any]) -> list[Problem]:
    """What no single field can see, read from the raw data so that it is found beside other problems."""
    problems = [
        {"where": key, "problem": why}
        for key in ("train", "validation")
        if isinstance(path := data.get(key), str) and (why := path_problem(path))
    ]
    if data.get("validation") is not None and data.get("validation") == data.get("train"):
        problems.append({"where": "validation", "problem": "is the training set itself"})
    task, prompt, student = data.get("task"), data.get("prompt"), data.get("student")
    if isinstance(task, str) and task in TASKS and isinstance(prompt, Mapping):
        problems += _prompt_problems(TASKS[task], cast(Mapping[str, Any], prompt))
    if isinstance(task, str) and task in TASKS:
        problems += _quality_problems(
            TASKS[task], _section(data, "quality"), _section(data, "teacher")
        )
    problems += _budget_problems(_section(data, "budget"))
    if data.get("validation") is not None and _section(data, "holdout").get("fraction"):
        problems.append(
            {
                "where": "holdout.fraction",
                "problem": "the run has a validation set of its own: remove one of the two",
            }
        )
    if isinstance(student, Mapping):
        problems += _student_problems(cast(Mapping[str, Any], student), "student")
    if isinstance(student, list):
        for number, one in enumerate(cast(list[object], student)):
            if isinstance(one, Mapping):
                problems += _student_problems(cast(Mapping[str, Any], one), f"student.{number}")
    return cast(list[Problem], problems)


def _prompt_problems(task: Task, prompt: Mapping[str, Any]) -> list[dict[str, str]]:
    problems = [
        {"where": f"prompt.{key}", "problem": f"cannot be used by task {task.name}: remove it"}
        for key in PromptSpec.model_fields
        if key in prompt
        and key not in task.prompt_settings
        and prompt[key] != PromptSpec.model_fields[key].default
    ]
    wants_reasoning = (
        "student_learns" in task.prompt_settings and prompt.get("student_learns") == "reasoning"
    )
    if wants_reasoning and not prompt.get("chain_of_thought"):
        problems.append(
            {
                "where": "prompt.student_learns",
                "problem": "`reasoning` needs chain_of_thought: true",
            }
        )
    return problems


def _section(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = data.get(name)
    return cast(Mapping[str, Any], section) if isinstance(section, Mapping) else {}


def _quality_problems(
    task: Task, quality: Mapping[str, Any], teacher: Mapping[str, Any]
) -> list[dict[str, str]]:
    select, samples = quality.get("select", "first"), quality.get("samples", 1)
    problems: list[dict[str, str]] = []
    if select != "first" and not task.has_values:
        why = f"answers of task {task.name} cannot be compared: remove it"
        problems.append({"where": "quality.select", "problem": why})
    if select == "first" and isinstance(samples, int) and samples > 1:
        why = "needs quality.select: majority or reference, or the first answer is kept whatever the others say"
        problems.append({"where": "quality.samples", "problem": why})
    if select == "majority" and samples == 1:
        problems.append(
            {
                "where": "quality.samples",
                "problem": "a majority needs at least 2, better an odd number from 3",
            }
        )
    if isinstance(samples, int) and samples > 1 and teacher.get("temperature") == 0:
        why = "0 gives the same answer each time: raise it, or set quality.samples to 1"
        problems.append({"where": "teacher.temperature", "problem": why})
    return problems


def _budget_problems(budget: Mapping[str, Any]) -> list[dict[str, str]]:
    missing = [name for name in ("prompt_price", "completion_price") if budget.get(name) is None]
    if budget.get("max_cost") is None or not missing:
        return []
    named = " and ".join(f"budget.{name}" for name in missing)
    return [{"where": "budget.max_cost", "problem": f"needs {named}, or the cost cannot be known"}]


def _student_problems(student: Mapping[str, Any], where: str) -> list[dict[str, str]]:
    model, given = student.get("model"), student.get("hyperparameters")
    known = find_student(model) if isinstance(model, str) else None
    backend = student.get("backend") or (known.backend if known else None)
    problems: list[dict[str, str]] = []
    for name in StudentSpec.model_fields:
        backends = backends_taking(name)
        if backends and backend and student.get(name) and backend not in backends:
            why = f"is for {' and '.join(backends)}, not for {backend}: remove it"
            problems.append({"where": f"{where}.{name}", "problem": why})
    if student.get("compute") and student.get("instance_type"):
        why = "is of serverless compute, and compute names a target: remove one"
        problems.append({"where": f"{where}.instance_type", "problem": why})
    if known and isinstance(given, dict):
        _, wrong = check_hyperparameters(known, cast(dict[str, Any], given), backend)
        problems += [{"where": f"{where}.hyperparameters", "problem": problem} for problem in wrong]
    return problems


def path_problem(path: str) -> str | None:
    """Why a dataset path cannot be used, or None."""
    if "://" in path or path.startswith("//"):
        return f"must be a path like {DATASETS}/nli/mine/train.jsonl in the configured storage account, not a URL"
    if "?" in path or "#" in path or "\\" in path or not path.isprintable():
        return "must not contain ?, #, backslashes or control characters"
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "must not contain empty, . or .. parts"
    if parts[0] != DATASETS or len(parts) < 2:
        return f"must lie in container {DATASETS}, e.g. {DATASETS}/nli/mine/train.jsonl"
    return None if path.endswith(".jsonl") else "must name a .jsonl file"
