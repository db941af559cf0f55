"""Writes what the docs take from the code: the JSON Schema of the run specification. `python -m docs.make`."""

from __future__ import annotations

import json
from pathlib import Path

from shared.spec import spec_schema

SCHEMA = Path(__file__).with_name("run.schema.json")


def main() -> None:
    SCHEMA.write_text(json.dumps(spec_schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
