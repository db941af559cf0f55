"""Rules of the run specification that no single field can see: settings that contradict each other.

They read the raw data, because a specification with an invalid field never becomes a model, and its
other problems must be reported together with that one. Validators of pydantic could not do this:
those of mode `after` don't run if a field is invalid, and those of mode `before` read raw data too,
and report one problem at the model's place instead of several at the fields' places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from shared.core.errors import Problem
from shared.core.paths import DATASETS, SPLITS
from shared.dataset.answer_space import spelled
from shared.spec.models import StudentSpec, is_hyperparameter
from shared.spec.reasoning_checks import reasoning_problems
from shared.spec.teacher_checks import teacher_problems
from shared.spec.unused_settings import unused_settings
from shared.students.asset_names import environment_problem, model_problem
from shared.students.backends import AZURE_OPENAI, backends_taking
from shared.students.catalogue import Student, find_student
from shared.students.hyperparameters import check_hyperparameters
from shared.students.training_types import GLOBAL_TRAINING
from shared.tasks import TASKS, Task
from shared.tasks.answers_spec import COMMON_SETTINGS as COMMON_ANSWER_SETTINGS
from shared.tasks.answers_spec import AnswersSpec
from shared.tasks.prompt_spec import COMMON_SETTINGS, PromptSpec
from shared.tasks.texts.text_checks import CHECK_NAMES

SET_NAMES = {"train": "training", "validation": "validation"}
MAX_PATH_CHARACTERS = 1000  # a blob's name may have 1,024
Raw = Mapping[str, Any]
Problems = Iterator[Problem]


def contradictions(data: Raw) -> list[Problem]:
    """Return the problems between the fields of a specification, each with its place."""
    problems: list[Problem] = []
    checks = (
        _path_problems,
        _task_problems,
        _teacher_problems,
        _budget_problems,
        _holdout_problems,
        _source_problems,
    )
    for check in checks:
        problems += check(data)
    for where, student in _students(data):
        problems += _student_problems(student, where)
    return problems


def path_problem(path: str) -> str | None:
    """Return why a dataset's path can't be used, or None."""
    example = f"{DATASETS}/nli/mine/train.jsonl"
    if "://" in path or path.startswith("//"):
        return f"must be a path like {example} in the configured storage account, not a URL"
    if "?" in path or "#" in path or "\\" in path or not path.isprintable():
        return "must not contain ?, #, backslashes or control characters"
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "must not contain empty, . or .. parts"
    if parts[0] != DATASETS or len(parts) < 2:
        return f"must be in container {DATASETS}, for example {example}"
    if len(path.encode("utf-16-le", "surrogatepass")) > 2 * MAX_PATH_CHARACTERS:
        return f"must have at most {MAX_PATH_CHARACTERS:,} characters"
    return None if path.endswith(".jsonl") else "must name a .jsonl file"


def _path_problems(data: Raw) -> Problems:
    first_splits: dict[str, str] = {}
    for split in SPLITS:
        path = data.get(split)
        if not isinstance(path, str):
            continue
        problem = path_problem(path)
        if problem:
            yield {"where": split, "problem": problem}
        first = first_splits.setdefault(path, split)
        if first != split:
            yield {"where": split, "problem": f"is the {SET_NAMES[first]} set itself"}


def _task_problems(data: Raw) -> Problems:
    name = data.get("task")
    if not isinstance(name, str) or name not in TASKS:
        return
    task = TASKS[name]
    yield from _prompt_problems(task, _section(data, "prompt"))
    yield from _answer_problems(task, _section(data, "answers"))
    yield from _quality_problems(task, _section(data, "quality"))
    yield from _agreement_problems(task, _section(data, "quality"))
    yield from _sampling_problems(_section(data, "quality"), _section(data, "teacher"))
    if _section(data, "answers").get("source") != "provided":
        yield from reasoning_problems(task, _section(data, "quality"), _section(data, "prompt"))


def _prompt_problems(task: Task, prompt: Raw) -> Problems:
    for setting, field in PromptSpec.model_fields.items():
        is_changed = setting in prompt and prompt[setting] != field.default
        if is_changed and setting not in task.prompt_settings | COMMON_SETTINGS:
            problem = f"can't be used by task {task.name}: remove it"
            yield {"where": f"prompt.{setting}", "problem": problem}
    for setting in ("teacher_system", "student_system"):
        if prompt.get(f"{setting}_mode") == "replace" and prompt.get(setting) is None:
            problem = f"prompt.{setting} has no text to replace the row's own with: set it"
            yield {"where": f"prompt.{setting}_mode", "problem": problem}
    takes_reasoning = "student_learns" in task.prompt_settings
    learns_reasoning = takes_reasoning and prompt.get("student_learns") == "reasoning"
    if learns_reasoning and not prompt.get("chain_of_thought"):
        problem = "`reasoning` needs chain_of_thought: true"
        yield {"where": "prompt.student_learns", "problem": problem}


def _answer_problems(task: Task, answers: Raw) -> Problems:
    for setting in AnswersSpec.model_fields:
        is_taken = setting in task.answer_settings | COMMON_ANSWER_SETTINGS
        if answers.get(setting) and not is_taken:
            problem = f"can't be used by task {task.name}: remove it"
            yield {"where": f"answers.{setting}", "problem": problem}
    labels = _texts(answers.get("labels"))
    spellings: dict[str, str] = {}
    for label in labels:
        earlier = spellings.setdefault(spelled(label) or label, label)
        if earlier is not label:
            problem = f"{earlier!r} and {label!r} differ in case and dress alone: remove one"
            yield {"where": "answers.labels", "problem": problem}
    aliases = answers.get("aliases")
    if labels and isinstance(aliases, Mapping):
        yield from _alias_problems(labels, cast(Raw, aliases))


def _alias_problems(labels: list[str], aliases: Raw) -> Problems:
    names = {spelled(label): label for label in labels}
    for spelling, label in aliases.items():
        where = f"answers.aliases.{spelling}"
        if label not in labels:
            problem = f"must be one of answers.labels: {', '.join(labels)}"
            yield {"where": where, "problem": problem}
        elif names.get(spelled(spelling), label) != label:
            yield {"where": where, "problem": "is another label itself: remove it"}


def _texts(value: object) -> list[str]:
    """Return the texts in a list, in whose place anything may stand."""
    entries = cast(list[object], value) if isinstance(value, list) else []
    return [entry for entry in entries if isinstance(entry, str)]


def _quality_problems(task: Task, quality: Raw) -> Problems:
    select = quality.get("select", "first")
    samples = quality.get("samples", 1)
    if select != "first" and not task.has_values:
        problem = f"answers of task {task.name} can't be compared: remove it"
        yield {"where": "quality.select", "problem": problem}
    yield from _skipped_check_problems(task, quality.get("skip_checks"))
    if select == "first" and isinstance(samples, int) and samples > 1:
        problem = (
            "needs quality.select: majority or reference; otherwise the first answer is kept "
            "whatever the others say"
        )
        yield {"where": "quality.samples", "problem": problem}
    if select == "majority" and samples == 1:
        problem = "use an odd number of samples, 3 or more"
        yield {"where": "quality.samples", "problem": problem}


def _agreement_problems(task: Task, quality: Raw) -> Problems:
    select = quality.get("select", "first")
    if quality.get("min_agreement") is not None and select != "majority":
        problem = "is for quality.select: majority: remove it"
        yield {"where": "quality.min_agreement", "problem": problem}
    if quality.get("tolerance") is not None and not task.has_numbers:
        problem = f"answers of task {task.name} aren't numbers: remove it"
        yield {"where": "quality.tolerance", "problem": problem}


def _skipped_check_problems(task: Task, skip_checks: object) -> Problems:
    names = cast(list[object], skip_checks) if isinstance(skip_checks, list) else []
    for name in names:
        if name in CHECK_NAMES and name not in task.text_checks:
            problem = f"task {task.name} has no check {name}: remove it"
            yield {"where": "quality.skip_checks", "problem": problem}


def _sampling_problems(quality: Raw, teacher: Raw) -> Problems:
    samples = quality.get("samples", 1)
    if isinstance(samples, int) and samples > 1 and teacher.get("temperature") == 0:
        problem = "0 gives the same answer each time: raise it, or set quality.samples to 1"
        yield {"where": "teacher.temperature", "problem": problem}


def _teacher_problems(data: Raw) -> Problems:
    yield from teacher_problems(_section(data, "teacher"))


def _budget_problems(data: Raw) -> Problems:
    budget = _section(data, "budget")
    prices = ("prompt_price", "completion_price")
    missing = [f"budget.{name}" for name in prices if budget.get(name) is None]
    if budget.get("max_cost") is not None and missing:
        problem = f"needs {' and '.join(missing)}: without prices, the cost is unknown"
        yield {"where": "budget.max_cost", "problem": problem}


def _source_problems(data: Raw) -> Problems:
    if _section(data, "answers").get("source") == "provided":
        yield from unused_settings(data)


def _holdout_problems(data: Raw) -> Problems:
    if data.get("validation") is not None and _section(data, "holdout").get("fraction"):
        problem = "the run has a validation set of its own: remove one of the two"
        yield {"where": "holdout.fraction", "problem": problem}


def _students(data: Raw) -> Iterator[tuple[str, Raw]]:
    """Yield the place and the data of each student that is an object."""
    student = data.get("student")
    if isinstance(student, Mapping):
        yield "student", cast(Raw, student)
    elif isinstance(student, list):
        for number, entry in enumerate(cast(list[object], student)):
            if isinstance(entry, Mapping):
                yield f"student.{number}", cast(Raw, entry)


def _student_problems(student: Raw, where: str) -> Problems:
    model = student.get("model")
    listed = find_student(model) if isinstance(model, str) else None
    backend = student.get("backend") or (listed.backend if listed else None)
    for setting in StudentSpec.model_fields:
        backends = backends_taking(setting)
        if backends and backend and student.get(setting) and backend not in backends:
            problem = f"is for {' and '.join(backends)}, not for {backend}: remove it"
            yield {"where": f"{where}.{setting}", "problem": problem}
    yield from _name_problems(student, backend, where)
    if student.get("compute") and student.get("instance_type"):
        problem = "is for serverless compute, but compute names a target: remove one of the two"
        yield {"where": f"{where}.instance_type", "problem": problem}
    if listed and listed.global_training and backend == AZURE_OPENAI:
        yield from _global_training_problems(listed, student.get("training_type"), where)
    hyperparameters = student.get("hyperparameters")
    if listed and isinstance(hyperparameters, dict):
        values = cast(dict[str, Any], hyperparameters)
        usable = {key: value for key, value in values.items() if is_hyperparameter(value)}
        _, problems = check_hyperparameters(listed, usable, backend)
        for problem in problems:
            yield {"where": f"{where}.hyperparameters", "problem": problem}


def _name_problems(student: Raw, backend: object, where: str) -> Problems:
    """Yield names that no service could know, as far as the backend is known."""
    model = student.get("model")
    if isinstance(model, str) and model and isinstance(backend, str):
        problem = model_problem(model, backend)
        if problem:
            yield {"where": f"{where}.model", "problem": problem}
    environment = student.get("environment")
    if isinstance(environment, str) and environment:
        problem = environment_problem(environment)
        if problem:
            yield {"where": f"{where}.environment", "problem": problem}


def _global_training_problems(student: Student, training_type: object, where: str) -> Problems:
    if training_type and training_type != GLOBAL_TRAINING:
        problem = f"{student.name} takes {GLOBAL_TRAINING}: change or remove it"
        yield {"where": f"{where}.training_type", "problem": problem}


def _section(data: Raw, name: str) -> Raw:
    """Return a section of the specification, empty if it is absent or isn't an object."""
    section = data.get(name)
    return cast(Raw, section) if isinstance(section, Mapping) else {}
