"""The optional parameters that a specification sets, and how a teacher says that it refuses one.

Reasoning models refuse `temperature`, `top_p`, penalties and `stop`; others refuse
`reasoning_effort`. Such a parameter is never dropped silently, because the answers would not be
those that the specification asks for.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from pydantic import JsonValue

from shared.spec.models import TeacherSpec
from shared.teacher.completion import TeacherDown, TeacherError

NAMES = (
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "stop",
    "seed",
    "reasoning_effort",
)
EXTRA_BODY = "extra_body"
REFUSAL_CODES = frozenset({"unsupported_parameter", "unsupported_value", "unknown_parameter"})
NAME = r"[\"'`]?(?P<name>[A-Za-z_]\w*)\b"
# "Unsupported parameter: 'top_p' …", "Unrecognized request argument supplied: reasoning_effort"
_NAME_AFTER = re.compile(
    rf"(?:un(?:supported|recogni[sz]ed|known|expected)|extra|invalid)[\w ]*: ?{NAME}", re.IGNORECASE
)
# "temperature is not supported", "'seed' does not support 5", "seed: Extra inputs are not
# permitted"
_NAME_BEFORE = re.compile(
    rf"{NAME}[\"'`]?:? (?:(?:is|are) (?:not |un)(?:supported|permitted|allowed|recogni[sz]ed)"
    r"|does(?: not|n't) support|extra (?:inputs|fields) (?:are )?not permitted)",
    re.IGNORECASE,
)
# as pydantic places it, in JSON or as Python prints it: "loc": ["body", "seed"]
_LOCATION = re.compile(
    r"""["']loc["']: ?[\[(](?:["']body["'], ?)?["'](?P<name>\w+)["']""",
)
_PLACES = (_NAME_AFTER, _NAME_BEFORE, _LOCATION)


class ParameterRefused(TeacherDown):
    """The teacher refuses a parameter that the specification sets, whatever the row."""

    def __init__(self, name: str, detail: str) -> None:
        self.name = name
        self.setting = f"teacher.{name}" if name in NAMES else f"teacher.{EXTRA_BODY}.{name}"
        self.problem = f"the teacher refuses it: change or remove it. {detail}"
        super().__init__(f"{self.setting}: {self.problem}")


def set_parameters(spec: TeacherSpec) -> dict[str, JsonValue]:
    """Return the optional parameters of every request, by name."""
    values: dict[str, JsonValue] = {name: getattr(spec, name) for name in NAMES}
    parameters = {name: value for name, value in values.items() if value is not None}
    return parameters | (spec.extra_body or {})


def without_parameter(spec: TeacherSpec, name: str) -> TeacherSpec:
    """Return the settings without one optional parameter."""
    if name in NAMES:
        return spec.model_copy(update={name: None})
    extra_body = dict(spec.extra_body or {})
    extra_body.pop(name, None)
    return spec.model_copy(update={EXTRA_BODY: extra_body})


def refused_parameter(status: int, error: TeacherError, sent: Collection[str]) -> str | None:
    """Return the name of the sent parameter that an error refuses, or None."""
    if status not in (400, 422) or not sent:
        return None
    if error.param:
        name = re.split(r"[.\[]", error.param)[0]
        is_refused = error.code in REFUSAL_CODES or _named_in(error.message, {name})
        return name if name in sent and is_refused else None
    return _named_in(error.message, sent)


def _named_in(message: str, names: Collection[str]) -> str | None:
    for place in _PLACES:
        for match in place.finditer(message):
            if match["name"] in names:
                return match["name"]
    return None
