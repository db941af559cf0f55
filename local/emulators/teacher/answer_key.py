"""Answer keys: the rows that the teacher knows the answers to, read from JSON Lines files.

A line is a chat as in a training file, `{"messages": [user, assistant, …], "reasoning": "…"}`. The
teacher recognises a row by its user messages alone, whatever the system prompt; a later turn of a
conversation by all user messages up to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

SAMPLES = Path(__file__).parents[3] / "samples"


@dataclass(frozen=True, slots=True)
class KeyAnswer:
    """What a key holds for one user turn. `reasoning` is empty if the key gives none."""

    text: str
    reasoning: str


class _Message(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: str


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")
    messages: list[_Message]
    reasoning: str = ""


class AnswerKey:
    """The answers of several key files. If two of them have the same row, the later file wins."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._answers: dict[tuple[str, ...], KeyAnswer] = {}
        for path in paths:
            self._answers |= _read(path)

    def find(self, questions: Sequence[str]) -> KeyAnswer | None:
        """Return the answer to the last of these user messages."""
        return self._answers.get(_identity(questions))


def sample_keys() -> list[Path]:
    """Return the keys of the sample datasets."""
    return sorted(SAMPLES.glob("*/key.jsonl"))


@cache
def _read(path: Path) -> dict[tuple[str, ...], KeyAnswer]:
    """Return the answers of one file by user messages. Raises ValueError, OSError."""
    answers: dict[tuple[str, ...], KeyAnswer] = {}
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            line = _Line.model_validate_json(text)
            answers |= _turns(line)
        except ValidationError as error:
            raise ValueError(f"{path}, line {number}: {error.errors()[0]['msg']}") from None
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
    return answers


def _turns(line: _Line) -> dict[tuple[str, ...], KeyAnswer]:
    turns = [message for message in line.messages if message.role != "system"]
    users = turns[::2]
    replies = turns[1::2]
    alternating = all(message.role == "user" for message in users) and all(
        message.role == "assistant" for message in replies
    )
    if not users or not alternating or len(users) != len(replies):
        raise ValueError("user and assistant messages must take turns, ending with an assistant's")
    questions = [message.content for message in users]
    return {
        _identity(questions[:count]): KeyAnswer(reply.content, line.reasoning)
        for count, reply in enumerate(replies, start=1)
    }


def _identity(questions: Sequence[str]) -> tuple[str, ...]:
    """Return what identifies a row: its user messages, whatever their white space."""
    return tuple(" ".join(question.split()) for question in questions)
