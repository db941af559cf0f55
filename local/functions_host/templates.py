"""Route templates of HTTP triggers: `runs/{id:int}/{*rest}` and the other forms of ASP.NET Core's routing.

A template becomes one regular expression; order of precedence is ASP.NET's: literal, constrained, plain, catch-all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from local.functions_host.constraints import Constraint, parse_constraint

_PART = re.compile(
    r"\{((?:[^{}]|\{\{|\}\})*)\}(?!\})"
)  # braces within, as in regex(a{{2}}), are doubled
_CONSTRAINT = r":[^:=?(]*(?:\(.*?\)(?=[:=]|\??$))?"
_PARAMETER = re.compile(
    rf"(?P<catch>\*{{0,2}})(?P<name>[A-Za-z_][\w-]*)(?P<constraints>(?:{_CONSTRAINT})*)(?P<end>.*)"
)


class InvalidTemplate(ValueError):
    """The template cannot be a route; the message says why."""


@dataclass(frozen=True, slots=True)
class _Parameter:
    name: str
    constraints: tuple[Constraint, ...]
    default: str | None
    optional: bool
    catch_all: bool


class RouteTemplate:
    """One parsed template. Raises InvalidTemplate."""

    def __init__(self, template: str) -> None:
        self.text = template.strip("/")
        self._parameters: list[_Parameter] = []
        ranks: list[int] = []
        pattern = ""
        for index, segment in enumerate(self.text.split("/") if self.text else []):
            if self._parameters and self._parameters[-1].catch_all:
                raise InvalidTemplate("a catch-all parameter must be the last segment")
            expression, rank, optional = self._segment(segment)
            slash = "/" if index else ""
            pattern += f"(?:{slash}{expression})?" if optional else slash + expression
            ranks.append(rank)
        self.precedence = tuple(ranks)
        self._pattern = re.compile(pattern, re.IGNORECASE)

    def match(self, path: str) -> dict[str, str] | None:
        """Values of the parameters for this path (without the leading slash, still percent-encoded), None if it differs."""
        found = self._pattern.fullmatch(path.rstrip("/"))
        if found is None:
            return None
        values: dict[str, str] = {}
        for index, parameter in enumerate(self._parameters):
            value = found.group(f"p{index}")
            if value is None or (parameter.catch_all and not value):
                if parameter.default is not None:
                    values[parameter.name] = parameter.default
                continue
            decoded = unquote(value)
            if not all(allows(decoded) for allows in parameter.constraints):
                return None
            values[parameter.name] = decoded
        return values

    def _segment(self, segment: str) -> tuple[str, int, bool]:
        """(regular expression, rank for precedence, whether it may be absent) of one segment."""
        parts = _PART.split(segment)
        if any(character in literal for literal in parts[::2] for character in "{}"):
            raise InvalidTemplate(f"{segment!r} has braces that do not match")
        expression, rank, optional = "", 0 if len(parts) == 1 else 2, False
        alone = len(parts) == 3 and not parts[0] and not parts[2]
        for index, part in enumerate(parts):
            if index % 2 == 0:
                expression += re.escape(part)
                continue
            parameter = self._parameter(part)
            group = f"p{len(self._parameters) - 1}"
            expression += f"(?P<{group}>.*)" if parameter.catch_all else f"(?P<{group}>[^/]+)"
            if alone:
                optional = (
                    parameter.optional or parameter.default is not None or parameter.catch_all
                )
                rank = (
                    (4 if parameter.constraints else 5)
                    if parameter.catch_all
                    else 2
                    if parameter.constraints
                    else 3
                )
            elif parameter.optional or parameter.catch_all:
                raise InvalidTemplate(
                    f"{segment!r}: an optional or catch-all parameter must be a segment of its own"
                )
        return expression, rank, optional

    def _parameter(self, text: str) -> _Parameter:
        found = _PARAMETER.fullmatch(text)
        if found is None:
            raise InvalidTemplate(f"{{{text}}} is not a route parameter")
        end = found["end"]
        if end and end != "?" and not end.startswith("="):
            raise InvalidTemplate(f"{{{text}}} is not a route parameter")
        if any(known.name.lower() == found["name"].lower() for known in self._parameters):
            raise InvalidTemplate(f"parameter {found['name']} occurs twice")
        try:
            constraints = tuple(map(parse_constraint, _split_constraints(found["constraints"])))
        except ValueError as error:
            raise InvalidTemplate(f"{{{text}}}: {error}") from None
        parameter = _Parameter(
            found["name"],
            constraints,
            end[1:] if end.startswith("=") else None,
            end == "?",
            bool(found["catch"]),
        )
        self._parameters.append(parameter)
        return parameter


def _split_constraints(text: str) -> list[str]:
    """`:int:min(1)` as [`int`, `min(1)`]; a colon within parentheses is part of the argument."""
    return [constraint[1:] for constraint in re.findall(_CONSTRAINT, text)]
