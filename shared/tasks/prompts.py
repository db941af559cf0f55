"""What the teacher is told besides the rows' own prompts: texts as data (`prompts.toml`), with a version that reports record."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

_DATA: dict[str, Any] = tomllib.loads(
    (Path(__file__).with_suffix(".toml")).read_text(encoding="utf-8")
)

PROMPT_VERSION: str = _DATA["version"]
CHAIN_OF_THOUGHT: str = _DATA["instructions"]["chain_of_thought"]
CHAIN_OF_DENSITY: str = _DATA["instructions"]["chain_of_density"]
PREFLIGHT: str = _DATA["preflight"]["user"]


def word_limit(words: int) -> str:
    """The limit of a summary, in words to the teacher."""
    return str(_DATA["instructions"]["word_limit"]).format(words=words)


def ask_again(complaint: str) -> str:
    """Why an earlier reply could not be used, in words to the teacher."""
    return str(_DATA["instructions"]["ask_again"]).replace("{complaint}", complaint)
