"""A fake deployment for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fake_deployment import Deployment


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)
