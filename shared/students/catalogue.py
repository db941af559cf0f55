"""The students that hosted fine-tuning offers, as data: which exist, whether they know a system role, what can be set.

Catalogues change every few months, so nothing else in the app names a model. A student that is not listed is allowed, with
safe assumptions and a warning. Sources, as of August 2026: Microsoft's retirement schedule of Foundry Models, its fine-tuning
overview, the samples in Azure/azureml-examples (`jobs/finetuning`), and the models' own cards for context and chat template.
Of Azure OpenAI, as of October 2026, all in MicrosoftDocs/azure-ai-docs: `includes/fine-tune-supported-models.md` (models, and
which are trained globally alone), `includes/fine-tune-models.md` (length of a training example, regions), the retirement schedule.
Regions of AzureML, as of March 2026: its region availability for standard deployments, column of fine-tuning.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from shared.students.backends import (
    AZURE_OPENAI,
    AZUREML,
    BACKENDS,
    BackendDescriptor,
    Hyperparameter,
)

Value = str | int | float | bool

ASSET_ID = re.compile(
    r"azureml://registries/(?P<registry>[A-Za-z0-9][\w.-]*)/models/(?P<model>[A-Za-z0-9][\w.-]*)"
    r"/(?:versions/(?P<version>[\w.-]+)|labels/(?P<label>[\w.-]+))"
)
CAUTIOUS_CONTEXT_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class Student:
    """A model that can be fine-tuned. `pattern` is matched against its whole name, in any case."""

    name: str
    pattern: str
    context_tokens: int
    system_role: bool = (
        True  # False: the chat template drops system messages, so they go into the first user turn
    )
    asset: str | None = (
        None  # its asset id in AzureML, newest version known to us; None: not in an AzureML registry
    )
    foundry: str | None = (
        None  # its id in the fine-tuning API of Azure OpenAI and Foundry; None: not offered there
    )
    global_training: bool = (
        False  # that API trains it in Azure's global capacity alone, in no region of its own
    )
    regions: tuple[str, ...] = ()  # in which its own service fine-tunes it; empty: not published
    backend: str = AZUREML  # where it is fine-tuned when a run does not say
    any_hyperparameter: bool = False
    warnings: tuple[str, ...] = ()
    notes: str = ""


def _asset(registry: str, model: str, version: int) -> str:
    return f"azureml://registries/{registry}/models/{model}/versions/{version}"


def _retired(when: str) -> tuple[str, ...]:
    return (f"is retired since {when}: new fine-tuning jobs are refused; choose another student",)


# The first date is for customers who have not fine-tuned the model before, the second for those who have.
def _closing(new_customers: str, everyone: str) -> tuple[str, ...]:
    return (
        f"is closed to new fine-tuning: {new_customers}; to customers who fine-tuned it before, {everyone}",
    )


CLOSING_4O = _closing("deprecated, so to new customers already", "no earlier than 2027-04-01")
CLOSING_41 = _closing(
    "to new customers on 2027-04-14, when the base model retires", "no earlier than that"
)
IN_THE_US = ("eastus", "eastus2", "northcentralus", "southcentralus", "westus", "westus3")
OPENAI_REGIONS = (
    "northcentralus",
    "swedencentral",
)  # of regional training; global training is in many more
OPENAI_EXAMPLE_TOKENS = 65_536  # of one training example; gpt-4.1-nano takes half
MARKETPLACE = "needs a marketplace subscription in the workspace"
NOT_LISTED = (
    "is no longer in the service's list of models: check that its fine-tuning is still offered"
)


def _openai(
    name: str,
    model: str,
    version: str,
    warnings: tuple[str, ...],
    *,
    context_tokens: int = OPENAI_EXAMPLE_TOKENS,
    regions: tuple[str, ...] = OPENAI_REGIONS,
) -> Student:
    return Student(
        name=name,
        pattern=rf"{re.escape(model)}(-{version})?",
        context_tokens=context_tokens,
        foundry=f"{model}-{version}",
        regions=regions,
        backend=AZURE_OPENAI,
        warnings=warnings,
    )


# The first pattern that matches counts.
STUDENTS: tuple[Student, ...] = (
    Student(
        name="Ministral 3B",
        pattern=r"ministral-3b",
        context_tokens=131_072,
        asset=_asset("azureml-mistral", "Ministral-3B", 1),
        foundry="Ministral-3B",
        global_training=True,
        regions=IN_THE_US,
        notes=f"the smallest one offered, generally available, no retirement date; {MARKETPLACE}",
    ),
    Student(
        name="Mistral Nemo",
        pattern=r"mistral-nemo(-12b)?(-\d+)?",
        context_tokens=131_072,
        asset=_asset("azureml-mistral", "Mistral-Nemo", 1),
        warnings=(NOT_LISTED,),
        notes=MARKETPLACE,
    ),
    Student(
        name="Mistral Large (2411)",
        pattern=r"mistral-large-2411",
        context_tokens=131_072,
        asset=_asset("azureml-mistral", "Mistral-Large-2411", 2),
        warnings=(NOT_LISTED,),
        notes=MARKETPLACE,
    ),
    Student(
        name="Phi-4 mini",
        pattern=r"phi-4-mini-instruct",
        context_tokens=131_072,
        asset=_asset("azureml", "Phi-4-mini-instruct", 1),
        regions=IN_THE_US,
        notes="3.8B parameters, generally available, sold by Microsoft: no marketplace subscription",
    ),
    Student(
        name="Phi-4",
        pattern=r"phi-4",
        context_tokens=16_384,
        asset=_asset("azureml", "Phi-4", 7),
        regions=IN_THE_US,
    ),
    Student(
        name="Phi-3.5",
        pattern=r"phi-3\.5-(mini|moe)-instruct",
        context_tokens=131_072,
        asset=_asset("azureml", "Phi-3.5-mini-instruct", 6),
        warnings=(NOT_LISTED,),
    ),
    Student(
        name="Phi-3 medium 4k",
        pattern=r"phi-3-medium-4k-instruct",
        context_tokens=4096,
        system_role=False,
        asset=_asset("azureml", "Phi-3-medium-4k-instruct", 6),
        warnings=(NOT_LISTED,),
    ),
    Student(
        name="Phi-3 medium 128k",
        pattern=r"phi-3-medium-128k-instruct",
        context_tokens=131_072,
        system_role=False,
        asset=_asset("azureml", "Phi-3-medium-128k-instruct", 7),
        warnings=(NOT_LISTED,),
    ),
    Student(
        name="Phi-3 mini 4k",
        pattern=r"phi-3-mini-4k-instruct",
        context_tokens=4096,
        asset=_asset("azureml", "Phi-3-mini-4k-instruct", 15),
        warnings=(NOT_LISTED,),
    ),
    Student(
        name="Phi-3 mini 128k",
        pattern=r"phi-3-mini-128k-instruct",
        context_tokens=131_072,
        asset=_asset("azureml", "Phi-3-mini-128k-instruct", 13),
        warnings=(NOT_LISTED,),
    ),
    Student(
        name="Llama 3.1",
        pattern=r"(meta-)?llama-3\.1-(8b|405b)(-instruct)?",
        context_tokens=131_072,
        asset=_asset("azureml-meta", "Meta-Llama-3.1-8B-Instruct", 4),
        warnings=_retired("2026-06-13"),
    ),
    Student(
        name="Llama 3.3 70B",
        pattern=r"(meta-)?llama-3\.3-70b-instruct",
        context_tokens=131_072,
        asset=_asset("azureml-meta", "Llama-3.3-70B-Instruct", 4),
        foundry="Llama-3.3-70B-Instruct",
        global_training=True,
        regions=("westus3",),
    ),
    Student(
        name="gpt-oss 20B",
        pattern=r"gpt-oss-20b",
        context_tokens=131_072,
        asset=_asset("azureml-openai-oss", "gpt-oss-20b", 6),
        foundry="gpt-oss-20b",
        global_training=True,
        notes="reasoning model: its template puts system messages into its developer role",
    ),
    Student(
        name="Qwen 32B",
        pattern=r"qwen-?3?-32b",
        context_tokens=8192,  # of a training example; the model itself reads more
        foundry="Qwen-32B",
        global_training=True,
        backend=AZURE_OPENAI,
    ),
    _openai("GPT-4.1", "gpt-4.1", "2025-04-14", CLOSING_41),
    _openai("GPT-4.1 mini", "gpt-4.1-mini", "2025-04-14", CLOSING_41),
    _openai("GPT-4.1 nano", "gpt-4.1-nano", "2025-04-14", CLOSING_41, context_tokens=32_768),
    _openai("GPT-4o", "gpt-4o", "2024-08-06", CLOSING_4O, regions=("eastus2", *OPENAI_REGIONS)),
    _openai("GPT-4o mini", "gpt-4o-mini", "2024-07-18", CLOSING_4O),
)

# The smallest model that is generally available, has no retirement date, and is offered for serverless fine-tuning in most
# regions of AzureML as well as in Foundry. Where no marketplace subscription is wanted, Phi-4-mini-instruct is next.
DEFAULT_STUDENT = _asset("azureml-mistral", "Ministral-3B", 1)


@lru_cache(maxsize=64)  # asked for every row
def find_student(model: str) -> Student:
    """What is known of a model, given by asset id or name. Never fails: a stranger gets safe assumptions and a warning.

    A bare name of a model that Foundry offers is taken for Foundry's, as AzureML knows models by their asset ids alone.
    """
    match = ASSET_ID.fullmatch(model)
    name = match["model"] if match else model.strip("/").rsplit("/", 1)[-1]
    for student in STUDENTS:
        if re.fullmatch(student.pattern, name, re.IGNORECASE):
            return (
                replace(student, backend=AZURE_OPENAI)
                if student.foundry and "/" not in model
                else student
            )
    return Student(
        name=name or "unnamed",
        pattern=re.escape(name),
        context_tokens=CAUTIOUS_CONTEXT_TOKENS,
        any_hyperparameter=True,
        warnings=(
            f"{name or 'the student'} is not in the table of known students: taken to know a system role, "
            f"to read {CAUTIOUS_CONTEXT_TOKENS} tokens, and its hyperparameters are not checked",
        ),
    )


@lru_cache(maxsize=64)  # asked for every row
def common(models: tuple[str, ...]) -> Student:
    """What every one of these students can be taught with: the shortest context, a system role only if all know one."""
    students = [find_student(model) for model in models]
    return Student(
        name=" and ".join(student.name for student in students),
        pattern="",
        context_tokens=min(student.context_tokens for student in students),
        system_role=all(student.system_role for student in students),
    )


def check_hyperparameters(
    student: Student, given: Mapping[str, Any], backend: str | None = None
) -> tuple[dict[str, Value], list[str]]:
    """Hyperparameters under the backend's names and as numbers, and every problem with them. Checking twice changes nothing."""
    descriptor = BACKENDS.get(backend or "", BACKENDS[student.backend])
    named = {
        alias: entry
        for entry in descriptor.hyperparameters
        for alias in (entry.name, *entry.aliases)
    }
    normalised: dict[str, Value] = {}
    problems: list[str] = []
    for key, value in given.items():
        name = named[key].name if key in named else key
        if name in normalised:
            problems.append(f"{key} says the same as {name}, which is given too: remove one")
            continue
        checked, problem = _check(student, descriptor, named.get(key), key, value)
        if problem:
            problems.append(problem)
        elif checked is not None:
            normalised[name] = checked
    return normalised, problems


