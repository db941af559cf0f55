"""Whether a run did what it was asked to, judged by its files and counts alone.

The demo's exit code rests on this.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.emulators.chat_dataset import check_chat_dataset
from local.runtime.client import View
from shared.core.paths import ASKED_SPLITS


def check_run(view: View, inputs: Mapping[str, Path], outputs: Path) -> list[str]:
    """Return a run's problems, an empty list if there are none.

    `view` is the status that the API reports, `inputs` the uploaded file of each split, `outputs`
    the folder with the run's files.
    """
    if view["status"] != "completed":
        return [f"ended as {view['status']}{_error(view)}"]
    rejected, problems = _rejected_rows(outputs / "rejected.jsonl")
    for split, uploaded in inputs.items():
        counts = view["splits"].get(split)
        if split in ASKED_SPLITS:
            problems += _check_split(split, counts, uploaded, rejected[split], outputs)
        else:
            problems += _check_not_asked(split, counts, uploaded, rejected[split])
    problems += _check_report(view, outputs / "report.json")
    return problems + _check_model(view)


def rows_in(path: Path) -> int:
    """Return the rows of an uploaded file: its lines that are not blank."""
    return sum(1 for line in path.read_bytes().split(b"\n") if line.strip(b" \t\r\xef\xbb\xbf"))


def _check_split(
    split: str, counts: Any, uploaded: Path, rejected: int, outputs: Path
) -> list[str]:
    examples, problems = check_chat_dataset(outputs / f"{split}.jsonl")
    rows = rows_in(uploaded)
    held_out: int = counts.get("held_out", 0) if counts else 0
    if held_out:
        validation, damaged = check_chat_dataset(outputs / "validation.jsonl")
        problems += damaged
        if validation < held_out:
            problems.append(
                f"{split}: {held_out} rows were held out, but validation.jsonl has {validation}"
            )
        examples += validation
    accepted = examples - _further_examples(counts or {})
    not_needed: int = counts.get("not_needed", 0) if counts else 0
    if accepted + rejected + not_needed != rows:
        surplus = f", and {not_needed} were not needed" if not_needed else ""
        problems.append(
            f"{split}: {rows} rows went in, but {accepted} came out and {rejected} were rejected"
            + surplus
        )
    from_files = {
        "rows": rows,
        "done": rows - not_needed,
        "accepted": accepted,
        "rejected": rejected,
    }
    from_status = {name: counts.get(name) for name in from_files} if counts else None
    if from_status != from_files:
        problems.append(f"{split}: the status says {from_status}, the files say {from_files}")
    return problems


def _further_examples(counts: Mapping[str, int]) -> int:
    """Return how many examples are not the first of their row."""
    return counts.get("examples", 0) - counts["accepted"] if "examples" in counts else 0


def _check_not_asked(split: str, counts: Any, uploaded: Path, rejected: int) -> list[str]:
    """Return the problems of a split that the teacher isn't asked for."""
    rows = rows_in(uploaded)
    from_files = {"rows": rows, "accepted": 0, "rejected": rejected, "not_asked": rows - rejected}
    from_status = {name: counts.get(name) for name in from_files} if counts else None
    if from_status == from_files:
        return []
    return [f"{split}: the status says {from_status}, the files say {from_files}"]


def _rejected_rows(path: Path) -> tuple[Counter[str], list[str]]:
    """Return the number of rejected rows by split, and problems of the file."""
    if not path.is_file():
        return Counter(), [f"{path.name} is missing"]
    try:
        return Counter(json.loads(line)["split"] for line in path.read_bytes().splitlines()), []
    except (ValueError, KeyError, TypeError) as error:
        return Counter(), [f"{path.name} cannot be read ({error!r})"]


def _check_report(view: View, path: Path) -> list[str]:
    if not path.is_file():
        return [f"{path.name} is missing"]
    try:
        report: Any = json.loads(path.read_bytes())
        run_id, status = report["run"], report["status"]
    except (ValueError, KeyError, TypeError) as error:
        return [f"{path.name} cannot be read ({error!r})"]
    if run_id != view["id"] or status != "completed":
        return [f"{path.name} is of run {run_id}, status {status}"]
    return []


def _check_model(view: View) -> list[str]:
    if view["datasets_only"]:
        return []
    jobs: list[Mapping[str, Any]] = view.get("students") or [view["finetune"] or {}]
    return [
        f"no model was registered (fine-tuning status: {job.get('status', 'no job')})"
        for job in jobs
        if not job.get("model")
    ]


def _error(view: View) -> str:
    error: Mapping[str, Any] | None = view["error"]
    if not error:
        return ""
    lines = [f": {error['message']} ({error['code']})"]
    lines += [
        f"      {detail['where']}: {detail['problem']}" for detail in error.get("details", [])
    ]
    return "\n".join(lines)
