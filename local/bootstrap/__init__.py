"""Makes the virtual environment that everything runs in. Uses the standard library alone."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
