"""The teacher: one client for everything that speaks chat completions."""

from __future__ import annotations

from shared.teacher.budget import Budget, NoBudget
from shared.teacher.client import TeacherClient, open_teacher
from shared.teacher.completion import Completion, RowFailure, TeacherDown
from shared.teacher.stopping import NotSent

__all__ = [
    "Budget",
    "Completion",
    "NoBudget",
    "NotSent",
    "RowFailure",
    "TeacherClient",
    "TeacherDown",
    "open_teacher",
]
