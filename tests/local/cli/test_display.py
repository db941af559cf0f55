"""Runs as people see them: a table on a terminal, lines elsewhere, and no line without news."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from local.cli.display import RunsDisplay, terminal
from local.cli.run_text import (
    duration_text,
    job_text,
    run_line,
    split_text,
    state_text,
    tokens_text,
)
from tests.support.views import View, counts, view


class Terminal:
    """A console that keeps what it shows, and a clock."""

    def __init__(self, *, interactive: bool = False) -> None:
        self._file = io.StringIO()
        self.console = Console(file=self._file, force_terminal=interactive, width=120, height=40)
        self.now = 0.0

    @property
    def lines(self) -> list[str]:
        return self._file.getvalue().splitlines()

    def display(self) -> RunsDisplay:
        return RunsDisplay(self.console, clock=lambda: self.now)


def generating(done: int, rejected: int = 0, run_id: str = "nli-mine") -> View:
    return view(
        run_id, status="running", stage="generate", splits={"train": counts(96, done, rejected)}
    )


@pytest.mark.parametrize(
    ("prompt", "completion", "text"),
    [(0, 0, "0"), (400, 599, "999"), (12_000, 345, "12.3k"), (1_000_000, 250_000, "1.25M")],
)
def test_tokens_are_told_in_few_digits(prompt: int, completion: int, text: str) -> None:
    assert tokens_text({"prompt": prompt, "completion": completion}) == text


def test_rows_are_told_with_their_rejections() -> None:
    assert split_text(None) == "-"
    assert split_text(counts(96, 34)) == "34/96"
    assert split_text(counts(96, 34, rejected=2)) == "34/96 (2 rejected)"
    assert split_text({**counts(96, 34), "not_needed": 62}) == "34/34"


def test_a_running_run_is_at_its_stage_and_an_ended_one_is_what_it_became() -> None:
    assert state_text(view(status="running", stage="assemble")) == "assemble"
    assert state_text(view(status="cancelled", stage="assemble")) == "cancelled"


def test_a_queued_run_is_shown_with_its_place() -> None:
    waiting = view("a", status="queued", stage="queue", queue={"place": 2, "waiting": 5})
    assert state_text(waiting) == "queued (2 of 5)"
    assert state_text({**waiting, "queue": None}) == "queued"


def test_a_job_is_told_in_the_services_words() -> None:
    assert job_text(None) == "-"
    assert job_text({"status": "running", "service_status": "Preparing"}) == "Preparing"
    assert job_text({"status": "submitted"}) == "submitted"


def test_a_line_tells_all_there_is_to_tell() -> None:
    everything = view(
        "nli-mine",
        status="failed",
        splits={"validation": counts(8, 8), "train": counts(96, 96, rejected=2)},
        tokens={"prompt": 900, "completion": 200},
        finetune={"status": "failed", "service_status": "Failed"},
        error={"code": "x", "message": "the job failed", "details": []},
    )
    assert run_line(everything) == (
        "nli-mine: failed, train 96/96 (2 rejected), validation 8/8, 1.1k tokens, "
        "fine-tuning Failed, the job failed"
    )
    assert run_line(view("nli-mine")) == "nli-mine: pending"


def test_a_line_is_printed_only_with_news() -> None:
    screen = Terminal()
    with screen.display() as display:
        for shown in (None, generating(0), generating(0), view("nli-mine"), view("nli-mine")):
            display.show({"nli-mine": shown})
            screen.now += 100
    assert screen.lines == ["nli-mine: generate, train 0/96", "nli-mine: pending"]


def test_mere_progress_is_printed_every_few_seconds_and_a_new_stage_at_once() -> None:
    screen = Terminal()
    with screen.display() as display:
        for second in range(11):
            screen.now = float(second)
            display.show({"nli-mine": generating(second)})
        display.show({"nli-mine": {**generating(11), "stage": "assemble"}})
        display.show(
            {
                "nli-mine": {
                    **generating(11),
                    "stage": "assemble",
                    "finetune": {"status": "submitted"},
                }
            }
        )
        display.show({"nli-mine": {**generating(12), "status": "completed"}})
    assert [line.removeprefix("nli-mine: ") for line in screen.lines] == [
        "generate, train 0/96",
        "generate, train 5/96",
        "generate, train 10/96",
        "assemble, train 11/96",
        "assemble, train 11/96, fine-tuning submitted",
        "completed, train 12/96",
    ]


def test_the_last_counts_of_a_run_are_never_held_back() -> None:
    screen = Terminal()
    with screen.display() as display:
        display.show({"a": view("a", status="completed", splits={"train": counts(96, 90)})})
        display.show({"a": view("a", status="completed", splits={"train": counts(96, 96)})})
    assert screen.lines[-1] == "a: completed, train 96/96"


def test_what_looks_like_markup_is_printed_as_it_is() -> None:
    failed = view(
        "a",
        status="failed",
        error={"code": "x", "message": "row [red]3[/red] is wrong", "details": []},
    )
    screen = Terminal()
    with screen.display() as display:
        display.show({"a": failed})
    assert screen.lines == ["a: failed, row [red]3[/red] is wrong"]


def test_a_terminal_gets_a_table_that_stays_when_the_display_is_closed() -> None:
    screen = Terminal(interactive=True)
    with screen.display() as display:
        display.show({"nli-mine": generating(34), "math-x": None})
    assert any("34/96" in line for line in screen.lines)
    assert any("waiting" in line for line in screen.lines)


def test_several_students_are_shown_each_with_its_loss() -> None:
    jobs = [
        {"status": "running", "service_status": "Running", "metrics": {"loss": 0.51234}},
        {"status": "queued"},
    ]
    line = run_line({**generating(11), "stage": "finetune", "finetune": jobs[0], "students": jobs})
    assert line.endswith("fine-tuning Running (loss 0.512), queued")


def test_a_duration_has_two_units_at_most() -> None:
    texts = [duration_text(seconds) for seconds in (None, 0, 59.6, 200, 7500, 273_600)]
    assert texts == ["-", "0s", "1m00s", "3m20s", "2h05m", "3d04h"]


def test_time_and_pace_are_printed_with_news_and_are_none() -> None:
    screen = Terminal()
    times = {"elapsed_seconds": 62, "remaining_seconds": 125, "rows_per_second": 12.34}
    with screen.display() as display:
        display.show({"nli-mine": {**generating(34), **times, "cost": 0.12345}})
        screen.now += 100
        display.show(
            {"nli-mine": {**generating(34), **times, "cost": 0.12345, "elapsed_seconds": 99}}
        )
    assert screen.lines == [
        "nli-mine: generate, train 34/96, cost 0.1235 [1m02s, ~2m05s left, 12.3 rows/s]"
    ]


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}])
def test_a_file_gets_plain_lines_whatever_the_environment_says(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    failed = view(
        "a", status="failed", error={"code": "x", "message": "no\x1b[2J rows\n", "details": []}
    )
    with RunsDisplay(terminal()) as display:
        display.show({"a": failed})
    assert capsys.readouterr().out == "a: failed, no [2J rows\n"
