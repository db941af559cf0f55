"""Which function answers a request: the routes of all HTTP triggers, most specific first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from local.functions_host.errors import IndexingError
from local.functions_host.functions import IndexedFunction
from local.functions_host.templates import InvalidTemplate, RouteTemplate


@dataclass(frozen=True, slots=True)
class Route:
    """One function's route, prefix included. `methods` is empty when every method is answered."""

    function: IndexedFunction
    template: RouteTemplate
    methods: tuple[str, ...]

    @property
    def auth_level(self) -> str:
        return str(self.function.trigger.properties.get("authLevel", "function")).lower()

    def answers(self, method: str) -> bool:
        return not self.methods or method.upper() in self.methods

    def __str__(self) -> str:
        return f"[{','.join(self.methods) or 'any'}] /{self.template.text}"


class RouteTable:
    """All routes. A method that a path does not answer is a path that is not there, as in Azure (404, not 405)."""

    def __init__(self, functions: Iterable[IndexedFunction], prefix: str) -> None:
        """Raises IndexingError naming all templates that cannot be routes."""
        routes: list[Route] = []
        problems: list[str] = []
        for function in functions:
            try:
                routes.append(_route(function, prefix))
            except InvalidTemplate as error:
                problems.append(
                    f"function {function.name} has a route that cannot be served: {error}"
                )
        if problems:
            raise IndexingError("\n".join(problems))
        self.routes = tuple(sorted(routes, key=lambda route: route.template.precedence))

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """The route that answers and the values of its parameters. `path` has no leading slash."""
        for route in self.routes:
            if route.answers(method):
                values = route.template.match(path)
                if values is not None:
                    return route, values
        return None


def _route(function: IndexedFunction, prefix: str) -> Route:
    properties = function.trigger.properties
    template = "/".join(
        part for part in (prefix, str(properties.get("route", function.name)).strip("/")) if part
    )
    methods = tuple(str(method).upper() for method in properties.get("methods", ()))
    return Route(function, RouteTemplate(template), methods)
