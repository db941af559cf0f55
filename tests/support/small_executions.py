"""What an execution of an orchestrator may do in tests that use the fixture `small_executions`."""

from __future__ import annotations

ACTIVITIES = 16
PAUSES = 8
POLLS = 6
