"""What is known of a run, each part in a few characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from local.runtime.client import View
from shared.core.paths import ASKED_SPLITS

# of a run that ends with its datasets
NO_TRAINING = "none"
SHOWN_DETAILS = 1


def state_text(view: View) -> str:
    """Return the stage of a running run, such as `generate`, or how the run ended.

    Of a queued run, its place: `queued (2 of 5)`.
    """
    if view["status"] == "queued" and view["queue"]:
        return f"queued ({view['queue']['place']} of {view['queue']['waiting']})"
    return str(view["stage"] if view["status"] == "running" else view["status"])


def split_text(counts: Mapping[str, int] | None) -> str:
    """Return rows done of all rows, `34/96 (2 rejected)`; a dash before they are counted."""
    if not counts:
        return "-"
    rejected = f" ({counts['rejected']} rejected)" if counts["rejected"] else ""
    return f"{counts['done']}/{needed(counts)}{rejected}"


def needed(counts: Mapping[str, int]) -> int:
    """Return the rows of a split without those that turned out not to be needed."""
    return counts["rows"] - counts.get("not_needed", 0)


def asked_rows(view: View) -> tuple[int, int, int]:
    """Return the rows done, needed and rejected of the splits that the teacher answers."""
    splits = [view["splits"][split] for split in ASKED_SPLITS if split in view["splits"]]
    done = sum(counts["done"] for counts in splits)
    rejected = sum(counts["rejected"] for counts in splits)
    return done, sum(map(needed, splits)), rejected


def count_text(count: int) -> str:
    """Return a count in at most five characters: `99999`, `1234k`."""
    return str(count) if count < 100_000 else f"{count // 1000}k"


def tokens_text(tokens: Mapping[str, int]) -> str:
    """Return the tokens of prompts and answers together: `12.3k`."""
    total = tokens["prompt"] + tokens["completion"]
    if total < 1000:
        return str(total)
    if total < 1_000_000:
        return f"{total / 1000:.1f}k"
    return f"{total / 1_000_000:.2f}M"


def duration_text(seconds: float | None) -> str:
    """Return a duration in two units: `42s`, `3m20s`, `2h05m`, `3d04h`. A dash if unknown."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    for unit, size, smaller, step in (("d", 86400, "h", 3600), ("h", 3600, "m", 60)):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // step:02}{smaller}"
    return f"{whole // 60}m{whole % 60:02}s" if whole >= 60 else f"{whole}s"


def remaining_text(view: View) -> str:
    """Return how long the teacher is expected to be asked yet: `~3m20s`."""
    seconds = view.get("remaining_seconds")
    return "-" if seconds is None else f"~{duration_text(seconds)}"


def rate_text(rate: float | None) -> str:
    """Return rows a second in about three digits."""
    if rate is None:
        return "-"
    return f"{rate:.0f}" if rate >= 100 else f"{rate:.1f}" if rate >= 1 else f"{rate:.2f}"


def cost_text(cost: float | None) -> str:
    """Return an amount of money; four digits after the point of small ones."""
    if cost is None:
        return "-"
    return f"{cost:,.2f}" if cost >= 1 or cost == 0 else f"{cost:.4f}"


def times_text(view: View) -> str:
    """Return elapsed and remaining time and the pace, as far as they are known."""
    parts: list[str] = []
    if view.get("elapsed_seconds") is not None:
        parts.append(duration_text(view["elapsed_seconds"]))
    if view.get("remaining_seconds") is not None:
        parts.append(f"{remaining_text(view)} left")
    if view.get("rows_per_second") is not None:
        parts.append(f"{rate_text(view['rows_per_second'])} rows/s")
    return ", ".join(parts)


def job_text(job: Mapping[str, Any] | None) -> str:
    """Return the status of a fine-tuning job in the service's words; a dash if there is none."""
    return str(job.get("service_status") or job.get("status")) if job else "-"


def jobs_of(view: View) -> list[Mapping[str, Any]]:
    """Return the fine-tuning job of each student; an empty list before there is one."""
    return view.get("students") or ([view["finetune"]] if view["finetune"] else [])


def training_text(view: View) -> str:
    """Return each job's status, with its loss if the service reports one."""
    if view["datasets_only"]:
        return NO_TRAINING
    texts: list[str] = []
    for job in jobs_of(view):
        metrics: Mapping[str, float] = job.get("metrics") or {}
        loss = metrics.get("loss")
        texts.append(job_text(job) + (f" (loss {loss:.3g})" if loss is not None else ""))
    return ", ".join(texts) or "-"


def error_text(view: View) -> str:
    """Return why a run failed: its message and the first detail. Empty if it has no error."""
    error = view["error"]
    if not error:
        return ""
    details: list[Mapping[str, str]] = error.get("details") or []
    shown = [f"{detail['where']}: {detail['problem']}" for detail in details[:SHOWN_DETAILS]]
    text = ": ".join([error["message"], "; ".join(shown)]) if shown else error["message"]
    others = len(details) - len(shown)
    return one_line(f"{text} (and {others} more)" if others > 0 else text)


def one_line(text: str) -> str:
    """Return the text without line breaks and other control characters: services may send any."""
    cleaned = (" " if unicodedata.category(each) in ("Cc", "Zl", "Zp") else each for each in text)
    return " ".join("".join(cleaned).split())


def run_line(view: View) -> str:
    """Return a run in one line of plain text, without what changes by itself, as time does."""
    parts = [f"{view['id']}: {state_text(view)}"]
    splits = [split for split in ASKED_SPLITS if split in view["splits"]]
    parts += [f"{split} {split_text(view['splits'][split])}" for split in splits]
    if view["tokens"]["prompt"]:
        parts.append(f"{tokens_text(view['tokens'])} tokens")
    if view["cost"]:
        parts.append(f"cost {cost_text(view['cost'])}")
    if jobs_of(view):
        parts.append(f"fine-tuning {training_text(view)}")
    if view["error"]:
        parts.append(error_text(view))
    return one_line(", ".join(parts))
