"""A teacher on this machine: an OpenAI-compatible server that works the sample tasks out by rules, with faults on demand.

`python -m local.teacher --port P` serves it; tests use `async with serve(TeacherOptions(...)) as teacher`.
"""

from __future__ import annotations

from local.teacher.chat_requests import ChatRequest
from local.teacher.journal import RequestRecord
from local.teacher.options import TeacherOptions
from local.teacher.server import RunningTeacher, serve

__all__ = ["ChatRequest", "RequestRecord", "RunningTeacher", "TeacherOptions", "serve"]
