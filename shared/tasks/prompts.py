"""The instructions that are added to the rows' own prompts, read from `prompts.toml`.

Reports record their version.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class _Instructions(BaseModel):
    model_config = ConfigDict(extra="forbid")

    chain_of_thought: str
    chain_of_density: str
    word_limit: str  # with {words}
    json_answer: str
    last_line: str
    reasoned_last_line: str
    ask_again: str  # with {complaint}
    student_reasoning: str


class _Prompts(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: str
    instructions: _Instructions


def _read() -> _Prompts:
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    return _Prompts.model_validate(tomllib.loads(text))


_PROMPTS = _read()
PROMPT_VERSION = _PROMPTS.version
CHAIN_OF_THOUGHT = _PROMPTS.instructions.chain_of_thought
CHAIN_OF_DENSITY = _PROMPTS.instructions.chain_of_density
JSON_ANSWER = _PROMPTS.instructions.json_answer
STUDENT_REASONING = _PROMPTS.instructions.student_reasoning
LAST_LINE = _PROMPTS.instructions.last_line
REASONED_LAST_LINE = _PROMPTS.instructions.reasoned_last_line


def word_limit(words: int) -> str:
    """Return the instruction that limits a summary's length."""
    return _PROMPTS.instructions.word_limit.format(words=words)


def ask_again(complaint: str) -> str:
    """Return the instruction that says why an earlier reply could not be used."""
    return _PROMPTS.instructions.ask_again.replace("{complaint}", complaint)
