"""Options of an emulator as one dataclass: a field declared by `option` is a flag as well."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import Field, field, fields
from typing import Any, TypeVar

from local.runtime.lifeline import run_server

Options = TypeVar("Options")


def option(default: Any, help_text: str, *, secret: bool = False, **flag: Any) -> Any:
    """Declare a field with a flag. `flag` has arguments of argparse's add_argument.

    The flag's type is that of the default unless given; a default of False makes it a switch, which
    takes `yes` and `no` as well.
    """
    metadata = {"flag": {"help": help_text, **flag}}
    return field(default=default, repr=not secret, metadata=metadata)


def options_parser(
    name: str, description: str, kind: type[Any], epilog: str | None = None
) -> argparse.ArgumentParser:
    """Return the flags of an emulator: port, lifeline, and its options."""
    flags = argparse.ArgumentParser(
        prog=f"python -m local.emulators.{name}", description=description, epilog=epilog
    )
    port_help = "port on 127.0.0.1; 0 takes a free one and prints it"
    flags.add_argument("--port", type=int, required=True, help=port_help)
    flags.add_argument("--lifeline", action="store_true", help="end when standard input ends")
    for declared in _declared(kind):
        flag: dict[str, Any] = dict(declared.metadata["flag"])
        if declared.default is False:
            flag.update(type=_yes, nargs="?", const=True, metavar="yes|no")
        else:
            flag.setdefault("type", type(declared.default))
        flags.add_argument(_flag_name(declared.name), default=declared.default, **flag)
    return flags


def parsed(kind: type[Options], arguments: argparse.Namespace, **others: Any) -> Options:
    """Return the options of a command line, with `others` for fields that have no flag."""
    values = {declared.name: getattr(arguments, declared.name) for declared in _declared(kind)}
    return kind(**{**values, **others})


def run_command(
    flags: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    options: Callable[[argparse.Namespace], Options],
    run: Callable[[Options, argparse.Namespace], Coroutine[Any, Any, None]],
) -> int:
    """Serve by a command line; return the exit code. Bad options end with a usage error."""
    namespace = flags.parse_args(arguments)
    try:
        chosen = options(namespace)
    except (ValueError, OSError) as error:
        flags.error(str(error))
    serving = run(chosen, namespace)
    return run_server(serving, port=namespace.port, lifeline=namespace.lifeline)


def _declared(kind: type[Any]) -> list[Field[Any]]:
    return [each for each in fields(kind) if "flag" in each.metadata]


def _yes(text: str) -> bool:
    if text not in ("yes", "no"):
        raise argparse.ArgumentTypeError("say yes or no")
    return text == "yes"


def _flag_name(name: str) -> str:
    return f"--{name.replace('_', '-')}"
