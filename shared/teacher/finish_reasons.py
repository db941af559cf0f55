"""What a reply's finish reason means, by the table in `finish_reasons.toml`.

Only the reasons listed as finished count as such. A server that cuts a reply off under a name that
nobody has listed costs a request; taken as whole, the reply would be taught.
"""

from __future__ import annotations

import re
import tomllib
from enum import Enum
from pathlib import Path

WORD_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
# "content_filter: SAFETY" (Gemini's OpenAI route), "FinishReason.STOP" (names of enums)
DETAIL = re.compile(r":.*$", re.DOTALL)
ENUM_NAME = re.compile(r"^finish_?reason\.", re.IGNORECASE)
# Of a reply whose `finish_reason` is null or empty. Azure, Vertex AI and watsonx all say that such
# a reply isn't complete.
NO_REASON = "null"


class Finish(Enum):
    """How a reply ended."""

    FINISHED = "finished"
    TRUNCATED = "truncated"
    FILTERED = "filtered"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"  # an error, a call of a tool, or a reason that isn't listed


def finish_of(reason: str, native: str = "") -> Finish:
    """Return how a reply ended.

    `native` is the reason as a gateway's upstream named it. It counts only where it is listed as
    something worse: gateways turn reasons that they don't know into `stop`.
    """
    finish = _FINISHES.get(_normalized(reason), Finish.INTERRUPTED)
    if finish is Finish.FINISHED:
        return _FINISHES.get(_normalized(native), finish)
    return finish


def _normalized(reason: str) -> str:
    name = ENUM_NAME.sub("", DETAIL.sub("", reason.strip()))
    return WORD_BOUNDARY.sub("_", name).strip("_").lower()


def _read() -> dict[str, Finish]:
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    finishes: dict[str, Finish] = {}
    for kind, names in tomllib.loads(text).items():
        finishes |= dict.fromkeys(names, Finish(kind))
    return finishes


_FINISHES = _read()
