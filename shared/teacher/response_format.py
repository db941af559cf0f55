"""In which form a teacher can be held to a structured reply: a JSON schema, any JSON object, or not at all.

What a teacher refuses is remembered for the worker process, so that it is tried once and not at every row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

# what endpoints say of a response_format that they do not take; other refusals are about the request itself
REFUSED = re.compile(
    r"response[_ ]?format|json[_ ]?schema|json[_ ]?object|structured[_ ]?output|extra inputs",
    re.IGNORECASE,
)


class Form(Enum):
    """From the strictest to none."""

    SCHEMA = "json_schema"
    OBJECT = "json_object"
    FREE = "text"

    def response_format(self, schema: Mapping[str, Any]) -> dict[str, Any] | None:
        """The request's `response_format`, None where it has none."""
        if self is Form.SCHEMA:
            return {
                "type": self.value,
                "json_schema": {"name": "reply", "strict": True, "schema": dict(schema)},
            }
        return {"type": self.value} if self is Form.OBJECT else None


class Forms:
    """What one teacher takes, as far as it is known."""

    def __init__(self) -> None:
        self.form = Form.SCHEMA

    def gives_up(self, form: Form, message: str) -> bool:
        """Whether a refusal of this form leaves another one to try. The next requests will not use it."""
        if form is Form.FREE or not REFUSED.search(message):
            return False
        if form is self.form:  # else another request has found out already
            self.form = Form.OBJECT if form is Form.SCHEMA else Form.FREE
        return True


_forms: dict[tuple[str, str], Forms] = {}


def forget_forms() -> None:
    """Know nothing of any teacher again."""
    _forms.clear()


def forms_of(base_url: str, model: str) -> Forms:
    """What this worker process knows of a teacher."""
    return _forms.setdefault((base_url, model), Forms())
