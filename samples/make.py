"""Writes the sample datasets, the same bytes every time: `python -m samples.make [FOLDER]`.

Every sentence comes from the recipes in this repository. What is written is committed; a test writes it again and compares.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from samples.recipes import conversation, math, nli, nlu_qa, summarization
from samples.recipes.drafts import Draft, Frame, distinct

SEED = 20_240_511
TRAIN_ROWS = 96
VALIDATION_ROWS = 72
HERE = Path(__file__).parent
Row = dict[str, Any]
Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one task is written: its drafts, the messages of a draft, and the run specification beside the data."""

    frames: list[Frame]
    messages: Callable[[Draft, random.Random], list[Message]]
    has_answer: bool = True
    run: dict[str, Any] | None = None


def single_turn(system: str, instruction: str, text: str, rng: random.Random) -> list[Message]:
    """A question under its system prompt or, now and then, with the instruction in the user's own message."""
    if rng.random() < 0.06:
        return [_user(instruction + text)]
    return [{"role": "system", "content": system}, _user(text)]


def _nli(draft: Draft, rng: random.Random) -> list[Message]:
    return single_turn(rng.choice(nli.SYSTEMS), nli.INSTRUCTION, nli.lay_out(draft, rng), rng)


def _nlu_qa(draft: Draft, rng: random.Random) -> list[Message]:
    system = rng.choice(nlu_qa.SYSTEMS[nlu_qa.offered(draft)])
    return single_turn(system, nlu_qa.INSTRUCTION, nlu_qa.lay_out(draft, rng), rng)


def _math(draft: Draft, rng: random.Random) -> list[Message]:
    text = rng.choice(("{}", "{}", "Question: {}")).format(draft.user)
    return single_turn(rng.choice(math.SYSTEMS), math.INSTRUCTION, text, rng)


def _summarization(draft: Draft, rng: random.Random) -> list[Message]:
    system = rng.choice(summarization.SYSTEMS).format(words=rng.choice(summarization.WORD_LIMITS))
    return single_turn(system, summarization.INSTRUCTION, summarization.lay_out(draft, rng), rng)


def _conversation(draft: Draft, rng: random.Random) -> list[Message]:
    system = (
        [{"role": "system", "content": rng.choice(conversation.SYSTEMS)}]
        if rng.random() < 0.9
        else []
    )
    turns = [_user(draft.user)]
    for later in draft.later:
        turns += [_assistant(rng.choice(conversation.REPLIES)), _user(later)]
    closing = [_assistant(rng.choice(conversation.REPLIES))] if rng.random() < 0.7 else []
    return [*system, *turns, *closing]


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


RECIPES = {
    "nli": Recipe(nli.FRAMES, _nli, run={"prompt": {"chain_of_thought": True}}),
    "nlu_qa": Recipe(
        nlu_qa.FRAMES, _nlu_qa, run={"teacher": {"temperature": 0.2}, "generation": {"rows_per_shard": 32}}
    ),
    "math": Recipe(
        math.FRAMES, _math, run={"prompt": {"chain_of_thought": True, "student_learns": "reasoning"}}
    ),
    "summarization": Recipe(
        summarization.FRAMES, _summarization, run={"prompt": {"chain_of_density": True, "max_summary_words": 80}}
    ),
    "conversation": Recipe(conversation.FRAMES, _conversation, has_answer=False),
}  # fmt: skip


def dataset(task: str) -> dict[str, list[Row]]:
    """Rows by split. No user text occurs twice, neither within a split nor across the two."""
    recipe = RECIPES[task]
    rng = random.Random(f"{SEED}/{task}")
    drafts = list(islice(distinct(recipe.frames, rng), TRAIN_ROWS + VALIDATION_ROWS))
    rng.shuffle(drafts)
    splits = {"train": drafts[:TRAIN_ROWS], "validation": drafts[TRAIN_ROWS:]}
    return {
        split: [
            _row(recipe, draft, f"{task}-{split}-{number:03}", rng)
            for number, draft in enumerate(chosen, 1)
        ]
        for split, chosen in splits.items()
    }


def _row(recipe: Recipe, draft: Draft, row_id: str, rng: random.Random) -> Row:
    """One row: most have an id, about two in three a reference, some of those as a final assistant message."""
    row: Row = {"id": row_id} if rng.random() < 0.95 else {}
    row["messages"] = recipe.messages(draft, rng)
    if recipe.has_answer:
        drawn = rng.random()
        if drawn < 0.55:
            row["answer"] = draft.answer
        elif drawn < 0.67:
            row["messages"].append(_assistant(draft.answer))
    return row


def write(folder: Path) -> list[Path]:
    """Write `<task>/{train,validation}.jsonl` and `<task>/run.json` under the folder; returns what was written."""
    written: list[Path] = []
    for task, recipe in RECIPES.items():
        for split, rows in dataset(task).items():
            written.append(_write(folder / task / f"{split}.jsonl", _lines(rows)))
        if recipe.run is not None:
            written.append(
                _write(folder / task / "run.json", json.dumps(recipe.run, indent=2) + "\n")
            )
    return written


def _lines(rows: Iterable[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for path in write(folder):
        print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
