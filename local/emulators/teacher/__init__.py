"""A teacher on this machine: an OpenAI-compatible server that answers from keys, with faults on
demand.

`python -m local.emulators.teacher --port P` serves it; tests use `async with
serve(TeacherOptions(...)) as teacher`.
"""

from __future__ import annotations

from local.emulators.teacher.chat_requests import ChatRequest
from local.emulators.teacher.journal import RequestRecord
from local.emulators.teacher.options import TeacherOptions
from local.emulators.teacher.server import RunningTeacher, serve

__all__ = ["ChatRequest", "RequestRecord", "RunningTeacher", "TeacherOptions", "serve"]
