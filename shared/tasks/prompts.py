"""The instructions that are added to the rows' own prompts, read from `prompts.toml`.

Reports record their version.
"""

from __future__ import annotations

from shared.core.tables import Table, read_table


class _Instructions(Table):
    chain_of_thought: str
    chain_of_density: str
    word_limit: str  # with {words}
    json_answer: str
    last_line: str
    reasoned_last_line: str
    ask_again: str  # with {complaint}
    rationalise: str  # with {reference}
    student_reasoning: str


class _Prompts(Table):
    version: str
    instructions: _Instructions


_PROMPTS = read_table(_Prompts, __file__)
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


def rationalise(reference: str) -> str:
    """Return the instruction that shows the teacher a reference and asks for its reasoning."""
    return _PROMPTS.instructions.rationalise.replace("{reference}", reference)


def ask_again(complaint: str) -> str:
    """Return the instruction that says why an earlier reply could not be used."""
    return _PROMPTS.instructions.ask_again.replace("{complaint}", complaint)
