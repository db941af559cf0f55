"""How a run ended, in lines for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from local.cli.run_text import jobs_of, split_text, tokens_text
from local.runtime.client import View
from shared.core.paths import ASKED_SPLITS

INDENT = " " * 10


def outcome_lines(view: View, folder: Path, problems: Sequence[str]) -> list[str]:
    """Return the outcome of a run: its problems, row counts, models and the folder of its files."""
    lines = [f"{'ok    ' if not problems else 'FAILED'}  {view['id']}"]
    lines += [f"{INDENT}{problem}" for problem in problems]
    counts = [
        f"{split} {split_text(view['splits'][split])}"
        for split in ASKED_SPLITS
        if split in view["splits"]
    ]
    counts += [
        f"{split} {split_counts['rows'] - split_counts['rejected']} kept for evaluation"
        for split, split_counts in view["splits"].items()
        if split not in ASKED_SPLITS
    ]
    if counts:
        lines.append(f"{INDENT}rows: {', '.join(counts)}; {tokens_text(view['tokens'])} tokens")
    if view["datasets_only"]:
        lines.append(f"{INDENT}datasets only: student is null, so no model was trained")
    lines += [f"{INDENT}model: {job['model']}" for job in jobs_of(view) if job.get("model")]
    return [*lines, f"{INDENT}files: {folder}"]
