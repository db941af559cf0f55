"""More than a thousand requests of every kind to the whole app, over HTTP."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.shared.runs.test_any_request import BODIES, OPERATIONS, TYPES, VALUES
from tests.support.any_spec import TRAIN, documents
from tests.support.app import App, sums

METHODS = ("GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


@pytest.mark.slow
def test_every_route_answers_any_method_query_and_body_as_documented(app: App) -> None:
    paths = sorted({path for _, path, _ in OPERATIONS})
    statuses = {
        app.ask(method, f"{path}?prefix={value}", body, **{"Content-Type": type_})[0]
        for (method, path), value, body, type_ in zip(
            product(METHODS, paths), VALUES * 9, BODIES * 9, TYPES[:4] * 18, strict=False
        )
    }
    assert max(statuses) < 500


@pytest.mark.slow
def test_runs_start_if_their_dry_run_says_so(app: App) -> None:
    train = app.put("any-specification", sums(3, 900_000))
    differences: list[Any] = []

    @settings(
        max_examples=500,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
        database=None,
    )
    @given(documents())
    def starts(document: Any) -> None:
        body = json.dumps(document).replace(TRAIN, train).encode()
        dry, _, _ = app.ask("POST", "/api/runs?dry_run=true", body)
        start, view, _ = app.ask("POST", "/api/runs", body)
        if (dry, start) != ((200, 202) if dry == 200 else (start, start)) or start >= 500:
            differences.append((dry, start, body, view))

    starts()
    assert differences == []
