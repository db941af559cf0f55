"""host.json and references to app settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.functions_host.errors import HostError
from local.functions_host.settings import (
    HostSettings,
    parse_time_span,
    read_host_json,
    resolve_references,
)


def _read(folder: Path, data: Any) -> HostSettings:
    (folder / "host.json").write_text(data if isinstance(data, str) else json.dumps(data))
    return read_host_json(folder)


def test_azures_defaults_hold_where_nothing_is_said(tmp_path: Path) -> None:
    settings = _read(tmp_path, {"version": "2.0"})
    extensions = settings.extensions
    assert (settings.function_timeout, extensions.http.route_prefix) == (1800.0, "api")
    assert extensions.blobs.max_degree_of_parallelism == 8
    assert extensions.blobs.poison_blob_threshold == 5
    assert extensions.durable_task.max_concurrent_activity_functions == 10


def test_the_values_of_host_json_are_taken(tmp_path: Path) -> None:
    extensions = {
        "http": {"routePrefix": "/v1/x/"},
        "blobs": {"maxDegreeOfParallelism": 2, "poisonBlobThreshold": 1},
        "durableTask": {"hubName": "Hub"},
        "queues": {"unknown": True},
    }
    settings = _read(
        tmp_path, {"functionTimeout": "1.02:03:04", "extensions": extensions, "concurrency": {}}
    )
    read = settings.extensions
    assert (read.http.route_prefix, settings.function_timeout) == ("/v1/x/", 93784.0)
    assert read.blobs.max_degree_of_parallelism == 2
    assert read.blobs.poison_blob_threshold == 1
    assert read.durable_task.hub_name == "Hub"


def test_a_time_out_of_minus_one_is_none(tmp_path: Path) -> None:
    assert _read(tmp_path, {"functionTimeout": "-1"}).function_timeout is None


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    assert _read(tmp_path, "\ufeff{}").function_timeout == 1800.0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("{", r"host\.json: .*Invalid JSON"),
        ([], r"host\.json: .* valid dictionary|host\.json: .* object"),
        ({"extensions": []}, "extensions: "),
        ({"extensions": {"http": "api"}}, r"extensions\.http: "),
        ({"functionTimeout": "30"}, "functionTimeout: .*'30' is not a time span like 00:30:00"),
        (
            {"extensions": {"blobs": {"maxDegreeOfParallelism": 0}}},
            "maxDegreeOfParallelism: .* greater than 0",
        ),
        (
            {"extensions": {"blobs": {"poisonBlobThreshold": True}}},
            "poisonBlobThreshold: .* valid integer",
        ),
        (
            {"extensions": {"durableTask": {"maxConcurrentActivityFunctions": "many"}}},
            "maxConcurrentActivityFunctions: .* valid integer",
        ),
        (
            {"extensions": {"durableTask": {"maxConcurrentOrchestratorFunctions": 0}}},
            "maxConcurrentOrchestratorFunctions: .* greater than 0",
        ),
    ],
)
def test_a_wrong_value_is_refused_by_name(tmp_path: Path, data: Any, reason: str) -> None:
    with pytest.raises(HostError, match=reason):
        _read(tmp_path, data)


def test_a_folder_without_host_json_is_no_functions_app(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"host\.json does not exist"):
        read_host_json(tmp_path)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:00:01", 1.0), ("0:0:0.25", 0.25), ("01:30:00", 5400.0), ("2.00:00:00", 172800.0)],
)
def test_a_time_span_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_time_span(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "1:00", "00:00:00:00", "x"])
def test_what_is_no_time_span_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time span"):
        parse_time_span(text)


def test_references_are_replaced_by_app_settings_and_other_text_is_kept() -> None:
    assert resolve_references("%A%/x/%B.C%-50%", {"A": "a", "B.C": "b"}) == "a/x/b-50%"
    with pytest.raises(KeyError, match="NOPE"):
        resolve_references("%NOPE%", {})