def _check(
    student: Student,
    descriptor: BackendDescriptor,
    known: Hyperparameter | None,
    key: str,
    value: object,
) -> tuple[Value | None, str | None]:
    if not isinstance(value, str | int | float):
        return None, f"{key} must be a number or a text, not {type(value).__name__}"
    if known:
        return _number(known, key, value)
    for entry in descriptor.hyperparameters:
        if entry.unlike == key:
            remedy = f"{student.name} takes {entry.name}, for example {entry.example}"
            return None, f"{key} belongs to students of another backend: {remedy}"
    if student.any_hyperparameter and descriptor.takes_other_hyperparameters:
        return value, None
    names = ", ".join(entry.name for entry in descriptor.hyperparameters)
    return None, f"{key} is not a hyperparameter of {student.name}: it takes {names}"


def _number(known: Hyperparameter, key: str, value: Value) -> tuple[Value | None, str | None]:
    """Numbers may come as text, as Azure's own samples write them."""
    wanted = "a whole number" if known.kind is int else "a number"
    problem = f"{key} must be {wanted} from {known.low:g} to {known.high:g}, not {value!r}"
    if isinstance(value, bool):
        return None, problem
    try:
        number = float(value)
    except ValueError:
        return None, problem
    if not math.isfinite(number) or not known.low <= number <= known.high:
        return None, problem
    if known.kind is int:
        return (int(number), None) if number.is_integer() else (None, problem)
    return number, None
