"""How a run ended, in lines for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from local.cli.display import jobs_of, split_text, tokens_text
from local.runtime.client import View
from shared.core.paths import SPLITS


def outcome_lines(view: View, folder: Path, problems: Sequence[str]) -> list[str]:
    """The outcome of a run: what it made and where that is, or what was wrong."""
    lines = [f"{'ok    ' if not problems else 'FAILED'}  {view['id']}"]
    lines += [f"          {problem}" for problem in problems]
    counts = [
        f"{split} {split_text(view['splits'][split])}"
        for split in SPLITS
        if split in view["splits"]
    ]
    if counts:
        lines.append(f"          rows: {', '.join(counts)}; {tokens_text(view['tokens'])} tokens")
    lines += [f"          model: {job['model']}" for job in jobs_of(view) if job.get("model")]
    return [*lines, f"          files: {folder}"]
