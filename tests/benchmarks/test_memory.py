"""When a worker's memory grows with the dataset."""

from __future__ import annotations

from typing import Any

from benchmarks.memory import broken, summary


def run(rows: int, peak: float, lost: int = 0) -> dict[str, Any]:
    return {
        "rows": rows,
        "shards": rows // 256,
        "delivered": rows - lost,
        "peak_mb": peak,
        "seconds": 2.0,
    }


def test_memory_may_grow_by_a_tenth_and_no_more() -> None:
    assert broken([run(1000, 100.0), run(10_000, 109.0)]) == []
    assert "1.11 times" in broken([run(1000, 100.0), run(10_000, 111.0)])[0]


def test_much_memory_and_lost_rows_are_told() -> None:
    assert "251 MB" in broken([run(1000, 251.0)])[0]
    assert "999 of 1000 rows" in broken([run(1000, 100.0, lost=1)])[0]


def test_the_table_compares_with_the_smallest() -> None:
    assert "| 10,000 | 39 | 105.0 | × 1.050 | 5,000 | 0 |" in summary(
        [run(1000, 100.0), run(10_000, 105.0)]
    )
