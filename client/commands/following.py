"""Following a run on the terminal, for every command with `--wait`."""

from __future__ import annotations

from ..api import Api
from ..errors import ExitCode
from ..output import json_result, note, run_lines
from ..program import program
from ..progress import RunProgress
from ..session import Session
from ..waiting import START_SECONDS, Waiting, exit_code, next_step


def follow(
    session: Session,
    api: Api,
    run_id: str,
    *,
    as_json: bool = False,
    quiet: bool = False,
    timeout: float | None = None,
    start_seconds: float = START_SECONDS,
) -> ExitCode:
    """Show a run until it has ended or needs a person. Return the exit code for that.

    Raises ClientError. Ctrl-C leaves the run alone.
    """
    try:
        with RunProgress(quiet=quiet, clock=session.clock) as progress:
            waiting = Waiting(
                show=progress.show,
                warn=progress.say,
                timeout=timeout,
                start_seconds=start_seconds,
                sleep=session.sleep,
                clock=session.clock,
            )
            view = waiting.wait(api, run_id)
    except KeyboardInterrupt:
        note(
            f"\nThe run goes on. Look again: {program()} runs wait {run_id}\n"
            f"Stop it: {program()} runs cancel {run_id}"
        )
        return ExitCode.INTERRUPTED
    if as_json:
        json_result(view)
    elif not quiet:
        note("\n".join([*run_lines(view), next_step(view)]).rstrip())
    return exit_code(view)
