"""One cloud for all tests that do not break it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.app import App, serving


@pytest.fixture(scope="package")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app beside a teacher that takes 100 ms an answer."""
    with serving(tmp_path_factory.mktemp("end-to-end"), "--latency-ms=100") as running:
        yield running
