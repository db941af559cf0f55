"""The teacher: one client for everything that speaks chat completions."""

from __future__ import annotations

from shared.teacher.client import TeacherClient, open_teacher
from shared.teacher.completion import Completion, RowFailure, TeacherDown

__all__ = ["Completion", "RowFailure", "TeacherClient", "TeacherDown", "open_teacher"]
