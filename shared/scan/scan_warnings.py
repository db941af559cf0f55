"""The warnings of a scan, the same for a run and a dry run."""

from __future__ import annotations

from collections.abc import Mapping

from shared.core.paths import Split
from shared.dataset.unused_fields import unused_field_warnings
from shared.scan.findings import conflict_warnings, near_duplicate_warnings
from shared.scan.near_duplicates import MAX_BYTES, MAX_ROWS
from shared.scan.plan import ScanCounts
from shared.spec.models import RunSpec
from shared.spec.target_rows import expected_accepted


def scan_warnings(spec: RunSpec, scans: Mapping[Split, ScanCounts]) -> list[str]:
    """Return what users should know of the datasets, whether or not the run goes on."""
    places: list[str] = []
    for scan in scans.values():
        places += scan.unused_fields
    warnings = unused_field_warnings(places)
    warnings += conflict_warnings({split: scan.conflicts for split, scan in scans.items()})
    near_duplicates = {split: scan.near_duplicates for split, scan in scans.items()}
    if spec.quality.near_duplicates == "count":
        warnings += near_duplicate_warnings(near_duplicates)
    if spec.quality.near_duplicates != "off":
        warnings += _partly_compared(scans)
    return warnings + _target_warnings(spec, scans["train"].valid)


def _target_warnings(spec: RunSpec, valid: int) -> list[str]:
    """Return a warning if the training set has fewer usable rows than the run is to end with."""
    accepted = expected_accepted(spec)
    if accepted is None or accepted <= valid:
        return []
    required = f"takes {accepted:,} accepted rows"
    if spec.holdout.fraction:
        required = f"takes about {accepted:,} accepted rows, with those held out for validation"
    return [
        f"quality.target_rows {required}, but the training set has {valid:,} usable rows: all of "
        "them are answered"
    ]


def _partly_compared(scans: Mapping[Split, ScanCounts]) -> list[str]:
    """Return a warning for each evaluation set that is too large to be compared as a whole."""
    return [
        f"near-duplicates were looked for among the first {MAX_ROWS:,} rows and "
        f"{MAX_BYTES // 2**20} MiB of {split} only: split it, or shorten it to what you evaluate on"
        for split, scan in scans.items()
        if scan.is_partly_compared or (split != "train" and scan.rows > MAX_ROWS)
    ]
