"""Writes what the docs take from the code: JSON Schemas of the run specification and of the report. `python -m docs.make`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shared.report.model import Report
from shared.spec.models import spec_schema

FOLDER = Path(__file__).parent


def schemas() -> dict[Path, dict[str, Any]]:
    """Every schema by the file it is published in."""
    return {
        FOLDER / "run.schema.json": spec_schema(),
        FOLDER / "report.schema.json": Report.model_json_schema(mode="serialization"),
    }


def main() -> None:
    for path, schema in schemas().items():
        path.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
