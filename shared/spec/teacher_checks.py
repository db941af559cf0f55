"""Rules of the section `teacher` that no single field can see, and those of `teacher.extra_body`.

`extra_body` is sent as it is, and kept in the run's folder. It must therefore hold no credential,
and nothing that the app sends itself: a reply to such a request would be misread.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from shared.core.errors import Problem
from shared.core.json_values import values_of
from shared.spec.models import CEILING_FACTOR, TeacherSpec

Raw = Mapping[str, Any]
Problems = Iterator[Problem]
EXTRA_BODY = "teacher.extra_body"
MAX_EXTRA_BYTES = 4096
MAX_EXTRA_DEPTH = 16
# parameters of every request, and those that make a reply which the app can't read
OWN_PARAMETERS = {
    "model": "teacher.model",
    "messages": "the dataset and `prompt`",
    "max_completion_tokens": "teacher.max_tokens",
    "response_format": "the task",
    "n": "quality.samples",
    "stream": "",
    "stream_options": "",
}
CREDENTIAL = re.compile(
    r"(?:.*_)?(?:api_?key|(?:access|account|private|secret|subscription|signing)_?key"
    r"|secrets?|password|passwd|pwd|credentials?|authorization|authentication|bearer|cookie"
    r"|connection_?string|(?:access|api|auth|bearer|client|hf|id|refresh|sas|session)_?token)"
    r"|token|sas",
)
WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


def teacher_problems(teacher: Raw) -> Problems:
    """Yield the problems of the section, each with its place."""
    max_tokens = teacher.get("max_tokens", TeacherSpec.model_fields["max_tokens"].default)
    ceiling = teacher.get("max_tokens_ceiling")
    if isinstance(ceiling, int) and isinstance(max_tokens, int) and ceiling < max_tokens:
        problem = (
            f"is less than teacher.max_tokens, {max_tokens:,}: raise it, or remove it for "
            f"{CEILING_FACTOR} times that number"
        )
        yield {"where": "teacher.max_tokens_ceiling", "problem": problem}
    extra_body = teacher.get("extra_body")
    if isinstance(extra_body, Mapping):
        yield from _extra_body_problems(cast(Raw, extra_body))


def _extra_body_problems(extra_body: Raw) -> Problems:
    for name in extra_body:
        if name in OWN_PARAMETERS or name in TeacherSpec.model_fields:
            yield {"where": f"{EXTRA_BODY}.{name}", "problem": _own_parameter_problem(name)}
    too_deep = f"is nested more than {MAX_EXTRA_DEPTH} deep"
    for path, _ in values_of(extra_body):
        where = ".".join([EXTRA_BODY, *path])
        if len(path) > MAX_EXTRA_DEPTH:
            yield {"where": EXTRA_BODY, "problem": too_deep}
            return
        if path and _is_credential(path[-1]):
            problem = (
                "looks like a credential, which a specification must not hold: use the app setting "
                "TEACHER_API_KEY"
            )
            yield {"where": where, "problem": problem}
    size = len(json.dumps(extra_body, default=str).encode())
    if size > MAX_EXTRA_BYTES:
        problem = f"has {size:,} bytes as JSON, but may have {MAX_EXTRA_BYTES:,} at most"
        yield {"where": EXTRA_BODY, "problem": problem}


def _own_parameter_problem(name: str) -> str:
    setting = OWN_PARAMETERS.get(name, f"teacher.{name}")
    problem = "is sent by the app itself: remove it"
    if name.startswith("stream"):
        return "would make replies that the app can't read: remove it"
    return f"{problem}, and use {setting}"


def _is_credential(key: str) -> bool:
    words = WORD_START.sub("_", key).strip("_").lower()
    return CREDENTIAL.fullmatch(words) is not None
