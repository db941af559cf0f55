"""Rules for the settings of `quality` that make examples for students that learn the reasoning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.core.errors import Problem
from shared.tasks import Task

Raw = Mapping[str, Any]
Problems = Iterator[Problem]


def reasoning_problems(task: Task, quality: Raw, prompt: Raw) -> Problems:
    """Yield the problems of `keep` and `rationalise` in raw sections of a specification."""
    yield from _keep_problems(task, quality, prompt)
    yield from _rationalise_problems(task, quality, prompt)


def _keep_problems(task: Task, quality: Raw, prompt: Raw) -> Problems:
    keep = quality.get("keep", 1)
    if not isinstance(keep, int) or keep <= 1:
        return
    where = "quality.keep"
    if not _has_reasoning(task):
        yield {"where": where, "problem": _no_reasoning(task)}
        return
    if prompt.get("student_learns") != "reasoning":
        problem = (
            "needs prompt.student_learns: reasoning, with which a row's examples differ; without, "
            "they would all be the same"
        )
        yield {"where": where, "problem": problem}
    samples = quality.get("samples", 1)
    if isinstance(samples, int) and samples < keep:
        problem = f"{samples} samples make at most {samples} examples a row: raise quality.samples"
        yield {"where": where, "problem": problem}


def _rationalise_problems(task: Task, quality: Raw, prompt: Raw) -> Problems:
    if quality.get("rationalise") is not True:
        return
    where = "quality.rationalise"
    if not _has_reasoning(task):
        yield {"where": where, "problem": _no_reasoning(task)}
        return
    if prompt.get("student_learns") != "reasoning":
        problem = (
            "needs prompt.student_learns: reasoning; for a student that learns the answer alone, "
            "the teacher would only repeat the reference"
        )
        yield {"where": where, "problem": problem}
    if quality.get("select", "first") != "reference":
        problem = "needs quality.select: reference, because the teacher is shown the reference"
        yield {"where": where, "problem": problem}


def _has_reasoning(task: Task) -> bool:
    return "student_learns" in task.prompt_settings


def _no_reasoning(task: Task) -> str:
    return f"answers of task {task.name} have no reasoning: remove it"
