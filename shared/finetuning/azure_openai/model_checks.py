"""What preflight concludes from a resource's words about a model. Pure.

Only what is documented and leaves no doubt is a problem, which ends the run before the teacher is
paid. Everything else is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from shared.finetuning.azure_openai.models import ModelSearch, ServiceModel
from shared.spec.models import StudentSpec
from shared.students.catalogue import find_student

MAX_SUGGESTIONS = 10
SOON = timedelta(days=365)
"""Ends that are further away are no news to somebody who trains now."""
NO_LIST = (
    "AZURE_OPENAI_BASE_URL is an address that lists no models, as that of a Foundry project: "
    "whether {model} can be fine-tuned there could not be checked"
)


def model_problems(student: StudentSpec, search: ModelSearch) -> list[str]:
    """Return why the resource can't fine-tune the student, with the remedy."""
    if search.model is None:
        return [_not_found(student, search.others)] if search.is_listed else []
    model = search.model
    if student.trained_in != "standard" or model.fine_tune is not False:
        return []
    if not model.is_trainable:
        return [
            f"model {model.id} cannot be fine-tuned in this resource: "
            "set student.model to another, or use a resource in another region"
        ]
    return [
        f"model {model.id} cannot be fine-tuned in the region of this resource: set "
        f"student.training_type to {_other_training_types(model)}, or use a resource in another "
        "region"
    ]


def model_warnings(student: StudentSpec, search: ModelSearch, today: date) -> list[str]:
    """Return what may make the service refuse the job, or retire the student soon."""
    if not search.is_listed:
        return [NO_LIST.format(model=student.model), *_schedule(student)]
    if search.model is None:
        return []
    model = search.model
    warnings = [*_capability_warnings(student, model), *_status_warnings(model)]
    dates = (model.training_ends, model.inference_ends)
    if any(dates):
        return [*warnings, *_date_warnings(model, today)]
    return [*warnings, *_schedule(student)]


def _not_found(student: StudentSpec, others: list[ServiceModel]) -> str:
    """Return that the resource lacks the model, with those that it can train.

    Other ids of the same student come first.
    """
    name = find_student(student.model or "").name
    trainable = [model for model in others if model.is_trainable]
    trainable.sort(key=lambda model: model.student.name != name)
    ids = [model.id for model in trainable[:MAX_SUGGESTIONS]]
    suggestions = f" ({', '.join(ids)})" if ids else ""
    return (
        f"the resource has no model {student.model}: "
        f"set student.model to one that it can fine-tune{suggestions}"
    )


def _other_training_types(model: ServiceModel) -> str:
    training_types = ["global"]
    if model.devtier_fine_tune:
        training_types.append("developer")
    return " or ".join(training_types)


def _capability_warnings(student: StudentSpec, model: ServiceModel) -> Iterator[str]:
    flags = {"global": model.global_fine_tune, "developer": model.devtier_fine_tune}
    if flags.get(student.trained_in) is False:
        yield (
            f"the service does not list {student.trained_in} training among the capabilities of "
            f"{model.id}: it may refuse the job; if so, change student.training_type or "
            "student.model"
        )


def _status_warnings(model: ServiceModel) -> Iterator[str]:
    status = model.lifecycle_status or ""
    if status and status.replace("-", "").casefold() != "generallyavailable":
        yield f"the service lists {model.id} as {status}"


def _date_warnings(model: ServiceModel, today: date) -> Iterator[str]:
    if model.training_ends is not None and model.training_ends <= today:
        yield (
            f"fine-tuning of {model.id} ended on {model.training_ends}, as the service's list of "
            "models says: a job may be refused to those who have not trained it before; if so, "
            "set student.model to another"
        )
    elif model.training_ends is not None and model.training_ends - today < SOON:
        yield f"the service ends fine-tuning of {model.id} on {model.training_ends}"
    if model.inference_ends is not None and model.inference_ends - today < SOON:
        yield f"the service retires {model.id} on {model.inference_ends}"


def _schedule(student: StudentSpec) -> list[str]:
    schedule = find_student(student.model or "").schedule
    return [schedule] if schedule else []
