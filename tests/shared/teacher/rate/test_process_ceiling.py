"""What a process may have in flight follows from what its machine and container give it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from shared.teacher.rate import process_ceiling
from shared.teacher.rate.process_ceiling import Resources, read_resources, run_ceiling

MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("memory", "processors", "open_files", "ceiling"),
    [
        (2048, 1, math.inf, 2000),
        (512, 0.25, math.inf, 500),
        (128, 1, math.inf, 256),
        (24_000, 16, 1024, 896),
        (24_000, 16, 64, 8),
    ],
    ids=["an instance", "a small one", "little memory", "few files", "hardly any files"],
)
def test_the_scarcest_resource_decides(
    memory: int, processors: float, open_files: float, ceiling: int
) -> None:
    assert Resources(memory * MEGABYTE, processors, open_files).ceiling == ceiling


def test_a_containers_limits_hold_and_worker_processes_share_them(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(f"{64 * MEGABYTE}\n")
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    alone = read_resources({}, tmp_path)
    shared = read_resources({"FUNCTIONS_WORKER_PROCESS_COUNT": "4"}, tmp_path)
    assert (alone.memory, alone.processors) == (64 * MEGABYTE, 0.5)
    assert (shared.memory, shared.processors) == (16 * MEGABYTE, 0.125)


def test_limits_of_the_older_control_groups_hold(tmp_path: Path) -> None:
    for name, value in {
        "memory/memory.limit_in_bytes": str(32 * MEGABYTE),
        "cpu/cpu.cfs_quota_us": "25000",
        "cpu/cpu.cfs_period_us": "100000",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(value)
    found = read_resources({}, tmp_path)
    assert (found.memory, found.processors) == (32 * MEGABYTE, 0.25)


def test_a_group_without_limits_leaves_those_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    for unlimited in ("max 100000\n", "max", "", "0 0\n"):
        (tmp_path / "cpu.max").write_text(unlimited)
        assert read_resources({}, tmp_path) == read_resources({}, tmp_path / "none")


def test_a_run_that_sets_nothing_may_have_what_the_process_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process_ceiling, "process_ceiling", lambda: 500)
    assert [run_ceiling(concurrency) for concurrency in (None, 3, 1000)] == [500, 3, 500]
