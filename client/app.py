"""The command line `distil`: its groups of commands, and how errors are shown."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from .commands import datasets, runs
from .errors import ClientError, ExitCode
from .output import note
from .program import program

EPILOG = (
    "Which deployment: --url and --key, else DISTILLATION_URL and DISTILLATION_KEY, else the local "
    "cloud of this folder (.local/endpoints.json)."
)


class Commands(TyperGroup):
    """Shows errors as messages, never as tracebacks."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command. Exits with the code of an error."""
        try:
            return super().invoke(ctx)
        except ClientError as error:
            note(f"error: {error}")
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            note("\ninterrupted")
            raise typer.Exit(ExitCode.INTERRUPTED) from None


app = typer.Typer(
    name="distil",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Distil models with a deployed app: upload datasets, start and watch runs.",
    epilog=EPILOG,
)
app.add_typer(runs.app, name="runs")
app.add_typer(datasets.app, name="datasets")


def main() -> None:
    """Run the command line."""
    app(prog_name=program())
