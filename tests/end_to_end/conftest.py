"""One cloud for all tests that do not break it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.app import App, serving
from tests.support.in_a_thread import in_a_thread
from tests.support.receiver import Receiver, receiving

NOTIFY_SECRET = "for the end-to-end tests"


@pytest.fixture(scope="package")
def receiver() -> Iterator[Receiver]:
    """Whoever is notified of the app's runs."""
    with in_a_thread(receiving()) as running:
        yield running


@pytest.fixture(scope="package")
def app(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[App]:
    """The app beside a teacher that takes 100 ms an answer."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NOTIFY_URL", receiver.url)
        environment.setenv("NOTIFY_SECRET", NOTIFY_SECRET)
        yield from _served(tmp_path_factory)


def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with serving(tmp_path_factory.mktemp("end-to-end"), "--latency-ms=100") as running:
        yield running
