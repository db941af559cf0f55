"""Which function answers a request: literal path segments and `{name}` placeholders.

Constraints, defaults, optional and catch-all parameters are refused when the app is indexed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from local.functions_host.errors import IndexingError
from local.functions_host.functions import IndexedFunction

_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """One function's route, prefix included. Empty `methods` answer every method."""

    function: IndexedFunction
    segments: tuple[str, ...]
    methods: tuple[str, ...]

    @property
    def auth_level(self) -> str:
        """`anonymous`, `function` or `admin`."""
        return str(self.function.trigger.properties.get("authLevel", "function")).lower()

    @property
    def precedence(self) -> tuple[bool, ...]:
        """Sorts literal segments before placeholders, from the left."""
        return tuple(_placeholder(segment) is not None for segment in self.segments)

    def answers(self, method: str) -> bool:
        """Return whether the function answers this HTTP method."""
        return not self.methods or method.upper() in self.methods

    def match(self, path: str) -> dict[str, str] | None:
        """Return the placeholders' values for a percent-encoded path, None if it differs."""
        parts = path.rstrip("/").split("/")
        if len(parts) != len(self.segments):
            return None
        values: dict[str, str] = {}
        for segment, part in zip(self.segments, parts, strict=True):
            name = _placeholder(segment)
            if name is not None and part:
                values[name] = unquote(part)
            elif segment.lower() != part.lower():
                return None
        return values

    def __str__(self) -> str:
        return f"[{','.join(self.methods) or 'any'}] /{'/'.join(self.segments)}"


class RouteTable:
    """All routes. A method that a path does not answer is 404, as in Azure, and not 405."""

    def __init__(self, functions: Iterable[IndexedFunction], prefix: str) -> None:
        """Raises IndexingError naming all routes that cannot be served."""
        routes: list[Route] = []
        problems: list[str] = []
        for function in functions:
            route = _route(function, prefix)
            problem = _problem(route)
            if problem:
                problems.append(
                    f"function {function.name} has a route that this host cannot serve: {problem}"
                )
            routes.append(route)
        if problems:
            raise IndexingError("\n".join(problems))
        self.routes = tuple(sorted(routes, key=lambda route: route.precedence))

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """Return the route for a path without its leading slash, and its placeholders' values."""
        for route in self.routes:
            values = route.match(path) if route.answers(method) else None
            if values is not None:
                return route, values
        return None


def _route(function: IndexedFunction, prefix: str) -> Route:
    properties = function.trigger.properties
    template = f"{prefix}/{properties.get('route', function.name)}"
    segments = tuple(segment for segment in template.split("/") if segment)
    methods = tuple(str(method).upper() for method in properties.get("methods", ()))
    return Route(function, segments, methods)


def _problem(route: Route) -> str | None:
    names: list[str] = []
    for segment in route.segments:
        name = _placeholder(segment)
        if name is not None:
            names.append(name.lower())
        elif "{" in segment or "}" in segment:
            return f"{segment!r} must be a literal or one placeholder such as {{id}}"
    return "a placeholder occurs twice" if len(set(names)) < len(names) else None


def _placeholder(segment: str) -> str | None:
    match = _PLACEHOLDER.fullmatch(segment)
    return match[1] if match else None
