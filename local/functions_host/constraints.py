"""Constraints on route parameters, such as `{id:int:min(1)}`, with ASP.NET Core's names and meanings."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

Constraint = Callable[[str], bool]
INT32 = 2**31
INT64 = 2**63

_CALL = re.compile(r"(?P<name>\w+)(?:\((?P<argument>.*)\))?")


def parse_constraint(text: str) -> Constraint:
    """The test that one constraint stands for. Raises ValueError for one that does not exist."""
    found = _CALL.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a constraint")
    name, argument = found["name"].lower(), found["argument"]
    if argument is None and name in _PLAIN:
        return _PLAIN[name]
    if argument is not None and name in _WITH_ARGUMENT:
        return _WITH_ARGUMENT[name](argument)
    raise ValueError(
        f"constraint {text!r} is not known: {', '.join([*_PLAIN, *_WITH_ARGUMENT])} are"
    )


def _parses(parse: Callable[[str], object]) -> Constraint:
    def allows(value: str) -> bool:
        try:
            parse(value)
        except ValueError:
            return False
        return True

    return allows


def _whole(limit: int) -> Constraint:
    return lambda value: bool(re.fullmatch(r"[+-]?[0-9]+", value)) and -limit <= int(value) < limit


def _between(lowest: int, highest: int) -> Constraint:
    return lambda value: _whole(INT64)(value) and lowest <= int(value) <= highest


def _long(lowest: int, highest: int | None) -> Constraint:
    return lambda value: lowest <= len(value) and (highest is None or len(value) <= highest)


def _range(argument: str) -> Constraint:
    lowest, _, highest = argument.partition(",")
    return _between(int(lowest), int(highest))


def _length(argument: str) -> Constraint:
    shortest, comma, longest = argument.partition(",")
    return _long(int(shortest), int(longest) if comma else int(shortest))


def _regex(argument: str) -> Constraint:
    try:
        pattern = re.compile(argument.replace("{{", "{").replace("}}", "}"), re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"regex({argument}): {error}") from None
    return lambda value: pattern.search(value) is not None


_PLAIN: dict[str, Constraint] = {
    "int": _whole(INT32),
    "long": _whole(INT64),
    "bool": lambda value: value.lower() in ("true", "false"),
    "guid": _parses(UUID),
    "alpha": lambda value: bool(re.fullmatch(r"[A-Za-z]*", value)),
    "decimal": _parses(float),
    "double": _parses(float),
    "float": _parses(float),
    "datetime": _parses(datetime.fromisoformat),
    "required": lambda value: bool(value),
}
_WITH_ARGUMENT: dict[str, Callable[[str], Constraint]] = {
    "min": lambda argument: _between(int(argument), INT64),
    "max": lambda argument: _between(-INT64, int(argument)),
    "range": _range,
    "minlength": lambda argument: _long(int(argument), None),
    "maxlength": lambda argument: _long(0, int(argument)),
    "length": _length,
    "regex": _regex,
}
