"""Runs as people see them: a table on a terminal, lines elsewhere, and no line without news."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from local.cli.display import (
    RunsDisplay,
    job_text,
    run_line,
    runs_table,
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


def table_text(*views: View, waiting: tuple[str, ...] = ()) -> str:
    terminal = Terminal()
    terminal.console.print(runs_table(views, waiting))
    return "\n".join(terminal.lines)


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
    terminal = Terminal()
    with terminal.display() as display:
        for shown in (None, generating(0), generating(0), view("nli-mine"), view("nli-mine")):
            display.show({"nli-mine": shown})
            terminal.now += 100
    assert terminal.lines == ["nli-mine: generate, train 0/96", "nli-mine: pending"]


def test_mere_progress_is_printed_every_few_seconds_and_a_new_stage_at_once() -> None:
    terminal = Terminal()
    with terminal.display() as display:
        for second in range(11):
            terminal.now = float(second)
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
    assert [line.removeprefix("nli-mine: ") for line in terminal.lines] == [
        "generate, train 0/96",
        "generate, train 5/96",
        "generate, train 10/96",
        "assemble, train 11/96",
        "assemble, train 11/96, fine-tuning submitted",
        "completed, train 12/96",
    ]


def test_the_last_counts_of_a_run_are_never_held_back() -> None:
    terminal = Terminal()
    with terminal.display() as display:
        display.show({"a": view("a", status="completed", splits={"train": counts(96, 90)})})
        display.show({"a": view("a", status="completed", splits={"train": counts(96, 96)})})
    assert terminal.lines[-1] == "a: completed, train 96/96"


def test_what_looks_like_markup_is_printed_as_it_is() -> None:
    failed = view(
        "a",
        status="failed",
        error={"code": "x", "message": "row [red]3[/red] is wrong", "details": []},
    )
    terminal = Terminal()
    with terminal.display() as display:
        display.show({"a": failed})
    assert terminal.lines == ["a: failed, row [red]3[/red] is wrong"]
    assert "[/bold]" in table_text(view("[/bold]"))


def test_the_table_has_a_row_a_run_and_names_those_that_have_not_started() -> None:
    text = table_text(generating(34, rejected=2), waiting=("math-x",))
    head, run, waiting = text.splitlines()
    assert head.split() == ["task", "run", "stage", "train", "validation", "tokens", "fine-tuning"]
    assert "34/96 (2 rejected)" in run
    assert waiting.split() == ["math-x", "waiting"]


def test_long_ids_fold_and_counts_stay_whole_on_a_narrow_terminal() -> None:
    console = Console(file=io.StringIO(), width=90)
    long = generating(34, rejected=2, run_id="nli-" + "very-long-" * 5)
    with console.capture() as captured:
        console.print(runs_table([long]))
    assert "34/96 (2 rejected)" in captured.get()


def test_a_terminal_gets_a_table_that_stays_when_the_display_is_closed() -> None:
    terminal = Terminal(interactive=True)
    with terminal.display() as display:
        display.show({"nli-mine": generating(34), "math-x": None})
    assert any("34/96" in line for line in terminal.lines)
    assert any("waiting" in line for line in terminal.lines)


def test_several_students_are_shown_each_with_its_loss() -> None:
    jobs = [
        {"status": "running", "service_status": "Running", "metrics": {"loss": 0.51234}},
        {"status": "queued"},
    ]
    line = run_line({**generating(11), "stage": "finetune", "finetune": jobs[0], "students": jobs})
    assert line.endswith("fine-tuning Running (loss 0.512), queued")
