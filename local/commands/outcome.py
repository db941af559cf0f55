"""How a run ended, in lines for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from local.client import View
from local.display import split_text, tokens_text
from shared.paths import SPLITS


def outcome_lines(view: View, folder: Path, problems: Sequence[str]) -> list[str]:
    """The outcome of a run: what it made and where that is, or what was wrong."""
    job: Mapping[str, object] = view["finetune"] or {}
    lines = [f"{'ok    ' if not problems else 'FAILED'}  {view['id']}"]
    lines += [f"          {problem}" for problem in problems]
    counts = [f"{split} {split_text(view['splits'][split])}" for split in SPLITS if split in view["splits"]]
    if counts:
        lines.append(f"          rows: {', '.join(counts)}; {tokens_text(view['tokens'])} tokens")
    if job.get("model"):
        lines.append(f"          model: {job['model']}")
    return [*lines, f"          files: {folder}"]
