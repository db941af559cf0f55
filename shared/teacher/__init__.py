"""The teacher: one client for everything that speaks chat completions."""

from __future__ import annotations

from shared.teacher.client import Teacher, open_teacher
from shared.teacher.completion import Completion, RowFailure, TeacherDown

__all__ = ["Completion", "RowFailure", "Teacher", "TeacherDown", "open_teacher"]
